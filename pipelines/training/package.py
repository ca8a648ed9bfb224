"""The code channel of a job: a folder as one archive whose bytes depend on nothing but the files' names and content."""

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

from botocore.exceptions import ClientError

from pipelines import aws
from pipelines.aws import is_missing, split_uri
from pipelines.errors import PipelineError

ARCHIVE = "sourcedir.tar.gz"
"""The name that the training container unpacks."""

LEFT_OUT = ("__pycache__", ".venv", ".pytest_cache", ".ruff_cache")


def pack(folder: Path) -> bytes:
    """The folder's files as a gzipped tar archive: sorted, without owners and times, executable or not.

    Raises PipelineError when the folder holds no file.
    """
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part in LEFT_OUT for part in path.relative_to(folder).parts)
    )
    if not paths:
        raise PipelineError(f"{folder} holds no file: a workload's code folder must hold its training script")
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in paths:
            body = path.read_bytes()
            entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
            entry.size = len(body)
            entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            archive.addfile(entry, io.BytesIO(body))
    return gzip.compress(plain.getvalue(), mtime=0)


def upload(folder: Path, prefix: str) -> str:
    """Put the packed folder below an `s3://` prefix, under its content hash, once; the channel's `s3://` prefix."""
    body = pack(folder)
    bucket, key = split_uri(f"{prefix.rstrip('/')}/{hashlib.sha256(body).hexdigest()[:32]}/")
    s3 = aws.s3()
    try:
        s3.head_object(Bucket=bucket, Key=key + ARCHIVE)
    except ClientError as error:
        if not is_missing(error):
            raise
        s3.put_object(Bucket=bucket, Key=key + ARCHIVE, Body=body)
    return f"s3://{bucket}/{key}"
