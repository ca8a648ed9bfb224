"""S3: objects."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pulumi

from infra.local.errors import LocalError
from infra.local.provider.convert import Conversion
from infra.local.provider.handler import Put, Scope
from infra.local.provider.names import Name
from infra.local.provider.services.s3 import MISSING
from infra.local.provider.spec import Call, Read, Spec, Tagging

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
    missing=MISSING,
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


HANDLERS = (BucketObject(OBJECT),)
