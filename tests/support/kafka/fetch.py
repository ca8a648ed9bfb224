"""Jars from the default Maven repository, in the environment that this folder's requirements.lock describes.

`fetch.py lock PYPROJECT LOCK` resolves `tool.jars.dependencies`; `fetch.py get LOCK FOLDER` downloads what a lock names
and refuses what has another SHA-256. A line of a lock is `group:artifact:version sha256`.
"""

import hashlib
import importlib
import shutil
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any

ATTEMPTS, SECONDS = 4, 60


def context(cache: Path) -> Any:
    """A client of the default repository that keeps what it gets in `cache`."""
    maven: Any = importlib.import_module("jgo.maven")  # of this environment, not of the project's
    return maven.MavenContext(repo_cache=cache, timeout=SECONDS)


def jar(maven: Any, coordinates: str) -> Path:
    """Download one jar."""
    artifact = maven.create_dependency(coordinates).artifact
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return Path(artifact.resolve())
        except Exception as error:
            if attempt == ATTEMPTS:
                raise RuntimeError(f"{coordinates} cannot be had: {error}") from error
            if (broken := artifact.cached_path) is not None:
                broken.unlink(missing_ok=True)
    raise AssertionError("unreachable")


def digest(file: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def lock(pyproject: Path, target: Path, cache: Path) -> None:
    """Resolve what is asked for, with all it needs at run time, and write down each jar with its digest."""
    maven = context(cache)
    asked = tomllib.loads(pyproject.read_text())["tool"]["jars"]["dependencies"]
    _, needed = maven.resolver.resolve([maven.create_dependency(each) for each in asked])
    needed = [d for d in needed if d.scope in {"compile", "runtime"} and not d.optional]
    every = sorted({*asked, *(f"{d.groupId}:{d.artifactId}:{d.version}" for d in needed)})
    target.write_text("".join(f"{each} {digest(jar(maven, each))}\n" for each in every))


def get(source: Path, folder: Path, cache: Path) -> None:
    """Put every jar that a lock names into a folder. Raises ValueError for one whose digest differs."""
    maven = context(cache)
    locked = dict(line.split() for line in source.read_text().splitlines())
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(jar, repeat(maven), locked))
    for (coordinates, expected), file in zip(locked.items(), found, strict=True):
        if (actual := digest(file)) != expected:
            raise ValueError(f"{coordinates}: SHA-256 is {actual}, the lock says {expected}; nothing was installed")
    folder.mkdir()
    for file in found:
        shutil.move(file, folder / file.name)


if __name__ == "__main__":
    verb, first, second = sys.argv[1:]
    with tempfile.TemporaryDirectory(dir=Path(second).parent) as temporary:
        {"lock": lock, "get": get}[verb](Path(first), Path(second), Path(temporary))
