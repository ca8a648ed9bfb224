"""One supervised process: its own session, its output pumped to a log file and to a callback, its end awaited."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from infra.local.runtime.users import User


@dataclass(frozen=True)
class Spec:
    """What to run.

    `name` is unique among the running processes of a server and safe as a file name. `environment` is the whole
    environment of the process. `on_line` gets every line of output, without its line end, on a thread of its own.
    `grace` is seconds from SIGTERM to SIGKILL.
    """

    name: str
    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    log: Path
    user: User | None = None
    on_line: Callable[[str], None] | None = None
    grace: float = 10.0
    address: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM


@dataclass(frozen=True)
class Exit:
    """How a process ended: `code` as a shell says it (128 + number for a signal), and whether we asked for it."""

    code: int
    asked: bool


@dataclass
class Process:
    """A running or ended process."""

    spec: Spec
    started_at: float = field(default_factory=time.time)
    exit: Exit | None = None

    def __post_init__(self) -> None:
        self.spec.log.parent.mkdir(parents=True, exist_ok=True)
        self._ended = threading.Event()
        self._asked = False
        self._reaped = False
        self._lock = threading.Lock()
        user = self.spec.user
        self._popen = subprocess.Popen(  # noqa: S603 - running programs is what this module is for
            list(self.spec.command),
            cwd=self.spec.folder,
            env=dict(self.spec.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[] if user else None,
        )
        self._pump = threading.Thread(target=self._copy_output, name=f"output {self.spec.name}", daemon=True)

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its session and group."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.exit is None

    def watch(self, on_exit: Callable[[Exit], None]) -> None:
        """Begin to pump output and call `on_exit` once, on a thread of its own, when the process has ended."""
        self._pump.start()
        threading.Thread(target=self._await_end, args=(on_exit,), name=f"end {self.spec.name}", daemon=True).start()

    def wait(self, timeout: float | None = None) -> Exit | None:
        """The exit, its output pumped and its callback run; None when `timeout` seconds passed first."""
        self._ended.wait(timeout)
        return self.exit if self._ended.is_set() else None

    def stop(self, grace: float | None = None) -> Exit:
        """Ask the group to end, and kill it after `grace` seconds (the spec's, when left out)."""
        self._signal(self.spec.stop_signal, asked=True)
        if not self._ended.wait(self.spec.grace if grace is None else grace):
            self._signal(signal.SIGKILL, asked=True)
        ended = self.wait(10.0)
        return ended or Exit(128 + signal.SIGKILL, asked=True)

    def kill(self) -> None:
        """SIGKILL to the whole group, at once."""
        self._signal(signal.SIGKILL, asked=True)

    def _signal(self, number: signal.Signals, *, asked: bool) -> None:
        with self._lock:
            self._asked = self._asked or asked
            # Once the leader is reaped its id may belong to somebody else.
            if not self._reaped:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, number)

    def _await_end(self, on_exit: Callable[[Exit], None]) -> None:
        # The leader stays a zombie, and its id ours, until the group it leaves behind is gone, as in a container.
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        self._signal(signal.SIGKILL, asked=False)
        with self._lock:
            status = self._popen.wait()
            self._reaped = True
            asked = self._asked
        self._pump.join(5.0)
        self.exit = Exit(status if status >= 0 else 128 - status, asked)
        try:
            on_exit(self.exit)
        finally:
            self._ended.set()

    def _copy_output(self) -> None:
        stream = self._popen.stdout
        if stream is None:
            return
        with stream, self.spec.log.open("ab", buffering=0) as log:
            for line in _lines(stream):
                log.write(line + b"\n")
                if self.spec.on_line is not None:
                    with contextlib.suppress(Exception):  # a full log service must not stop the program that logs
                        self.spec.on_line(line.decode("utf-8", "replace"))


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines without their ends; one longer than 256 KiB, CloudWatch's limit of an event, is cut in pieces."""
    while line := stream.readline(256 * 1024):
        yield line.rstrip(b"\r\n")
