"""The platform's buckets: the lake, the artifacts and the logs of both."""

from typing import TypedDict

import pulumi

from infra.bucket import Bucket
from infra.documents import Statement
from infra.environment import Environment, partition
from infra.naming import bucket_name
from infra.tags import DataClass

BALANCER_LOGS_PREFIX = "load-balancers"
"""Prefix of load balancers' access logs in the logs bucket."""


class StorageArgs(TypedDict):
    """What the buckets are made of."""

    environment: Environment
    """Where they stand."""
    confidential_key_arn: pulumi.Input[str]
    """Key of the lake."""
    internal_key_arn: pulumi.Input[str]
    """Key of the artifacts."""
    disposable: bool
    """True lets the buckets go with their objects; False protects them."""
    noncurrent_days: int
    """Days that replaced or deleted versions are kept."""
    logs_retention_days: int
    """Days that access logs are kept."""


class Storage(pulumi.ComponentResource):
    """Three buckets: `lake` for data, `artifacts` for what is made of it, `logs` for who touched them."""

    lake_bucket: pulumi.Output[str]
    """Name of the lake."""
    artifacts_bucket: pulumi.Output[str]
    """Name of the artifacts bucket."""
    logs_bucket: pulumi.Output[str]
    """Name of the logs bucket."""

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlp:index:Storage", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        # S3 and load balancers deliver logs only to buckets encrypted with S3's own keys, and a bucket of access logs
        # that logged its own access would fill itself.
        self._logs = Bucket(
            f"{name}-logs",
            {
                "environment": args["environment"],
                "role": "logs",
                "data_class": DataClass.OPERATIONAL,
                "disposable": args["disposable"],
                "noncurrent_days": args["noncurrent_days"],
                "expiration_days": args["logs_retention_days"],
                "statements": log_delivery(args["environment"]),
            },
            child,
        )
        self._lake = Bucket(
            f"{name}-lake",
            {
                "environment": args["environment"],
                "role": "lake",
                "data_class": DataClass.CONFIDENTIAL,
                "disposable": args["disposable"],
                "noncurrent_days": args["noncurrent_days"],
                "key_arn": args["confidential_key_arn"],
                "access_logs_bucket": self._logs.bucket,
            },
            child,
        )
        self._artifacts = Bucket(
            f"{name}-artifacts",
            {
                "environment": args["environment"],
                "role": "artifacts",
                "data_class": DataClass.INTERNAL,
                "disposable": args["disposable"],
                "noncurrent_days": args["noncurrent_days"],
                "key_arn": args["internal_key_arn"],
                "access_logs_bucket": self._logs.bucket,
            },
            child,
        )
        self.lake_bucket = self._lake.bucket
        self.artifacts_bucket = self._artifacts.bucket
        self.logs_bucket = self._logs.bucket
        self.register_outputs(
            {
                "lake_bucket": self.lake_bucket,
                "artifacts_bucket": self.artifacts_bucket,
                "logs_bucket": self.logs_bucket,
            }
        )

    @property
    def lake(self) -> Bucket:
        """The lake, to grant access to it."""
        return self._lake

    @property
    def artifacts(self) -> Bucket:
        """The artifacts bucket, to grant access to it."""
        return self._artifacts


def log_delivery(environment: Environment) -> list[Statement]:
    """Let S3 and load balancers of this account write their access logs; sources are the S3 and ELB user guides."""
    account = environment["account_id"]
    return [
        *(
            _deliver(
                f"{role.title()}AccessLogs",
                "logging.s3.amazonaws.com",
                f"{_bucket_arn(environment, 'logs')}/s3/{role}/*",
                {
                    "ArnLike": {"aws:SourceArn": _bucket_arn(environment, role)},
                    "StringEquals": {"aws:SourceAccount": account},
                },
            )
            for role in ("lake", "artifacts")
        ),
        _deliver(
            "LoadBalancerLogs",
            "logdelivery.elasticloadbalancing.amazonaws.com",
            f"{_bucket_arn(environment, 'logs')}/{BALANCER_LOGS_PREFIX}/AWSLogs/{account}/*",
            None,
        ),
    ]


def _bucket_arn(environment: Environment, role: str) -> str:
    account, region = environment["account_id"], environment["region"]
    name = bucket_name(environment["environment"], role, account_id=account, region=region)
    return f"arn:{partition(region)}:s3:::{name}"


def _deliver(sid: str, service: str, resource: str, condition: dict[str, dict[str, str]] | None) -> Statement:
    statement: Statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "s3:PutObject",
        "Resource": resource,
    }
    return statement if condition is None else {**statement, "Condition": condition}
