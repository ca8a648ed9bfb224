"""An image is a folder: its Dockerfile says what to start, its `requirements.lock` what to start it with."""

import fcntl
import hashlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import uv
from dockerfile_parse import DockerfileParser

from infra.local.runtime.supervisor import base_environment
from infra.local.runtime.users import User

_LOCK = "requirements.lock"
_ENVIRONMENT = ".venv"
_STAMP = ".mlp-lock-hash"


class ImageError(Exception):
    """The folder is no usable image; the text says why, in one sentence, for the reason field of a job or a task."""


@dataclass(frozen=True)
class Image:
    """What a Dockerfile says about starting a program, with its WORKDIR standing for the image's folder."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    user: str | None = None
    workdir: str = "/"

    @classmethod
    def read(cls, folder: Path) -> "Image":
        """Parse `<folder>/Dockerfile`; of several build stages the last one counts.

        Raises:
            ImageError: the folder or its Dockerfile is missing.
        """
        path = folder / "Dockerfile"
        if not path.is_file():
            raise ImageError(f"image folder {folder} holds no Dockerfile")
        file: Any = BytesIO(path.read_bytes())  # the parser reads bytes
        parser = DockerfileParser(fileobj=file)
        environment = {key: str(value) for key, value in parser.envs.items()}
        said: dict[str, str] = {}
        for instruction in parser.structure:
            name, value = str(instruction["instruction"]), str(instruction["value"])
            if name == "FROM":
                said.clear()
            elif name in ("ENTRYPOINT", "CMD", "USER", "WORKDIR"):
                said[name] = value
        return cls(
            folder=folder,
            environment=environment,
            entrypoint=_arguments(said.get("ENTRYPOINT", "")),
            command=_arguments(said.get("CMD", "")),
            user=said.get("USER"),
            workdir=said.get("WORKDIR", "/"),
        )

    def arguments(self, command: Sequence[str] | None = None, entrypoint: Sequence[str] | None = None) -> list[str]:
        """Command line as a container engine puts it together: entry point, then `command` or else CMD."""
        return [
            self._here(part)
            for part in (
                *(self.entrypoint if entrypoint is None else entrypoint),
                *(self.command if command is None else command),
            )
        ]

    def settings(self, extra: Mapping[str, str]) -> dict[str, str]:
        """Environment of a program: this machine's, the Dockerfile's, `extra`; the folder's own programs come first."""
        own = {key: self._here(value) for key, value in self.environment.items() if key != "PATH"}
        base = base_environment()
        programs = f"{self.folder / _ENVIRONMENT / 'bin'}:{self.folder}:{base['PATH']}"
        return {"PYTHONUNBUFFERED": "1", **base, **own, **extra, "PATH": programs}

    def user_among(self, unprivileged: User | None) -> User | None:
        """The unprivileged user where we are root, the Dockerfile names a user and files are reachable; or None."""
        if unprivileged is None or self.user in (None, "", "root", "0"):
            return None
        interpreter = self.folder / _ENVIRONMENT / "bin" / "python"
        return (
            unprivileged
            if unprivileged.reaches(interpreter) and unprivileged.reaches(self.folder / "Dockerfile")
            else None
        )

    def _here(self, value: str) -> str:
        root = self.workdir.rstrip("/")
        if not root:
            return value
        if value == root or value.startswith(f"{root}/"):
            return f"{self.folder}{value[len(root) :]}"
        return value


def prepare(folder: Path, on_progress: Callable[[str], None] = lambda _: None) -> Path:
    """Make `<folder>/.venv` hold exactly what `requirements.lock` names; done once per lock, whoever asks.

    Returns the environment. A folder without a lock gets an empty environment.

    Raises:
        ImageError: uv refuses; the text ends with what uv said.
    """
    lock = folder / _LOCK
    environment = folder / _ENVIRONMENT
    wanted = _fingerprint(lock)
    stamp = environment / _STAMP
    with _alone(folder):
        if stamp.is_file() and stamp.read_text() == wanted:
            return environment
        on_progress(f"building the environment of {folder.name}")
        _uv("venv", "--clear", "--no-project", "--python", sys.executable, str(environment))
        if lock.is_file():
            _uv("pip", "sync", "--python", str(environment / "bin" / "python"), "--require-hashes", str(lock))
        stamp.write_text(wanted)
        on_progress(f"environment of {folder.name} is ready")
    return environment


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    # The folder itself carries the lock: nothing to clean up, and the kernel frees it with its holder.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _fingerprint(lock: Path) -> str:
    content = lock.read_bytes() if lock.is_file() else b""
    return hashlib.sha256(content + sys.version.encode()).hexdigest()


def _uv(*arguments: str) -> None:
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}
    environment.pop("VIRTUAL_ENV", None)
    done = subprocess.run(  # noqa: S603 - our own uv with our arguments
        [uv.find_uv_bin(), *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        cwd=Path(arguments[-1]).parent,
    )
    if done.returncode != 0:
        raise ImageError(f"uv {arguments[0]} failed: {' '.join(done.stderr.split())[-400:]}")


def _arguments(value: str) -> list[str]:
    """Exec form (a JSON list) as it stands; shell form through a shell, as a container engine does."""
    if not value:
        return []
    if value.startswith("["):
        try:
            return [str(part) for part in json.loads(value)]
        except ValueError as error:
            raise ImageError(f"not a JSON list of strings: {value}") from error
    if any(character in value for character in "$&|;<>*`\"'"):
        return ["/bin/sh", "-c", value]
    return shlex.split(value)
