"""S3: buckets, what is configured on them, and objects."""

from collections.abc import Mapping
from typing import Any

from infra.local.errors import LocalError
from infra.local.provider.handler import Handler, Put, Scope
from infra.local.provider.names import Name
from infra.local.provider.spec import Call, Read, Spec, Tagging

MISSING = frozenset(("NoSuchBucket", "NoSuchKey", "404"))

# Route 53's zones of the regional S3 endpoints: docs.aws.amazon.com/general/latest/gr/s3.html
_HOSTED_ZONES = {
    "eu-central-1": "Z21DNDUVLTQW6Q",
    "eu-west-1": "Z1BKCTXD74EZPE",
    "us-east-1": "Z3AQBSTGFYJSTF",
    "us-west-2": "Z3BJ6K6RIION7M",
}

BUCKET = Spec(
    type="aws:s3/bucket:Bucket",
    service="s3",
    id="{bucket}",
    create=Call(operation="CreateBucket", send=("bucket", "objectLockEnabled", "acl")),
    read=Read(operation="HeadBucket", params={"Bucket": "{id}"}),
    delete=Call(operation="DeleteBucket", params={"Bucket": "{id}"}),
    tags=Tagging(
        member="",
        read=Read(
            operation="GetBucketTagging",
            params={"Bucket": "{id}"},
            select="TagSet",
            absent=frozenset(("NoSuchTagSet", "NoSuchTagSetError")),
        ),
        tag=Call(operation="PutBucketTagging"),
    ),
    name=Name("bucket", max=63, prefix_property="bucketPrefix", lower=True),
    replace=frozenset(("bucket", "objectLockEnabled")),
    rename={"objectLockEnabled": "ObjectLockEnabledForBucket"},
    local=frozenset(("forceDestroy", "bucketPrefix")),
    computed=frozenset(("objectLockEnabled",)),
    unsupported=frozenset(
        (
            "accelerationStatus",
            "acl",
            "bucketNamespace",
            "corsRules",
            "grants",
            "lifecycleRules",
            "logging",
            "objectLockConfiguration",
            "policy",
            "replicationConfiguration",
            "requestPayer",
            "serverSideEncryptionConfiguration",
            "versioning",
            "website",
        )
    ),
    outputs={
        "bucket": "{id}",
        "arn": "arn:{partition}:s3:::{id}",
        "bucketDomainName": "{id}.s3.amazonaws.com",
        "bucketRegionalDomainName": "{id}.s3.{region}.amazonaws.com",
        "bucketRegion": "{region}",
    },
    missing=MISSING,
)


class Bucket(Handler):
    """Tags are put after the creation, and a bucket with `forceDestroy` is emptied before it is deleted."""

    def amend(self, scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        """Name the region; us-east-1 is the one that must not be named."""
        if scope.region == "us-east-1":
            return params
        return {**params, "CreateBucketConfiguration": {"LocationConstraint": scope.region}}

    def put_tags(self, scope: Scope, added: Mapping[str, str], removed: list[str]) -> None:
        """S3 takes the whole set at once."""
        del removed
        pairs = [{"Key": key, "Value": value} for key, value in added.items()]
        scope.call("PutBucketTagging", Bucket=scope.id, Tagging={"TagSet": pairs})

    def outputs(self, scope: Scope, item: dict[str, Any]) -> dict[str, Any]:
        """Add the zone of the region's endpoint."""
        zone = _HOSTED_ZONES.get(scope.region)
        return {**super().outputs(scope, item), **({"hostedZoneId": zone} if zone else {})}

    def delete(self, scope: Scope) -> None:
        """Delete the bucket, after its objects and their versions when that was asked for."""
        if scope.lookup("forceDestroy"):
            self._empty(scope)
        super().delete(scope)

    def _empty(self, scope: Scope) -> None:
        while True:
            page = scope.call("ListObjectVersions", Bucket=scope.id, MaxKeys=1000)
            entries = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
            if not entries:
                return
            objects = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]
            answer = scope.call("DeleteObjects", Bucket=scope.id, Delete={"Objects": objects, "Quiet": True})
            if answer.get("Errors"):
                raise LocalError(f"bucket {scope.id} could not be emptied: {answer['Errors'][0]}")


def _configuration(kind: str, put: Call, get: Read, delete: Call | None, **more: Any) -> Spec:
    """A row for a type that is one setting of a bucket."""
    put = Call(operation=put.operation, params={"Bucket": "{bucket}", **put.params}, send=put.send, into=put.into)
    get = Read(operation=get.operation, params={"Bucket": "{id}"}, select=get.select, at=get.at, absent=get.absent)
    if delete:
        delete = Call(operation=delete.operation, params={"Bucket": "{id}", **delete.params})
    return Spec(
        type=f"aws:s3/{kind[0].lower()}{kind[1:]}:{kind}",
        service="s3",
        id="{bucket}",
        create=put,
        read=get,
        delete=delete,
        exclusive=False,
        replace=frozenset(("bucket",)),
        outputs={"bucket": "{id}"},
        missing=MISSING,
        handled=frozenset(("bucket",)),
        **more,
    )


_PUBLIC_ACCESS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")

PUBLIC_ACCESS_BLOCK = _configuration(
    "BucketPublicAccessBlock",
    Call(operation="PutPublicAccessBlock", into="PublicAccessBlockConfiguration", send=_PUBLIC_ACCESS),
    Read(
        operation="GetPublicAccessBlock",
        select="PublicAccessBlockConfiguration",
        absent=frozenset(("NoSuchPublicAccessBlockConfiguration",)),
    ),
    Call(operation="DeletePublicAccessBlock"),
    defaults=dict.fromkeys(_PUBLIC_ACCESS, False),
    local=frozenset(("skipDestroy",)),
)

OWNERSHIP_CONTROLS = _configuration(
    "BucketOwnershipControls",
    Call(operation="PutBucketOwnershipControls", into="OwnershipControls", send=("rule",)),
    Read(
        operation="GetBucketOwnershipControls",
        select="OwnershipControls",
        absent=frozenset(("OwnershipControlsNotFoundError",)),
    ),
    Call(operation="DeleteBucketOwnershipControls"),
)


def _unless_disabled(value: Any) -> Any:
    return None if value == "Disabled" else value


def _as_encryption_types(value: Any) -> Any:
    return {"encryptionType": value}


def _encryption_types(value: Any) -> Any:
    return value.get("EncryptionType")


VERSIONING = _configuration(
    "BucketVersioning",
    Call(operation="PutBucketVersioning", send=("versioningConfiguration",)),
    Read(
        operation="GetBucketVersioning",
        select="Status && {Status: Status, MFADelete: MFADelete}",
        at="VersioningConfiguration",
    ),
    Call(operation="PutBucketVersioning", params={"VersioningConfiguration": {"Status": "Suspended"}}),
    unsupported=frozenset(("mfa", "expectedBucketOwner")),
    # "Disabled" is how the provider spells a bucket that never had versions: AWS answers nothing.
    from_aws={"versioningConfiguration.mfaDelete": _unless_disabled},
)

ENCRYPTION = _configuration(
    "BucketServerSideEncryptionConfiguration",
    Call(operation="PutBucketEncryption", into="ServerSideEncryptionConfiguration", send=("rules",)),
    Read(
        operation="GetBucketEncryption",
        select="ServerSideEncryptionConfiguration",
        absent=frozenset(("ServerSideEncryptionConfigurationNotFoundError",)),
    ),
    Call(operation="DeleteBucketEncryption"),
    to_aws={"rules.blockedEncryptionTypes": _as_encryption_types},
    from_aws={"rules.blockedEncryptionTypes": _encryption_types},
    computed=frozenset(("rules.blockedEncryptionTypes",)),
    unsupported=frozenset(("expectedBucketOwner",)),
)

LIFECYCLE = _configuration(
    "BucketLifecycleConfiguration",
    Call(operation="PutBucketLifecycleConfiguration", into="LifecycleConfiguration", send=("rules",)),
    Read(operation="GetBucketLifecycleConfiguration", absent=frozenset(("NoSuchLifecycleConfiguration",))),
    Call(operation="DeleteBucketLifecycle"),
    computed=frozenset(("transitionDefaultMinimumObjectSize",)),
    unsupported=frozenset(("expectedBucketOwner", "transitionDefaultMinimumObjectSize")),
    local=frozenset(("timeouts",)),
)

LOGGING = _configuration(
    "BucketLogging",
    Call(
        operation="PutBucketLogging",
        into="BucketLoggingStatus.LoggingEnabled",
        send=("targetBucket", "targetPrefix", "targetObjectKeyFormat", "targetGrants"),
    ),
    Read(operation="GetBucketLogging", select="LoggingEnabled"),
    Call(operation="PutBucketLogging", params={"BucketLoggingStatus": {}}),
    unsupported=frozenset(("expectedBucketOwner",)),
)

POLICY = _configuration(
    "BucketPolicy",
    Call(operation="PutBucketPolicy", send=("policy",)),
    Read(operation="GetBucketPolicy", select="Policy", at="Policy", absent=frozenset(("NoSuchBucketPolicy",))),
    Call(operation="DeleteBucketPolicy"),
    documents=frozenset(("policy",)),
)


class LifecycleConfiguration(Put):
    """AWS wants a filter in each rule; one without means every object."""

    def amend(self, scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        """Give rules without filter and prefix the filter that matches every object."""
        del scope
        for rule in params["LifecycleConfiguration"]["Rules"]:
            if "Prefix" not in rule and not rule.get("Filter"):
                rule["Filter"] = {"Prefix": ""}
        return params


class PublicAccessBlock(Put):
    """May be kept when its resource is deleted."""

    def delete(self, scope: Scope) -> None:
        """Remove the block unless `skipDestroy` says otherwise."""
        if not scope.lookup("skipDestroy"):
            super().delete(scope)


HANDLERS = (
    Bucket(BUCKET),
    PublicAccessBlock(PUBLIC_ACCESS_BLOCK),
    Put(OWNERSHIP_CONTROLS),
    Put(VERSIONING),
    Put(ENCRYPTION),
    LifecycleConfiguration(LIFECYCLE),
    Put(LOGGING),
    Put(POLICY),
)
