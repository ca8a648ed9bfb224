"""S3: buckets, what is configured on them, and objects."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pulumi

from infra.local.errors import LocalError
from infra.local.provider.convert import Conversion
from infra.local.provider.handler import Handler, Put, Scope
from infra.local.provider.names import Name
from infra.local.provider.spec import Call, Read, Spec, Tagging

_MISSING = frozenset(("NoSuchBucket", "NoSuchKey", "404"))

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
    missing=_MISSING,
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
        missing=_MISSING,
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


_BODY = ("content", "contentBase64", "source")

OBJECT = Spec(
    type="aws:s3/bucketObjectv2:BucketObjectv2",
    service="s3",
    id="{bucket}/{key}",
    create=Call(operation="PutObject"),
    read=Read(operation="HeadObject", params={"Bucket": "{bucket}", "Key": "{key}"}),
    delete=Call(operation="DeleteObject", params={"Bucket": "{bucket}", "Key": "{key}"}),
    tags=Tagging(
        member="Tagging",
        read=Read(operation="GetObjectTagging", params={"Bucket": "{bucket}", "Key": "{key}"}, select="TagSet"),
        tag=Call(operation="PutObjectTagging"),
    ),
    name=Name("key", max=1024),
    exclusive=False,
    replace=frozenset(("bucket", "key")),
    rename={"kmsKeyId": "SSEKMSKeyId", "etag": "ETag", "websiteRedirect": "WebsiteRedirectLocation"},
    computed=frozenset(
        ("bucketKeyEnabled", "contentType", "etag", "kmsKeyId", "serverSideEncryption", "storageClass", "sourceHash")
    ),
    from_aws={"etag": lambda value: value.strip('"')},
    local=frozenset(("forceDestroy",)),
    handled=frozenset((*_BODY, "sourceHash")),
    unsupported=frozenset(
        (
            "acl",
            "etag",
            "checksumAlgorithm",
            "objectLockLegalHoldStatus",
            "objectLockMode",
            "objectLockRetainUntilDate",
            "overrideProvider",
        )
    ),
    outputs={"bucket": "{bucket}", "key": "{key}", "arn": "arn:{partition}:s3:::{id}"},
    missing=_MISSING,
)


def body_of(inputs: dict[str, Any]) -> bytes:
    """The bytes that an object's inputs stand for; LocalError when a file cannot be read."""
    if inputs.get("content") is not None:
        return str(inputs["content"]).encode()
    if inputs.get("contentBase64") is not None:
        return base64.b64decode(inputs["contentBase64"])
    source = inputs.get("source")
    if isinstance(source, pulumi.FileAsset):
        try:
            return Path(source.path).read_bytes()
        except OSError as error:
            raise LocalError(
                f"source: {source.path} cannot be read: {error.strerror}; give a file that exists"
            ) from error
    if isinstance(source, pulumi.StringAsset):
        return source.text.encode()
    if source is not None:
        raise LocalError("source: must be a file or text asset; fetch the address first and give its file")
    return b""


class BucketObject(Put):
    """An object's content is known by the tag S3 gave it when it was put."""

    def check(self, inputs: dict[str, Any], conversion: Conversion) -> None:
        """Content comes from one place."""
        given = [name for name in _BODY if inputs.get(name) is not None]
        if len(given) > 1:
            conversion.fail(given[1], f"stands beside {given[0]}; give one of {', '.join(_BODY)}")

    def amend(self, scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        """Add content and tags."""
        tags = {"Tagging": urlencode(scope.all_tags())} if scope.all_tags() else {}
        return {**params, "Body": body_of(scope.inputs), **tags}

    def creation_tags(self, scope: Scope) -> dict[str, Any]:
        """Tags go with the content."""
        del scope
        return {}

    def put_tags(self, scope: Scope, added: Mapping[str, str], removed: list[str]) -> None:
        """S3 takes the whole set at once."""
        del added, removed
        where = {"Bucket": scope.lookup("bucket"), "Key": scope.lookup("key")}
        pairs = [{"Key": key, "Value": value} for key, value in scope.all_tags().items()]
        if pairs:
            scope.call("PutObjectTagging", **where, Tagging={"TagSet": pairs})
        else:
            scope.call("DeleteObjectTagging", **where)

    def outputs(self, scope: Scope, item: dict[str, Any]) -> dict[str, Any]:
        """The object's properties; its content only while it is the one that was put."""
        before = scope.state.get("etag")
        result = super().outputs(scope, item)
        written = hashlib.md5(body_of(scope.inputs), usedforsecurity=False).hexdigest() if scope.inputs else None
        if result.get("etag") in {before, written} or not before:
            remembered = {**scope.state, **scope.inputs}
            result |= {name: remembered[name] for name in (*_BODY, "sourceHash") if remembered.get(name) is not None}
        return result

    def delete(self, scope: Scope) -> None:
        """Delete the object with all its versions."""
        bucket, key = scope.lookup("bucket"), scope.lookup("key")
        page = scope.call("ListObjectVersions", Bucket=bucket, Prefix=key)
        versions = [
            entry for entry in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())) if entry["Key"] == key
        ]
        for entry in versions:
            scope.call("DeleteObject", Bucket=bucket, Key=key, VersionId=entry["VersionId"])
        if not versions:
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
    BucketObject(OBJECT),
)
