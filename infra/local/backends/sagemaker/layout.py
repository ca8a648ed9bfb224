"""The `/opt/ml` folder of a job on this machine: inputs from S3 before, artifacts to S3 after."""

import gzip
import json
import shutil
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from infra.local.backends.members import Document, rows, section
from infra.local.backends.stores import Location, MissingBucketError, Objects, matches
from infra.local.runtime import User

CONTAINER_ROOT = "/opt/ml"


class InputError(Exception):
    """An input channel cannot be provided; the text is a failure reason as SageMaker words it."""


class Layout:
    """Folders of one job; `root` stands for `/opt/ml` and is named to the program by `SAGEMAKER_BASE_DIR`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.model = root / "model"
        self.output = root / "output"
        self.checkpoints = root / "checkpoints"
        self.scratch = root / "tmp"
        for folder in (
            root / "input" / "config",
            root / "input" / "data",
            self.model,
            self.output / "data",
            self.checkpoints,
            self.scratch,
        ):
            folder.mkdir(parents=True, exist_ok=True)

    def configure(self, request: Document) -> None:
        """Write the three files of `input/config`."""
        channels = {
            channel["ChannelName"]: {
                "TrainingInputMode": channel.get("InputMode")
                or request["AlgorithmSpecification"].get("TrainingInputMode", "File"),
                "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                    "S3DataDistributionType", "FullyReplicated"
                ),
                "RecordWrapperType": channel.get("RecordWrapperType", "None"),
                **({"ContentType": channel["ContentType"]} if channel.get("ContentType") else {}),
            }
            for channel in rows(request, "InputDataConfig")
        }
        instance_type = request["ResourceConfig"].get("InstanceType", "")
        resources = {
            "current_host": "algo-1",
            "current_instance_type": instance_type,
            "current_group_name": "homogeneousCluster",
            "hosts": ["algo-1"],
            "instance_groups": [
                {"instance_group_name": "homogeneousCluster", "instance_type": instance_type, "hosts": ["algo-1"]}
            ],
            "network_interface_name": "lo",
        }
        documents = {
            "hyperparameters": section(request, "HyperParameters"),
            "inputdataconfig": channels,
            "resourceconfig": resources,
        }
        for name, document in documents.items():
            (self.root / "input" / "config" / f"{name}.json").write_text(json.dumps(document))

    def download(self, channel: Document, objects: Objects, role: str) -> None:
        """Fill `input/data/<channel>`.

        Raises:
            InputError: there is nothing at the channel's URI.
        """
        uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
        where = Location.parse(uri)
        try:
            keys = objects.keys(where.bucket, where.prefix)
        except MissingBucketError:
            keys = []
        if not keys:
            raise InputError(
                f'ClientError: No S3 objects found under S3 URL "{uri}" given in input data source. '
                "Please ensure that the bucket exists in the selected region, that objects exist under that S3 prefix, "
                f'and that the role "{role}" has "s3:ListBucket" permissions on bucket "{where.bucket}".'
            )
        folder = self.root / "input" / "data" / channel["ChannelName"]
        copy_down(objects, where, keys, folder, unpack=channel.get("CompressionType") == "Gzip")

    def failure(self) -> str:
        """Text of `output/failure`, at most 1024 characters; empty when there is none."""
        try:
            return (self.output / "failure").read_text(errors="replace").strip()[:1024]
        except OSError:
            return ""

    def upload(self, objects: Objects, where: Location) -> str:
        """Put `model.tar.gz`, and `output.tar.gz` when there is output; the model's URI."""
        key = where.below("output", "model.tar.gz")
        objects.write(where.bucket, key, archive(self.model))
        if any((self.output / "data").iterdir()):
            objects.write(where.bucket, where.below("output", "output.tar.gz"), archive(self.output / "data"))
        return f"s3://{where.bucket}/{key}"

    def own(self, user: User | None) -> None:
        """Give the folders to the user that the program runs as."""
        if user is not None:
            for path in (self.root, *self.root.rglob("*")):
                shutil.chown(path, user.uid, user.gid)

    def inside(self, path: str) -> Path:
        """Folder that stands for a path of the container."""
        below = path.removeprefix(CONTAINER_ROOT).strip("/") if path.startswith(CONTAINER_ROOT) else path.strip("/")
        return self.root / below


def copy_down(objects: Objects, where: Location, keys: list[str], folder: Path, *, unpack: bool = False) -> None:
    """Write objects below `folder`, at their keys without the prefix."""
    folder.mkdir(parents=True, exist_ok=True)
    for key, relative in matches(where.prefix, keys):
        content = objects.read(where.bucket, key)
        if content is None:
            continue
        target = (folder / relative).resolve()
        if not target.is_relative_to(folder.resolve()):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if unpack and target.suffix == ".gz":
            target, content = target.with_suffix(""), gzip.decompress(content)
        target.write_bytes(content)


def copy_up(objects: Objects, where: Location, folder: Path, seen: dict[Path, tuple[int, int]]) -> None:
    """Put the files below `folder` that are new or changed since the last call with the same `seen`."""
    for path in sorted(folder.rglob("*")):
        try:
            if not path.is_file():
                continue
            stat = path.stat()
            state = (stat.st_mtime_ns, stat.st_size)
            if seen.get(path) == state:
                continue
            content = path.read_bytes()
        except OSError:  # removed by the program while we looked
            continue
        objects.write(where.bucket, where.below(str(path.relative_to(folder))), content)
        seen[path] = state


def archive(folder: Path) -> bytes:
    """A `.tar.gz` of a folder's content, its paths relative to the folder; the same content gives the same bytes."""
    raw = BytesIO()
    with (
        gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for path in sorted(folder.rglob("*")):
            tar.add(path, arcname=str(path.relative_to(folder)), recursive=False, filter=_plain)
    return raw.getvalue()


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime = 0
    return info


def unpack(content: bytes, folder: Path, problem: Callable[[str], Exception]) -> None:
    """Extract a `.tar.gz` safely; what cannot be read raises `problem(reason)`."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(fileobj=BytesIO(content), mode="r:gz") as tar:
            # Python before 3.11.4 knows no filters and ignores the attribute.
            tar.extraction_filter = getattr(tarfile, "data_filter", None)
            tar.extractall(folder)  # noqa: S202 - filtered where Python can
    except (tarfile.TarError, OSError, EOFError) as error:
        raise problem(str(error)) from error
