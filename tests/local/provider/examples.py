"""One example of every resource type: inputs, a change in place, and a change made behind the provider's back."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .stack import Deployed, Stack

Drift = Callable[[Stack, Deployed], None]


@dataclass(frozen=True)
class Example:
    """How a type is exercised."""

    inputs: Callable[[Stack], dict[str, Any]]
    change: Mapping[str, Any] | None = field(default_factory=lambda: {"tags": {"Stage": "serving"}})
    """Inputs of an update in place; None where every change replaces."""
    drift: Drift | None = None
    """The change behind the provider's back."""
    drifted: str = ""
    """The property that the drift shows in; empty where the drift deletes the resource."""
    remains: bool = False
    """Whether AWS keeps it when it is deleted."""


def shared(stack: Stack, token: str, name: str, **inputs: Any) -> Deployed:
    """A parent that examples of one module use together."""
    for deployed in stack.deployed:
        if (deployed.token, deployed.name) == (token, name):
            return deployed
    return stack.create(token, name, inputs)


def vpc(stack: Stack) -> str:
    return shared(stack, "aws:ec2/vpc:Vpc", "shared", cidrBlock="10.9.0.0/16", enableDnsHostnames=True).id


def subnets(stack: Stack) -> list[str]:
    zones = {"a": "10.9.0.0/24", "b": "10.9.1.0/24"}
    return [
        shared(
            stack,
            "aws:ec2/subnet:Subnet",
            f"shared-{zone}",
            vpcId=vpc(stack),
            cidrBlock=block,
            availabilityZone=f"eu-west-1{zone}",
        ).id
        for zone, block in zones.items()
    ]


def route_table(stack: Stack) -> str:
    return shared(stack, "aws:ec2/routeTable:RouteTable", "shared", vpcId=vpc(stack)).id


def group(stack: Stack) -> str:
    return shared(stack, "aws:ec2/securityGroup:SecurityGroup", "shared", vpcId=vpc(stack)).id


def key(stack: Stack) -> str:
    return shared(stack, "aws:kms/key:Key", "shared", description="shared").outputs["arn"]


def bucket(stack: Stack, name: str = "shared") -> str:
    return shared(stack, "aws:s3/bucket:Bucket", name, forceDestroy=True).id


def log_bucket(stack: Stack) -> str:
    name = bucket(stack, "logs")
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{name}/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    shared(stack, "aws:s3/bucketPolicy:BucketPolicy", "logs", bucket=name, policy=policy)
    return name


def trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def allow(action: str, resource: str = "*") -> str:
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": [action], "Resource": resource}]}
    )


def role(stack: Stack, name: str = "shared") -> Deployed:
    return shared(stack, "aws:iam/role:Role", name, assumeRolePolicy=trust("sagemaker.amazonaws.com"))


def ec2_tag(stack: Stack, resource: Deployed) -> None:
    stack.client("ec2").create_tags(Resources=[resource.id], Tags=[{"Key": "Owner", "Value": "someone"}])


TAGS = {"Environment": "test", "Stage": "training"}

EXAMPLES: dict[str, Example] = {
    "aws:ec2/vpc:Vpc": Example(
        lambda stack: {"cidrBlock": "10.0.0.0/16", "enableDnsHostnames": True, "tags": TAGS},
        {"enableDnsHostnames": False},
        lambda stack, one: stack.client("ec2").modify_vpc_attribute(VpcId=one.id, EnableDnsSupport={"Value": False}),
        "enableDnsSupport",
    ),
    "aws:ec2/subnet:Subnet": Example(
        lambda stack: {"vpcId": vpc(stack), "cidrBlock": "10.9.7.0/24", "availabilityZone": "eu-west-1a", "tags": TAGS},
        {"mapPublicIpOnLaunch": True},
        lambda stack, one: stack.client("ec2").modify_subnet_attribute(
            SubnetId=one.id, MapPublicIpOnLaunch={"Value": True}
        ),
        "mapPublicIpOnLaunch",
    ),
    "aws:ec2/routeTable:RouteTable": Example(
        lambda stack: {"vpcId": vpc(stack), "tags": TAGS}, drift=ec2_tag, drifted="tags.Owner"
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Example(
        lambda stack: {"routeTableId": route_table(stack), "subnetId": subnets(stack)[0]}, None
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": Example(
        lambda stack: {"vpcId": shared(stack, "aws:ec2/vpc:Vpc", "closed", cidrBlock="10.8.0.0/16").id, "tags": TAGS},
        drift=lambda stack, one: stack.client("ec2").authorize_security_group_ingress(
            GroupId=one.id, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
        ),
        drifted="ingress",
        remains=True,
    ),
    "aws:ec2/securityGroup:SecurityGroup": Example(
        lambda stack: {
            "vpcId": vpc(stack),
            "description": "example",
            "egress": [{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}],
            "ingress": [{"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["10.0.0.0/8"], "self": True}],
            "tags": TAGS,
        },
        {"ingress": []},
        lambda stack, one: stack.client("ec2").authorize_security_group_ingress(
            GroupId=one.id, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
        ),
        "ingress",
    ),
    "aws:ec2/flowLog:FlowLog": Example(
        lambda stack: {
            "vpcId": vpc(stack),
            "trafficType": "ALL",
            "logDestinationType": "s3",
            "logDestination": f"arn:aws:s3:::{bucket(stack)}",
            "tags": TAGS,
        },
        drift=ec2_tag,
        drifted="tags.Owner",
    ),
    "aws:ec2/vpcEndpoint:VpcEndpoint": Example(
        lambda stack: {
            "vpcId": vpc(stack),
            "serviceName": "com.amazonaws.eu-west-1.s3",
            "routeTableIds": [route_table(stack)],
            "tags": TAGS,
        },
        drift=lambda stack, one: stack.client("ec2").modify_vpc_endpoint(
            VpcEndpointId=one.id, RemoveRouteTableIds=one.outputs["routeTableIds"]
        ),
        drifted="routeTableIds",
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": Example(
        lambda stack: {
            "securityGroupId": group(stack),
            "ipProtocol": "tcp",
            "fromPort": 5432,
            "toPort": 5432,
            "cidrIpv4": "10.0.0.0/8",
            "description": "database",
            "tags": TAGS,
        },
        {"description": "the database"},
        lambda stack, one: stack.client("ec2").modify_security_group_rules(
            GroupId=one.outputs["securityGroupId"],
            SecurityGroupRules=[
                {
                    "SecurityGroupRuleId": one.id,
                    "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 5432, "CidrIpv4": "10.0.0.0/8"},
                }
            ],
        ),
        "fromPort",
    ),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": Example(
        lambda stack: {
            "securityGroupId": group(stack),
            "ipProtocol": "-1",
            "referencedSecurityGroupId": group(stack),
            "tags": TAGS,
        },
        drift=ec2_tag,
        drifted="tags.Owner",
    ),
    "aws:kms/key:Key": Example(
        lambda stack: {
            "description": "example",
            "enableKeyRotation": True,
            "deletionWindowInDays": 7,
            "policy": allow("kms:*").replace('"Effect"', '"Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Effect"'),
            "tags": TAGS,
        },
        {"description": "another"},
        lambda stack, one: stack.client("kms").disable_key_rotation(KeyId=one.id),
        "enableKeyRotation",
    ),
    "aws:kms/alias:Alias": Example(
        lambda stack: {"name": "alias/example", "targetKeyId": key(stack)},
        None,
        lambda stack, one: stack.client("kms").update_alias(
            AliasName=one.id, TargetKeyId=shared(stack, "aws:kms/key:Key", "other").id
        ),
        "targetKeyId",
    ),
    "aws:s3/bucket:Bucket": Example(
        lambda stack: {"forceDestroy": True, "tags": TAGS},
        {"tags": {"Stage": "serving"}},
        lambda stack, one: stack.client("s3").delete_bucket_tagging(Bucket=one.id),
        "tags",
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": Example(
        lambda stack: {"bucket": bucket(stack), "blockPublicAcls": True, "blockPublicPolicy": True},
        {"ignorePublicAcls": True},
        lambda stack, one: stack.client("s3").delete_public_access_block(Bucket=one.id),
        "",
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": Example(
        lambda stack: {"bucket": bucket(stack), "rule": {"objectOwnership": "BucketOwnerEnforced"}},
        {"rule": {"objectOwnership": "BucketOwnerPreferred"}},
        lambda stack, one: stack.client("s3").put_bucket_ownership_controls(
            Bucket=one.id, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
        ),
        "rule.objectOwnership",
    ),
    "aws:s3/bucketVersioning:BucketVersioning": Example(
        lambda stack: {"bucket": bucket(stack), "versioningConfiguration": {"status": "Enabled"}},
        {"versioningConfiguration": {"status": "Suspended"}},
        lambda stack, one: stack.client("s3").put_bucket_versioning(
            Bucket=one.id, VersioningConfiguration={"Status": "Suspended"}
        ),
        "versioningConfiguration.status",
        remains=True,
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": Example(
        lambda stack: {
            "bucket": bucket(stack),
            "rules": [
                {
                    "applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": key(stack)},
                    "bucketKeyEnabled": True,
                }
            ],
        },
        {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]},
        lambda stack, one: stack.client("s3").put_bucket_encryption(
            Bucket=one.id,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
        ),
        "rules[0].applyServerSideEncryptionByDefault.sseAlgorithm",
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": Example(
        lambda stack: {
            "bucket": bucket(stack),
            "rules": [
                {
                    "id": "old",
                    "status": "Enabled",
                    "filter": {"prefix": "raw/"},
                    "expiration": {"days": 30},
                    "noncurrentVersionExpiration": {"noncurrentDays": 7},
                    "transitions": [{"days": 10, "storageClass": "INTELLIGENT_TIERING"}],
                },
                {"id": "uploads", "status": "Enabled", "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7}},
            ],
        },
        {"rules": [{"id": "old", "status": "Disabled", "expiration": {"days": 60}}]},
        lambda stack, one: stack.client("s3").delete_bucket_lifecycle(Bucket=one.id),
        "",
    ),
    "aws:s3/bucketLogging:BucketLogging": Example(
        lambda stack: {"bucket": bucket(stack), "targetBucket": log_bucket(stack), "targetPrefix": "access/"},
        {"targetPrefix": "s3/"},
        lambda stack, one: stack.client("s3").put_bucket_logging(Bucket=one.id, BucketLoggingStatus={}),
        "",
    ),
    "aws:s3/bucketPolicy:BucketPolicy": Example(
        lambda stack: {
            "bucket": bucket(stack),
            "policy": json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Deny",
                            "Principal": "*",
                            "Action": "s3:*",
                            "Resource": f"arn:aws:s3:::{bucket(stack)}",
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        }
                    ],
                }
            ),
        },
        None,
        lambda stack, one: stack.client("s3").delete_bucket_policy(Bucket=one.id),
        "",
    ),
    "aws:s3/bucketObjectv2:BucketObjectv2": Example(
        lambda stack: {
            "bucket": bucket(stack),
            "key": "outputs/document.json",
            "content": "{}",
            "contentType": "application/json",
            "tags": TAGS,
        },
        {"content": '{"a": 1}'},
        lambda stack, one: stack.client("s3").put_object(
            Bucket=one.outputs["bucket"], Key=one.outputs["key"], Body=b"other", ContentType="application/json"
        ),
        "content",
    ),
    "aws:iam/role:Role": Example(
        lambda stack: {"assumeRolePolicy": trust("sagemaker.amazonaws.com"), "description": "example", "tags": TAGS},
        {"maxSessionDuration": 7200, "description": "another"},
        lambda stack, one: stack.client("iam").update_assume_role_policy(
            RoleName=one.id, PolicyDocument=trust("ec2.amazonaws.com")
        ),
        "assumeRolePolicy",
    ),
    "aws:iam/rolePolicy:RolePolicy": Example(
        lambda stack: {"role": role(stack).id, "policy": allow("s3:GetObject")},
        {"policy": allow("s3:PutObject")},
        lambda stack, one: stack.client("iam").put_role_policy(
            RoleName=one.outputs["role"], PolicyName=one.outputs["name"], PolicyDocument=allow("*")
        ),
        "policy",
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Example(
        lambda stack: {
            "role": role(stack).id,
            "policyArn": shared(stack, "aws:iam/policy:Policy", "shared", policy=allow("s3:GetObject")).id,
        },
        None,
        lambda stack, one: stack.client("iam").detach_role_policy(
            RoleName=one.outputs["role"], PolicyArn=one.outputs["policyArn"]
        ),
        "",
    ),
    "aws:iam/policy:Policy": Example(
        lambda stack: {"policy": allow("s3:GetObject"), "description": "example", "tags": TAGS},
        {"policy": allow("s3:PutObject")},
        lambda stack, one: stack.client("iam").create_policy_version(
            PolicyArn=one.id, PolicyDocument=allow("*"), SetAsDefault=True
        ),
        "policy",
    ),
}
