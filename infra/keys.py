"""Encryption keys, one per data class, and who may use them for what."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypedDict

import pulumi
import pulumi_aws as aws

from infra.documents import Statement, allow, document
from infra.environment import Environment, arn, partition, resource_tags
from infra.naming import PROJECT
from infra.tags import DataClass

_STAGE = "keys"

_USERS: Mapping[DataClass, tuple[str, ...]] = MappingProxyType(
    {
        DataClass.CONFIDENTIAL: ("s3", "sagemaker", "ec2"),
        DataClass.INTERNAL: ("s3", "sagemaker", "ec2", "ecr", "rds", "secretsmanager"),
        DataClass.OPERATIONAL: ("s3", "ssm"),
    }
)
"""Services through which a data class may be encrypted and decrypted (`kms:ViaService`)."""

_ADMINISTRATION = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
)


class KeysArgs(TypedDict):
    """What the keys are made of."""

    environment: Environment
    """Where they stand."""
    disposable: bool
    """True lets the keys go with the stack, seven days after it; False protects them."""


class Keys(pulumi.ComponentResource):
    """A rotating customer managed key per data class."""

    confidential_arn: pulumi.Output[str]
    """Key of data about people or business."""
    internal_arn: pulumi.Output[str]
    """Key of what the platform makes."""
    operational_arn: pulumi.Output[str]
    """Key of logs and settings."""

    def __init__(self, name: str, args: KeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlp:index:Keys", name, None, opts)
        keys = {data_class: self._key(name, args, data_class) for data_class in DataClass}
        self.confidential_arn = keys[DataClass.CONFIDENTIAL].arn
        self.internal_arn = keys[DataClass.INTERNAL].arn
        self.operational_arn = keys[DataClass.OPERATIONAL].arn
        self.register_outputs(
            {
                "confidential_arn": self.confidential_arn,
                "internal_arn": self.internal_arn,
                "operational_arn": self.operational_arn,
            }
        )

    def _key(self, name: str, args: KeysArgs, data_class: DataClass) -> aws.kms.Key:
        environment = args["environment"]
        key = aws.kms.Key(
            f"{name}-{data_class}",
            description=f"{PROJECT} {environment['environment']}: {data_class} data",
            enable_key_rotation=True,
            deletion_window_in_days=7 if args["disposable"] else 30,
            policy=key_policy(environment, data_class),
            tags=resource_tags(environment, _STAGE, data_class),
            opts=pulumi.ResourceOptions(parent=self, protect=not args["disposable"]),
        )
        aws.kms.Alias(
            f"{name}-{data_class}-alias",
            name=f"alias/{PROJECT}-{environment['environment']}-{data_class}",
            target_key_id=key.id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return key


def key_policy(environment: Environment, data_class: DataClass) -> str:
    """Policy of the key of `data_class`.

    The account's IAM policies decide who administers it and who uses it, but use is open only through the services
    that store this class, and grants only to AWS services. A resource of `*` means this key in a key policy.
    """
    region, account = environment["region"], environment["account_id"]
    own_account = {"AWS": f"arn:{partition(region)}:iam::{account}:root"}
    through = [f"{service}.{region}.amazonaws.com" for service in _USERS[data_class]]
    caller = {"kms:CallerAccount": account}
    statements: list[Statement] = [
        {**allow("Administer", _ADMINISTRATION, ["*"]), "Principal": own_account},
        {
            **allow(
                "UseThroughServices",
                ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
                ["*"],
                {"StringEquals": {**caller, "kms:ViaService": through}},
            ),
            "Principal": own_account,
        },
        {
            **allow(
                "GrantToServices",
                ["kms:CreateGrant"],
                ["*"],
                {"Bool": {"kms:GrantIsForAWSResource": "true"}, "StringEquals": caller},
            ),
            "Principal": own_account,
        },
    ]
    if data_class is DataClass.OPERATIONAL:
        statements.append(_log_groups(environment))
    return document(statements)


def _log_groups(environment: Environment) -> Statement:
    groups = arn(environment, "logs", "log-group:*")
    return {
        **allow(
            "EncryptLogGroups",
            ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
            ["*"],
            {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        ),
        "Principal": {"Service": f"logs.{environment['region']}.amazonaws.com"},
    }
