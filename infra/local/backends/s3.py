"""S3 that reads a bucket policy closer to how S3 does.

moto stops at a statement for every principal when access logging is set up, and takes a statement with a condition for
one without: a policy that denies plain HTTP would deny everything.
"""

import json
from typing import Any, cast

import xmltodict
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.exceptions import InvalidTargetBucketForLogging
from moto.s3.models import FakeBucket, S3Backend, s3_backends
from moto.s3.responses import S3Response

_LOGGING_SERVICE = "logging.s3.amazonaws.com"


class LiveBucket(FakeBucket):
    """A bucket whose policy is enforced as far as it has no conditions; conditional statements are not evaluated."""

    def get_permission(self, action: str, resource: str) -> PermissionResult:
        """What the unconditional statements of the policy say."""
        document: dict[str, Any] = json.loads(self.policy) if self.policy else {"Statement": []}
        statements = [statement for statement in _many(document["Statement"]) if not statement.get("Condition")]
        if not statements:
            return PermissionResult.NEUTRAL
        return IAMPolicy(json.dumps({**document, "Statement": statements})).is_action_permitted(action, resource)


class LiveS3Response(S3Response):
    """One request; an object's tags may be replaced by none."""

    def _tagging_from_xml(self) -> dict[str, str]:
        tag_set = xmltodict.parse(self.body)["Tagging"].get("TagSet")
        return super()._tagging_from_xml() if tag_set else {}


class LiveS3(S3Backend):
    """Buckets whose logging target is checked against its whole policy."""

    @property
    def url_paths(self) -> dict[str, Any]:
        """moto's paths, answered by our response class."""
        return {path: getattr(LiveS3Response, handler.__name__) for path, handler in super().url_paths.items()}

    def create_bucket(self, bucket_name: str, region_name: str, bucket_namespace: str | None = None) -> LiveBucket:
        """Create a bucket; raises as moto does."""
        super().create_bucket(bucket_name, region_name, bucket_namespace)
        bucket = cast("LiveBucket", LiveBucket(bucket_name, self.account_id, region_name, bucket_namespace))
        self.buckets[bucket_name] = bucket
        return bucket

    def put_bucket_logging(self, bucket_name: str, logging_config: dict[str, Any]) -> None:
        """Set or, given nothing, remove a bucket's access logging.

        Raises:
            InvalidTargetBucketForLogging: the target bucket is missing, or its policy does not let S3 write there.
        """
        bucket = self.get_bucket(bucket_name)
        if not logging_config:
            bucket.logging = {}
            return
        target = self.buckets.get(logging_config["TargetBucket"])
        if target is None:
            raise InvalidTargetBucketForLogging("The target bucket for logging does not exist.")
        if not _takes_logs(target, logging_config.get("TargetPrefix") or ""):
            raise InvalidTargetBucketForLogging(
                "The policy of the target bucket does not let logging.s3.amazonaws.com put objects under the prefix"
            )
        bucket.logging = logging_config


LiveS3.__module__ = S3Backend.__module__  # moto derives the service's name from it


def _takes_logs(target: FakeBucket, prefix: str) -> bool:
    policy = target.policy
    statements = _many(json.loads(policy)["Statement"]) if policy else []
    wanted = {f"arn:{target.partition}:s3:::{target.name}/{prefix}*", f"arn:{target.partition}:s3:::{target.name}/*"}
    return any(
        statement.get("Effect") == "Allow"
        and isinstance(statement.get("Principal"), dict)
        and _LOGGING_SERVICE in _many(statement["Principal"].get("Service", []))
        and {"s3:PutObject", "s3:*"} & set(_many(statement.get("Action", [])))
        and wanted & set(_many(statement.get("Resource", [])))
        for statement in statements
    )


def _many(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def install() -> None:
    """Put it in place of moto's backend, before S3 is first used."""
    cast("Any", s3_backends).backend = LiveS3
