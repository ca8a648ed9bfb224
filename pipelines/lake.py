"""Tables in the lake: the same rows are always the same bytes under the same key."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyarrow carries no types.

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow
import pyarrow.parquet as pq
from botocore.exceptions import ClientError
from pydantic import BaseModel

from pipelines import aws
from pipelines.aws import is_missing
from pipelines.progress import Progress, silent

_AT_ONCE = 1000


class Stored(BaseModel):
    """What the manifest remembers of an object."""

    sha256: str
    size: int


class Dataset(BaseModel):
    """A version of a workload's training data."""

    version: str
    """Content hash over names and bytes of the objects of its channels, 16 hexadecimal digits."""
    channels: dict[str, str]
    """`s3://` prefix by channel of the training job."""
    objects: dict[str, Stored]
    """Every object of the lake that belongs to it, by key: raw tables and channels."""


@dataclass(frozen=True)
class Tables:
    """What a workload computes: tables by object name (`month=2013-01/data.parquet`, …)."""

    raw: Mapping[str, pd.DataFrame]
    channels: Mapping[str, Mapping[str, pd.DataFrame]]


class Lake:
    """The lake bucket. Objects are encrypted as the bucket says."""

    def __init__(self, bucket: str) -> None:
        """`bucket` is `Storage.lake_bucket`."""
        self.bucket = bucket
        self._s3 = aws.s3()

    def find(self, workload: str, recipe: str) -> Dataset | None:
        """The dataset that was made by this recipe, if all of its objects are still there as they were written."""
        try:
            body = self._s3.get_object(Bucket=self.bucket, Key=_manifest_key(workload, recipe))["Body"].read()
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        dataset = Dataset.model_validate_json(body)
        there = self._sizes(f"raw/{workload}/") | self._sizes(f"training/{workload}/{dataset.version}/")
        return dataset if all(there.get(key) == each.size for key, each in dataset.objects.items()) else None

    def store(self, workload: str, recipe: str, tables: Tables, progress: Progress = silent) -> Dataset:
        """Write the tables, objects that are there already aside, and the manifest last."""
        raw = {f"raw/{workload}/{name}": parquet(table) for name, table in tables.raw.items()}
        named = {
            f"{channel}/{name}": parquet(table)
            for channel, parts in tables.channels.items()
            for name, table in parts.items()
        }
        version = content_hash(named)[:16]
        prefix = f"training/{workload}/{version}"
        bodies = raw | {f"{prefix}/{name}": body for name, body in named.items()}
        written = self._write(bodies, known=self._known(workload))
        progress("data", f"{written} of {len(bodies)} objects written to s3://{self.bucket}")
        dataset = Dataset(
            version=version,
            channels={channel: f"s3://{self.bucket}/{prefix}/{channel}/" for channel in tables.channels},
            objects={key: Stored(sha256=_sha256(body), size=len(body)) for key, body in bodies.items()},
        )
        document = json.dumps(dataset.model_dump(mode="json"), sort_keys=True).encode()
        self._s3.put_object(Bucket=self.bucket, Key=_manifest_key(workload, recipe), Body=document)
        return dataset

    def read(self, dataset: Dataset, channel: str) -> pd.DataFrame:
        """All rows of a channel, its objects in the order of their names."""
        prefix = dataset.channels[channel].removeprefix(f"s3://{self.bucket}/")
        keys = sorted(key for key in dataset.objects if key.startswith(prefix))
        parts = [self._s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys]
        return pd.concat([pq.read_table(io.BytesIO(part)).to_pandas() for part in parts], ignore_index=True)

    def _write(self, bodies: Mapping[str, bytes], known: Mapping[str, str]) -> int:
        written = 0
        for key, body in bodies.items():
            digest = _sha256(body)
            if known.get(key) == digest:
                continue
            self._s3.put_object(Bucket=self.bucket, Key=key, Body=body, Metadata={"sha256": digest})
            written += 1
        return written

    def _known(self, workload: str) -> dict[str, str]:
        """Digest by key of the objects under the workload's prefixes that this class wrote."""
        known: dict[str, str] = {}
        for prefix in (f"raw/{workload}/", f"training/{workload}/"):
            for key in self._sizes(prefix):
                metadata = self._s3.head_object(Bucket=self.bucket, Key=key)["Metadata"]
                known[key] = metadata.get("sha256", "")
        return known

    def _sizes(self, prefix: str) -> dict[str, int]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix, PaginationConfig={"PageSize": _AT_ONCE}
        )
        return {item.get("Key", ""): item.get("Size", -1) for page in pages for item in page.get("Contents", [])}


def parquet(table: pd.DataFrame) -> bytes:
    """The table as Parquet (zstd, instants in µs); the same table gives the same bytes with the same pyarrow."""
    sink = io.BytesIO()
    arrow: Any = pyarrow.Table.from_pandas(table, preserve_index=False)
    # Without pandas' metadata, which names library versions.
    pq.write_table(
        arrow.replace_schema_metadata(None), sink, compression="zstd", row_group_size=65_536, coerce_timestamps="us"
    )
    return sink.getvalue()


def content_hash(bodies: Mapping[str, bytes]) -> str:
    """SHA-256 over names and bytes in the order of the names, hexadecimal."""
    sha = hashlib.sha256()
    for name, body in sorted(bodies.items()):
        sha.update(f"{name}\0{len(body)}\0".encode() + body)
    return sha.hexdigest()


def by_month(table: pd.DataFrame, instants: "pd.Series[Any]") -> dict[str, pd.DataFrame]:
    """The rows of each calendar month of `instants`, named `month=YYYY-MM/data.parquet`."""
    months = instants.dt.strftime("%Y-%m")
    return {f"month={month}/data.parquet": rows for month, rows in table.groupby(months, sort=True)}


def _manifest_key(workload: str, recipe: str) -> str:
    return f"manifests/{workload}/{recipe}.json"


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
