"""The machine that live backends compute on. moto makes backends without arguments, so there is one per process."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local.runtime import Supervisor

ROOT = Path(__file__).parents[3]
"""Repository root, which image folders are named below."""

REGION = "eu-west-1"
ACCOUNT = "123456789012"


@dataclass
class Machine:
    """Supervisor, endpoint and the things to do on the way down."""

    supervisor: Supervisor
    endpoint: str
    _closing: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def on_close(self, act: Callable[[], None]) -> None:
        """Call `act` before processes are stopped."""
        with self._lock:
            self._closing.append(act)

    def close(self) -> None:
        """Stop everything."""
        for act in self._closing:
            act()
        self.supervisor.close()

    def services(self) -> list[dict[str, Any]]:
        """What runs, as `infra.local.server.services` hands it out."""
        return [
            {"name": process.spec.name, "pid": process.pid, "address": process.spec.address or "", "state": "running"}
            for process in self.supervisor.running()
        ]

    def container_environment(self, region: str) -> dict[str, str]:
        """What AWS puts into a container so that its SDK finds region, service and role."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        }


_machine: list[Machine] = []


def open_machine(folder: Path, endpoint: str) -> Machine:
    """Make the machine of this process."""
    _machine[:] = [Machine(Supervisor(folder), endpoint)]
    return _machine[0]


def machine() -> Machine:
    """The machine of this process.

    Raises:
        RuntimeError: none was opened.
    """
    if not _machine:
        raise RuntimeError("no machine is open in this process")
    return _machine[0]


def dump(document: Any) -> str:
    """JSON as containers get it."""
    return json.dumps(document, default=str)
