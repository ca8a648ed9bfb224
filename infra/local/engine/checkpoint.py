"""The state file: Pulumi's checkpoint version 3 in the file backend's layout, read, checked and replaced atomically."""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from infra.local.engine.resources import now
from infra.local.errors import LocalError

VERSION = 3
_DISK_FULL = "the state file {path} could not be written ({reason}): free disk space and run the command again"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the file holds; `digest` identifies its bytes and is empty where there is no file."""

    resources: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    pending: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    salt: str | None = None
    digest: str = ""
    extra: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Files:
    """Where one stack's files lie under a backend's root.

    `checkpoint` is the file that the CLI reads too; `own` holds what only this engine uses: the journal of the run in
    progress, the identity of the cloud, kept-aside states and the log of unexpected errors.
    """

    backend: Path
    project: str
    stack: str

    @property
    def checkpoint(self) -> Path:
        """The state file."""
        return self.backend / ".pulumi" / "stacks" / self.project / f"{self.stack}.json"

    @property
    def own(self) -> Path:
        """The folder of this engine's own files."""
        return self.backend / "engine" / self.project

    @property
    def journal(self) -> Path:
        """Operations since the state file was last written; absent between runs."""
        return self.own / f"{self.stack}.journal"

    @property
    def cloud(self) -> Path:
        """The identity of the cloud that the state describes."""
        return self.own / f"{self.stack}.cloud"

    @property
    def log(self) -> Path:
        """Tracebacks of unexpected errors."""
        return self.own / f"{self.stack}.log"

    def aside(self, reason: str) -> Path:
        """A free name for a state or journal that is put aside."""
        stamp = now().replace(":", "").replace("-", "")
        return self.own / f"{self.stack}-{reason}-{stamp}.json"


def digest(content: bytes) -> str:
    """The identity of a file's bytes."""
    return hashlib.sha256(content).hexdigest()


def read(files: Files) -> Checkpoint:
    """The state file's content; an absent file is an empty stack.

    Raises LocalError for a file that is not a checkpoint of version 3; the file stays as it is and a copy is kept.
    """
    path = files.checkpoint
    if not path.exists():
        compressed = [other.name for other in path.parent.glob(f"{path.name}.*") if other.suffix in {".gz", ".zst"}]
        if compressed:
            raise LocalError(
                f"the state is compressed ({path.parent / compressed[0]}): decompress it to {path.name}, "
                "and leave PULUMI_DIY_BACKEND_GZIP unset"
            )
        return Checkpoint()
    content = path.read_bytes()
    try:
        return _parse(content)
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        kept = files.own / f"{files.stack}-corrupt-{digest(content)[:12]}.json"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, kept)
        backup = path.with_name(f"{path.name}.bak")
        way = f"copy {backup} (the state before) over it" if backup.exists() else "put a good copy in its place"
        raise LocalError(
            f"the state file {path} is not a Pulumi checkpoint ({problem}); nothing was changed, and a copy was kept "
            f"as {kept}: {way}, or, if its resources are gone, remove it to start anew"
        ) from None


def _parse(content: bytes) -> Checkpoint:
    parsed: Any = json.loads(content)
    if not isinstance(parsed, dict):
        raise TypeError("it is not a JSON object")
    document = cast("dict[str, Any]", parsed)
    if document.get("version") != VERSION:
        raise ValueError(f"its version is {document.get('version')!r}, this engine reads version {VERSION}")
    latest: dict[str, Any] = document["checkpoint"].get("latest") or {}
    secrets: dict[str, Any] = latest.get("secrets_providers") or {}
    kind = secrets.get("type", "passphrase")
    if kind not in {"passphrase", ""}:
        raise ValueError(f"its secrets provider is {kind!r}, this engine reads 'passphrase'")
    resources: list[dict[str, Any]] = latest.get("resources") or []
    for resource in resources:
        if not {"urn", "type", "custom"} <= resource.keys():
            raise ValueError(f"a resource lacks one of urn, type, custom: it has {', '.join(sorted(resource))}")
    return Checkpoint(
        resources=resources,
        pending=latest.get("pending_operations") or [],
        salt=cast("dict[str, str]", secrets.get("state") or {}).get("salt"),
        digest=digest(content),
        extra={key: value for key, value in latest.items() if key not in _OWN_KEYS},
    )


_OWN_KEYS = {"manifest", "secrets_providers", "resources", "pending_operations"}


def render(files: Files, checkpoint: Checkpoint) -> bytes:
    """The file's bytes; the manifest's magic is the SHA-256 of its version, as the CLI checks it."""
    engine = f"v{version('pulumi')}"
    latest: dict[str, Any] = {
        "manifest": {"time": now(), "magic": digest(engine.encode()), "version": engine},
        "secrets_providers": {"type": "passphrase", "state": {"salt": checkpoint.salt}},
        "resources": checkpoint.resources,
        "metadata": {},
        **checkpoint.extra,
    }
    if checkpoint.pending:
        latest["pending_operations"] = checkpoint.pending
    body = {"stack": f"organization/{files.project}/{files.stack}", "latest": latest}
    document = {"version": VERSION, "checkpoint": body}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def write(files: Files, content: bytes) -> None:
    """Replace the state file, the one before kept as `.bak` as the CLI does; raises LocalError on a full disk."""
    path = files.checkpoint
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _ensure_layout(files.backend)
        if path.exists():
            backup = path.with_name(f"{path.name}.bak")
            partial = path.with_name(f".{path.name}.bak.partial")
            partial.unlink(missing_ok=True)
            os.link(path, partial)
            partial.replace(backup)
        replace(path, content)
    except OSError as problem:
        raise LocalError(_DISK_FULL.format(path=path, reason=problem.strerror or problem)) from problem


def replace(path: Path, content: bytes) -> None:
    """Put `content` at `path` so that a reader, or a machine that stops, sees the old or the new file, never a part."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cloud_is_gone(files: Files, cloud_id: str) -> bool:
    """Whether the state describes another cloud than this one; a state of unknown cloud is taken to be of this one."""
    known = files.cloud.read_text().strip() if files.cloud.exists() else ""
    return bool(known) and known != cloud_id


def bind(files: Files, cloud_id: str) -> Path | None:
    """Make the state one of this cloud: that of another is put aside, with what was pending; the path it is kept at."""
    gone, kept = cloud_is_gone(files, cloud_id), None
    if gone and files.checkpoint.exists():
        kept = files.aside("gone-cloud")
        files.checkpoint.replace(kept)
    if gone:
        files.journal.unlink(missing_ok=True)
    if gone or not files.cloud.exists():
        files.own.mkdir(parents=True, exist_ok=True)
        replace(files.cloud, cloud_id.encode())
    return kept


def _ensure_layout(backend: Path) -> None:
    """Mark the backend as having stacks per project, which is version 1 of the CLI's layout."""
    meta = backend / ".pulumi" / "meta.yaml"
    if not meta.exists():
        replace(meta, b"version: 1\n")
