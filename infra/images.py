"""The content hash of an image folder: the tag under which its image is known everywhere."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

_NOISE_FOLDERS = frozenset({".venv", "__pycache__", ".pytest_cache", ".ruff_cache"})
_NOISE_SUFFIXES = frozenset({".pyc", ".pyo"})
_TAG_LENGTH = 16  # hexadecimal digits: 64 bits of SHA-256


def content_tag(folder: Path) -> str:
    """The tag of the image built from `folder`: a digest of its files' names, modes and contents.

    Caches and environments (`.venv`, `__pycache__`) do not count. The order of the file system does not matter, and
    neither does where the folder lies. Raises FileNotFoundError when there is no Dockerfile in it.
    """
    if not (folder / "Dockerfile").is_file():
        raise FileNotFoundError(f"{folder} is no image folder: it has no Dockerfile")
    digest = hashlib.sha256()
    for path in sorted(_files(folder), key=lambda path: path.relative_to(folder).as_posix()):
        name = path.relative_to(folder).as_posix().encode()
        executable = b"x" if path.stat().st_mode & 0o100 else b"-"
        content = hashlib.sha256(path.read_bytes()).digest()
        digest.update(len(name).to_bytes(4, "big") + name + executable + content)
    return digest.hexdigest()[:_TAG_LENGTH]


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir():
            if path.name not in _NOISE_FOLDERS:
                yield from _files(path)
        elif path.suffix not in _NOISE_SUFFIXES:
            yield path
