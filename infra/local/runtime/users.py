"""The user that a process runs as."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class User:
    """A user and group to switch to before a program starts."""

    uid: int
    gid: int

    def reaches(self, path: Path) -> bool:
        """Whether every folder on the way to `path`, links followed, may be entered, and `path` itself read."""
        target = path.resolve()
        return all(self._may(folder, 0o1) for folder in target.parents) and self._may(target, 0o4)

    def _may(self, path: Path, bit: int) -> bool:
        try:
            stat = path.stat()
        except OSError:
            return False
        shift = 6 if stat.st_uid == self.uid else 3 if stat.st_gid == self.gid else 0
        return bool(stat.st_mode >> shift & bit)


def unprivileged() -> User | None:
    """`nobody` when this process is root; None (stay as we are) otherwise."""
    if os.geteuid() != 0:
        return None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return User(65534, 65534)
    return User(nobody.pw_uid, nobody.pw_gid)
