"""S3, CloudWatch and CloudWatch Logs of the embedded AWS, used in process by the live backends.

They are imported when first used, so a server that is asked for nothing of the kind starts without them.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from moto.core.utils import utcnow

_log_lock = threading.Lock()


@dataclass(frozen=True)
class Location:
    """A bucket and a key prefix."""

    bucket: str
    prefix: str

    @classmethod
    def parse(cls, uri: str) -> "Location":
        """Split `s3://bucket/prefix`.

        Raises:
            ValueError: not an S3 URI.
        """
        scheme, _, rest = uri.partition("://")
        bucket, _, prefix = rest.partition("/")
        if scheme not in ("s3", "s3a") or not bucket:
            raise ValueError(f"not an S3 URI: {uri!r}")
        return cls(bucket, prefix)

    def below(self, *parts: str) -> str:
        """Key of something under this prefix."""
        return "/".join([part for part in (self.prefix.strip("/"), *parts) if part])


class MissingBucketError(LookupError):
    """The bucket does not exist."""


class Objects:
    """Objects of one account's buckets."""

    def __init__(self, account: str) -> None:
        from moto.s3.models import s3_backends  # noqa: PLC0415 - see the module's docstring

        self._backend = s3_backends[account]["aws"]

    def keys(self, bucket: str, prefix: str) -> list[str]:
        """Keys that begin with `prefix`, sorted; folder markers left out.

        Raises:
            MissingBucketError: no such bucket.
        """
        return sorted(
            key for key in list(self._bucket(bucket).keys.keys()) if key.startswith(prefix) and not key.endswith("/")
        )

    def read(self, bucket: str, key: str) -> bytes | None:
        """Content of an object, None when there is none."""
        self._bucket(bucket)
        found = self._backend.get_object(bucket, key)
        return None if found is None else found.value

    def write(self, bucket: str, key: str, content: bytes) -> None:
        """Put an object.

        Raises:
            MissingBucketError: no such bucket.
        """
        self._bucket(bucket)
        self._backend.put_object(bucket, key, content)

    def _bucket(self, name: str) -> Any:
        found = self._backend.buckets.get(name)
        if found is None:
            raise MissingBucketError(f"The specified bucket does not exist: {name}")
        return found


class LogStream:
    """A stream of CloudWatch Logs, its group made when it is missing and `create_group` says so."""

    def __init__(self, account: str, region: str, group: str, stream: str, *, create_group: bool = True) -> None:
        from moto.logs.models import logs_backends  # noqa: PLC0415 - see the module's docstring

        self.group, self.stream = group, stream
        self._backend = logs_backends[account][region]
        with _log_lock:
            if group not in self._backend.groups and create_group:
                self._backend.create_log_group(group, {})
                service_groups.add((account, region, group))
            if group in self._backend.groups and stream not in self._backend.groups[group].streams:
                self._backend.create_log_stream(group, stream)

    @property
    def exists(self) -> bool:
        """Whether the stream is there; False when its group was missing."""
        group = self._backend.groups.get(self.group)
        return group is not None and self.stream in group.streams

    def write(self, line: str) -> None:
        """Append an event that happened now; a group deleted meanwhile takes its events with it."""
        if not line:
            return
        event = {"timestamp": int(time.time() * 1000), "message": line}
        with _log_lock:
            group = self._backend.groups.get(self.group)
            if group is not None and self.stream in group.streams:
                self._backend.put_log_events(self.group, self.stream, [event])


service_groups: set[tuple[str, str, str]] = set()
"""Log groups that a service made on its own: they stay behind on AWS too, so they are no inventory."""


class Metrics:
    """CloudWatch metrics of one region."""

    def __init__(self, account: str, region: str) -> None:
        from moto.cloudwatch.models import cloudwatch_backends  # noqa: PLC0415 - see the module's docstring

        self._backend = cloudwatch_backends[account][region]

    def put(
        self, namespace: str, name: str, values: Mapping[float, int], dimensions: Mapping[str, str], unit: str
    ) -> None:
        """Add values with their counts, as of now."""
        self._backend.put_metric_data(
            namespace,
            [
                {
                    "MetricName": name,
                    "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
                    "Values": list(values),
                    "Counts": list(values.values()),
                    "Timestamp": utcnow().replace(microsecond=0),
                    "Unit": unit,
                }
            ],
        )


def matches(relative_to: str, keys: list[str]) -> Iterator[tuple[str, str]]:
    """Pairs of key and path below a channel folder, as SageMaker lays out an `S3Prefix`.

    The prefix up to its last slash is cut; when it names a folder, so is the folder.
    """
    folder = relative_to if relative_to.endswith("/") or not relative_to else f"{relative_to}/"
    base = relative_to[: relative_to.rfind("/") + 1]
    for key in keys:
        yield key, key[len(folder) :] if key.startswith(folder) else key[len(base) :]
