"""IAM policy documents as plain data: pure functions of ARNs, without Pulumi and without I/O."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

Statement: TypeAlias = dict[str, Any]
"""One statement of a policy document, in IAM's own keys."""


def document(statements: Iterable[Statement]) -> str:
    """The policy document of `statements` as JSON, keys in a stable order."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, sort_keys=True)


def allow(
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    conditions: Mapping[str, Mapping[str, Any]] | None = None,
) -> Statement:
    """An Allow statement for an identity policy."""
    statement: Statement = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    if conditions:
        statement["Condition"] = {operator: dict(keys) for operator, keys in conditions.items()}
    return statement


def trust(service: str, account_id: str) -> str:
    """Trust policy of a role that `service` assumes, and only for this account (no confused deputy)."""
    return document(
        [
            {
                "Sid": "ServiceOfThisAccount",
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": account_id}},
            }
        ]
    )


def read_objects(name: str, bucket_arn: str, prefixes: Sequence[str], key_arn: str | None) -> list[Statement]:
    """Read and list the objects under `prefixes` (as `models/`; an empty string is all) of a bucket.

    `name` ends the statements' ids, as `Lake`; `key_arn` is the objects' key, None when that is S3's own.
    """
    return [
        _list_objects(name, bucket_arn, prefixes),
        allow(f"Read{name}", ["s3:GetObject"], _objects(bucket_arn, prefixes)),
        *([allow(f"Decrypt{name}", ["kms:Decrypt"], [key_arn])] if key_arn else []),
    ]


def write_objects(name: str, bucket_arn: str, prefixes: Sequence[str], key_arn: str | None) -> list[Statement]:
    """Read, list and write the objects under `prefixes`; never delete one. Arguments as of `read_objects`."""
    return [
        _list_objects(name, bucket_arn, prefixes),
        allow(
            f"Write{name}",
            ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
            _objects(bucket_arn, prefixes),
        ),
        *([allow(f"Encrypt{name}", ["kms:Decrypt", "kms:GenerateDataKey"], [key_arn])] if key_arn else []),
    ]


def pull_image(repository_arn: str) -> list[Statement]:
    """Pull images of one ECR repository."""
    return [
        # GetAuthorizationToken has no resource type: the token opens nothing that the second statement does not allow.
        allow("RegistryToken", ["ecr:GetAuthorizationToken"], ["*"]),
        allow(
            "PullImage",
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            [repository_arn],
        ),
    ]


def write_logs(log_group_arn: str) -> list[Statement]:
    """Write log streams of one log group."""
    streams = f"{log_group_arn}:log-stream:*"
    return [
        allow("WriteLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], [streams]),
        allow("FindLogStreams", ["logs:DescribeLogStreams"], [log_group_arn, f"{log_group_arn}:*"]),
    ]


def put_metrics(namespaces: Sequence[str]) -> list[Statement]:
    """Put CloudWatch metrics of `namespaces` only; the action has no resource type, so the condition narrows it."""
    condition = {"StringEquals": {"cloudwatch:namespace": list(namespaces)}}
    return [allow("PutMetrics", ["cloudwatch:PutMetricData"], ["*"], condition)]


def use_subnets(
    arn_prefix: str, vpc_arn: str, subnet_arns: Sequence[str], group_arns: Sequence[str]
) -> list[Statement]:
    """Attach a managed job or endpoint to subnets of one VPC through network interfaces made for it.

    `arn_prefix` is `arn:<partition>:ec2:<region>:<account>`. Source: SageMaker developer guide, execution roles for
    resources in a VPC, narrowed to the subnets and security groups in use.
    """
    interfaces = f"{arn_prefix}:network-interface/*"
    return [
        allow(
            "MakeInterfaces",
            ["ec2:CreateNetworkInterface"],
            [interfaces, *subnet_arns, *group_arns],
        ),
        allow(
            "UseInterfaces",
            [
                "ec2:CreateNetworkInterfacePermission",
                "ec2:DeleteNetworkInterface",
                "ec2:DeleteNetworkInterfacePermission",
            ],
            [interfaces],
            {"ArnEquals": {"ec2:Vpc": vpc_arn}},
        ),
        # EC2's Describe actions have no resource type.
        allow(
            "FindNetwork",
            [
                "ec2:DescribeDhcpOptions",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
            ],
            ["*"],
        ),
    ]


def use_key_for_volumes(key_arn: str) -> list[Statement]:
    """Encrypt the volumes of managed instances: grants for AWS services only, never for a person or another role."""
    return [
        allow("EncryptVolumes", ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext"], [key_arn]),
        allow("GrantToService", ["kms:CreateGrant"], [key_arn], {"Bool": {"kms:GrantIsForAWSResource": "true"}}),
    ]


def _objects(bucket_arn: str, prefixes: Sequence[str]) -> list[str]:
    return [f"{bucket_arn}/{prefix}*" for prefix in prefixes]


def _list_objects(name: str, bucket_arn: str, prefixes: Sequence[str]) -> Statement:
    condition = {"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in prefixes]}}
    return allow(f"List{name}", ["s3:ListBucket"], [bucket_arn], condition)
