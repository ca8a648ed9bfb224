"""The stack's lock, in the layout of Pulumi's file backend, so that the CLI and this engine keep each other out.

The CLI writes `.pulumi/locks/organization/<project>/<stack>/<uuid>.json` and refuses when it finds another one.
This engine does the same under an operating system lock of its own, which settles a race between two of its
processes: one wins, the other names the holder. A lock whose holder is dead is taken over.
"""

import fcntl
import getpass
import json
import os
import socket
import time
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from infra.local.engine.resources import now
from infra.local.errors import LocalError

# A process that has just won may not have written its name yet.
_NAME_WAIT_SECONDS = 2.0
# A process started this much after its lock was written is another one under the same number.
_CLOCK_SLACK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a stack: process, user, host, and since when (RFC 3339)."""

    pid: int
    user: str
    host: str
    since: str

    def alive(self) -> bool:
        """Whether the holder may still be at work; one on another host is taken to be."""
        if self.host != socket.gethostname():
            return True
        try:
            started = psutil.Process(self.pid).create_time()
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True
        return started <= _timestamp(self.since) + _CLOCK_SLACK_SECONDS

    def __str__(self) -> str:
        return f"process {self.pid} of {self.user} on {self.host}, since {self.since}"


def _timestamp(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return time.time()


@contextmanager
def locked(backend: Path, project: str, stack: str) -> Generator[None]:
    """Hold the stack while the block runs; raises LocalError naming the holder where another run has it."""
    folder = backend / ".pulumi" / "locks" / "organization" / project / stack
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder.parent / f".{stack}.flock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _held(stack, folder, _await_holder(folder)) from None
        _clear_dead(stack, folder)
        own = folder / f"{uuid.uuid4()}.json"
        _write(own)
        try:
            yield
        finally:
            own.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def holders(folder: Path) -> Iterator[tuple[Path, Holder]]:
    """Every lock in the folder with its holder; one being written this moment is skipped."""
    for path in sorted(folder.glob("*.json")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            content = json.loads(path.read_text())
            yield path, Holder(int(content["pid"]), content["username"], content["hostname"], content["timestamp"])


def _clear_dead(stack: str, folder: Path) -> None:
    for path, holder in holders(folder):
        # This process holds the operating system's lock, so a file in its own name is left over.
        if holder.alive() and holder.pid != os.getpid():
            raise _held(stack, folder, holder)
        path.unlink(missing_ok=True)


def _await_holder(folder: Path) -> Holder | None:
    deadline = time.monotonic() + _NAME_WAIT_SECONDS
    while time.monotonic() < deadline:
        for _, holder in holders(folder):
            if holder.alive():
                return holder
        time.sleep(0.02)
    return None


def _held(stack: str, folder: Path, holder: Holder | None) -> LocalError:
    who = str(holder) if holder else "a process that has not written its name"
    return LocalError(
        f"stack {stack} is being changed by {who}: wait for it to end, or stop it and try again "
        f"(a lock of a dead process is taken over; the lock lies in {folder})"
    )


def _write(path: Path) -> None:
    content = {"pid": os.getpid(), "username": _user(), "hostname": socket.gethostname(), "timestamp": now()}
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content))
    partial.replace(path)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
