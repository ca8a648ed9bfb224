"""A folder outside the home, for programs whose user may not enter the home."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from infra.local.errors import LocalError


def scratch(cloud: Path) -> Path:
    """Where the scratch folder of `cloud` lies; it exists only while it is used."""
    digest = hashlib.sha256(str(cloud).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"mlp-{digest}"


def make(cloud: Path) -> Path:
    """The scratch folder, made if need be; others may enter it and not write.

    Raises:
        LocalError: something that is not ours has its name.
    """
    folder = scratch(cloud)
    folder.mkdir(mode=0o755, exist_ok=True)
    stat = folder.lstat()
    if folder.is_symlink() or stat.st_uid != os.geteuid():
        raise LocalError(f"{folder} belongs to somebody else: remove it, or set TMPDIR to another folder")
    folder.chmod(0o755)
    return folder


def remove(cloud: Path) -> None:
    """Remove the scratch folder and what it holds."""
    folder = scratch(cloud)
    if folder.is_dir() and not folder.is_symlink() and folder.lstat().st_uid == os.geteuid():
        shutil.rmtree(folder, ignore_errors=True)
