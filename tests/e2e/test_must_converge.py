"""Runs of the real command that are killed: the next one finishes the work, and in the end nothing of it is left."""

import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

pytestmark = [pytest.mark.local, pytest.mark.timeout(280)]

ROOT = Path(__file__).parents[2]
SEED = 20241105
KILLS = 3
CREATED = re.compile(r"^  \+ ")
DELETED = re.compile(r"^  - ")


@dataclass(frozen=True)
class Machine:
    """A home, a port and a temporary folder that nothing else uses."""

    home: Path
    temporary: Path
    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        added = {"MLP_HOME": str(self.home), "TMPDIR": str(self.temporary), "AWS_ENDPOINT_URL": self.endpoint}
        return {**os.environ, **added}

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """The command, begun."""
        return subprocess.Popen(
            [str(Path(sys.executable).parent / "mlp"), *arguments],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def mlp(self, *arguments: str) -> Any:
        """The document that the command prints; fails with its standard error."""
        process = self.start(*arguments, "--json")
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, err[-3000:]
        return json.loads(out)

    def killed(self, line: re.Pattern[str], count: int, *arguments: str) -> bool:
        """Run the command and kill it at the `count`-th line of progress of that form; whether it came so far."""
        process = self.start(*arguments)
        assert process.stdout is not None
        assert process.stderr is not None
        with process.stdout, process.stderr:
            for written in process.stderr:
                count -= bool(line.match(written))
                if count == 0:
                    process.kill()
                    break
            return process.wait(60) < 0

    def state(self) -> dict[str, Any]:
        """The deployment that the state file records."""
        path = self.home / "state" / ".pulumi" / "stacks" / "mlp" / "local.json"
        return json.loads(path.read_text())["checkpoint"]["latest"]

    def processes(self) -> list[str]:
        """Every living process that was started for this home."""
        found: list[str] = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("MLP_HOME") == str(self.home) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline()))
            except psutil.Error:
                continue
        return found


@pytest.fixture
def machine() -> Generator[Machine]:
    # Not below pytest's folder: the database's user may not enter it.
    with tempfile.TemporaryDirectory(prefix="mlp-test-") as folder, socket.socket() as probe:
        Path(folder).chmod(0o755)
        probe.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{probe.getsockname()[1]}"
        probe.close()
        made = Machine(Path(folder) / "home", Path(folder) / "tmp", endpoint)
        made.temporary.mkdir(mode=0o755)
        try:
            yield made
        finally:
            made.start("local", "stop").communicate(timeout=60)


def settled(machine: Machine) -> None:
    """The record, the cloud and the program agree: nothing orphaned, doubled, pending or missing."""
    state = machine.state()
    assert not state.get("pending_operations")
    assert not [each["urn"] for each in state["resources"] if each.get("delete")]
    recorded = json.dumps([each for each in state["resources"] if each["custom"]])
    inventory = machine.mlp("local", "inventory")
    names = [entry.split(" ", 1)[1] for entries in inventory.values() for entry in entries]
    unknown = [name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?!\w)", recorded)]
    assert unknown == []
    assert len(names) > 50
    for verb in (("preview",), ("refresh", "--yes")):
        changes = machine.mlp(*verb)["changes"]
        assert {kind: count for kind, count in changes.items() if count and kind != "same"} == {}, verb


def test_killed_deployments_are_finished_by_the_next_and_a_killed_destroy_leaves_nothing(machine: Machine) -> None:
    chance = random.Random(SEED)  # noqa: S311 - chooses where to kill
    moments = [chance.randint(1, 35) for _ in range(KILLS)]
    for moment in moments:
        assert machine.killed(CREATED, moment, "up", "--yes"), f"not killed; seed {SEED}: {moments}"
    assert machine.mlp("up", "--yes")["changes"]["create"] > 0
    settled(machine)

    assert machine.killed(DELETED, chance.randint(5, 60), "destroy", "--yes")
    machine.mlp("destroy", "--yes")
    assert machine.mlp("local", "inventory") == {}
    assert machine.state().get("resources", []) == []
    gone_by = time.monotonic() + 10
    while machine.processes() and time.monotonic() < gone_by:
        time.sleep(0.1)
    assert machine.processes() == []
    address = urlsplit(machine.endpoint)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname, address.port or 0), timeout=5)
    assert list(machine.temporary.iterdir()) == []
