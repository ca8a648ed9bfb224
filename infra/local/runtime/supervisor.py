"""The one owner of every process of the embedded AWS."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from infra.local.runtime import marks, scratch
from infra.local.runtime.addresses import Addresses
from infra.local.runtime.processes import Exit, Process, Spec
from infra.local.runtime.users import User


class Supervisor:
    """Starts processes, knows those that run, and leaves none behind.

    `folder` is the home of one embedded AWS; `logs/` and `processes/` are made below it. Leftovers of a server that
    was killed are stopped by its guard at once, or at the next start should the guard have been killed too.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.logs = self.folder / "logs"
        self.data = self.folder / "data"
        self.addresses = Addresses()
        self._records = self.folder / "processes"
        for path in (self.logs, self.data, self._records):
            path.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._running: dict[str, Process] = {}
        self._closed = False
        marks.sweep(self.folder)
        scratch.remove(self.folder)
        for path in self._records.glob("*.json"):
            path.unlink(missing_ok=True)
        # Without the mark: the guard must outlive its own sweep.
        self._guard = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "infra.local.runtime.guard", str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd=Path(__file__).parents[3],
        )

    def start(self, spec: Spec, on_exit: Callable[[Exit], None] | None = None) -> Process:
        """Start a process; `on_exit` is called once, on another thread, when it has ended.

        Raises:
            OSError: the program is missing or may not be run.
            RuntimeError: the supervisor is closed.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("the embedded AWS is stopping")
            marked = {**spec.environment, marks.MARK: str(self.folder)}
            process = Process(replace(spec, environment=marked))
            self._running[spec.name] = process
            marks.record(self._records, spec.name, process.pid)

        def ended(exit_: Exit) -> None:
            with self._lock:
                if self._running.get(spec.name) is process:
                    del self._running[spec.name]
                    marks.forget(self._records, spec.name)
            if on_exit is not None:
                on_exit(exit_)

        process.watch(ended)
        return process

    def folder_for(self, user: User | None, name: str) -> Path:
        """A new data folder that `user` owns and can reach: below `data/`, or else in the scratch folder."""
        reachable = user is None or user.reaches(self.data)
        folder = (self.data if reachable else scratch.make(self.folder)) / name
        folder.mkdir(parents=True)
        if user is not None:
            os.chown(folder, user.uid, user.gid)
        return folder

    def running(self) -> list[Process]:
        """What runs now, by name."""
        with self._lock:
            return [self._running[name] for name in sorted(self._running)]

    def close(self, grace: float = 5.0) -> None:
        """Stop everything, in parallel, within `grace` seconds and a few; nothing can be started afterwards."""
        with self._lock:
            self._closed = True
            processes = list(self._running.values())
        threads = [
            threading.Thread(target=process.stop, args=(min(grace, process.spec.grace),)) for process in processes
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(grace + 10.0)
        marks.sweep(self.folder)
        scratch.remove(self.folder)
        self.addresses.close()
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        self._guard.wait(15.0)

    @property
    def guard_pid(self) -> int:
        """Process that sweeps when this one is gone."""
        return self._guard.pid


def base_environment() -> dict[str, str]:
    """What every program gets from this machine: where programs and time zones are, and no more."""
    kept = ("LANG", "LC_ALL", "TZ", "SSL_CERT_FILE")
    return {
        "PATH": os.defpath.lstrip(":"),
        "LANG": "C.UTF-8",
        **{key: os.environ[key] for key in kept if key in os.environ},
    }
