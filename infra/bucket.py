"""One bucket, closed: no public access, no ACLs, TLS only, versioned, encrypted, with a lifecycle."""

from collections.abc import Callable, Sequence
from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws

from infra.documents import Statement, document, read_objects, write_objects
from infra.environment import Environment, resource_tags
from infra.naming import bucket_name
from infra.tags import DataClass

_STAGE = "storage"


class BucketArgs(TypedDict):
    """What a bucket is made of."""

    environment: Environment
    """Where it stands."""
    role: str
    """What it is for, as `lake`: part of its name."""
    data_class: DataClass
    """What it holds."""
    disposable: bool
    """True lets the bucket go with its objects; False protects it."""
    noncurrent_days: int
    """Days that replaced or deleted versions are kept."""
    key_arn: NotRequired[pulumi.Input[str]]
    """Key of the objects; S3's own key when left out, which log delivery needs."""
    expiration_days: NotRequired[int]
    """Days after which an object expires; never when left out."""
    access_logs_bucket: NotRequired[pulumi.Input[str]]
    """Bucket that takes the access logs, under `s3/<role>/`; none are written when left out."""
    statements: NotRequired[Sequence[Statement]]
    """Statements of the bucket policy beyond the denials, with `Resource` in full; none when left out."""


class Bucket(pulumi.ComponentResource):
    """A closed bucket and its policies. Whoever owns it grants access to it."""

    bucket: pulumi.Output[str]
    """Name, known once the bucket's protections are in place."""
    arn: pulumi.Output[str]
    """ARN of the bucket."""

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlp:index:Bucket", name, None, opts)
        environment = args["environment"]
        self._name = name
        self._key_arn = args.get("key_arn")
        self._child = pulumi.ResourceOptions(parent=self)
        self._bucket = aws.s3.Bucket(
            f"{name}-bucket",
            bucket=bucket_name(
                environment["environment"],
                args["role"],
                account_id=environment["account_id"],
                region=environment["region"],
            ),
            force_destroy=args["disposable"],
            tags=resource_tags(environment, _STAGE, args["data_class"]),
            opts=pulumi.ResourceOptions(parent=self, protect=not args["disposable"]),
        )
        guards = [*self._closed(args), *self._kept(args)]
        if (target := args.get("access_logs_bucket")) is not None:
            aws.s3.BucketLogging(
                f"{name}-access-logs",
                bucket=self._bucket.id,
                target_bucket=target,
                target_prefix=f"s3/{args['role']}/",
                opts=self._child,
            )
        self.bucket = pulumi.Output.all(self._bucket.bucket, *(guard.id for guard in guards)).apply(lambda ids: ids[0])
        self.arn = self._bucket.arn
        self.register_outputs({"bucket": self.bucket, "arn": self.arn})

    def _closed(self, args: BucketArgs) -> list[pulumi.CustomResource]:
        name, bucket = self._name, self._bucket
        public = aws.s3.BucketPublicAccessBlock(
            f"{name}-public-access",
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self._child,
        )
        owner = aws.s3.BucketOwnershipControls(
            f"{name}-ownership", bucket=bucket.id, rule={"object_ownership": "BucketOwnerEnforced"}, opts=self._child
        )
        extra = list(args.get("statements", ()))
        policy = aws.s3.BucketPolicy(
            f"{name}-policy",
            bucket=bucket.id,
            policy=pulumi.Output.all(arn=bucket.arn, key=args.get("key_arn")).apply(
                lambda known: bucket_policy(known["arn"], known["key"], extra)
            ),
            # S3 refuses two changes of a bucket's access settings at once.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[public, owner]),
        )
        return [public, owner, policy]

    def _kept(self, args: BucketArgs) -> list[pulumi.CustomResource]:
        name, bucket = self._name, self._bucket
        key_arn = args.get("key_arn")
        encryption: aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgsDict = (
            {"sse_algorithm": "AES256"}
            if key_arn is None
            else {"sse_algorithm": "aws:kms", "kms_master_key_id": key_arn}
        )
        encrypted = aws.s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encryption",
            bucket=bucket.id,
            rules=[
                {"apply_server_side_encryption_by_default": encryption, "bucket_key_enabled": key_arn is not None},
            ],
            opts=self._child,
        )
        versioned = aws.s3.BucketVersioning(
            f"{name}-versioning",
            bucket=bucket.id,
            versioning_configuration={"status": "Enabled"},
            opts=self._child,
        )
        aws.s3.BucketLifecycleConfiguration(
            f"{name}-lifecycle",
            bucket=bucket.id,
            rules=_lifecycle(args),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[versioned]),
        )
        return [encrypted, versioned]

    def grant_read(
        self, name: str, role_name: pulumi.Input[str], prefixes: Sequence[str] = ("",)
    ) -> aws.iam.RolePolicy:
        """Let a role read and list the objects under `prefixes` (all of them by default); `name` is the grant's own.

        The equivalent for a role policy written elsewhere is `infra.documents.read_objects`.
        """
        return self._grant(name, role_name, read_objects, prefixes)

    def grant_write(
        self, name: str, role_name: pulumi.Input[str], prefixes: Sequence[str] = ("",)
    ) -> aws.iam.RolePolicy:
        """Let a role read, list and write, but not delete, the objects under `prefixes` (all of them by default)."""
        return self._grant(name, role_name, write_objects, prefixes)

    def _grant(
        self,
        name: str,
        role_name: pulumi.Input[str],
        statements: Callable[[str, str, Sequence[str], str | None], list[Statement]],
        prefixes: Sequence[str],
    ) -> aws.iam.RolePolicy:
        return aws.iam.RolePolicy(
            f"{self._name}-{name}",
            role=role_name,
            policy=pulumi.Output.all(arn=self.arn, key=self._key_arn).apply(
                lambda known: document(statements("Objects", known["arn"], prefixes, known["key"]))
            ),
            opts=self._child,
        )


def bucket_policy(bucket_arn: str, key_arn: str | None, statements: Sequence[Statement]) -> str:
    """Policy of a bucket: TLS 1.2 or newer, its own key only, and `statements` besides."""
    both = [bucket_arn, f"{bucket_arn}/*"]
    return document(
        [
            _deny("PlainText", "s3:*", both, {"Bool": {"aws:SecureTransport": "false"}}),
            _deny("OldTls", "s3:*", both, {"NumericLessThan": {"s3:TlsVersion": "1.2"}}),
            *_own_key_only(bucket_arn, key_arn),
            *statements,
        ]
    )


def _own_key_only(bucket_arn: str, key_arn: str | None) -> list[Statement]:
    if key_arn is None:
        return []
    # A request without the header gets the bucket's default encryption; `Null` keeps the denial off such requests.
    wanted = {
        "OtherEncryption": ("s3:x-amz-server-side-encryption", "aws:kms"),
        "OtherKey": ("s3:x-amz-server-side-encryption-aws-kms-key-id", key_arn),
    }
    return [
        _deny(
            sid,
            "s3:PutObject",
            [f"{bucket_arn}/*"],
            {"Null": {header: "false"}, "StringNotEquals": {header: value}},
        )
        for sid, (header, value) in wanted.items()
    ]


def _deny(sid: str, action: str, resources: list[str], condition: dict[str, dict[str, str]]) -> Statement:
    return {
        "Sid": sid,
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": action,
        "Resource": resources,
        "Condition": condition,
    }


def _lifecycle(args: BucketArgs) -> list[aws.s3.BucketLifecycleConfigurationRuleArgsDict]:
    rules: list[aws.s3.BucketLifecycleConfigurationRuleArgsDict] = [
        {
            "id": "noncurrent-versions",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "noncurrent_version_expiration": {"noncurrent_days": args["noncurrent_days"]},
            # Parts of uploads nobody finished cost as much as objects and are seen by nobody.
            "abort_incomplete_multipart_upload": {"days_after_initiation": 7},
        }
    ]
    if (days := args.get("expiration_days")) is not None:
        rules.append({"id": "expiration", "status": "Enabled", "filter": {"prefix": ""}, "expiration": {"days": days}})
    return rules
