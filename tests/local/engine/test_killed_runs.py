"""A run that is killed anywhere is resumed by the next one, with nothing orphaned and nothing made twice."""

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine_stack import EngineStack

pytestmark = [pytest.mark.local, pytest.mark.timeout(240)]

ROOT = Path(__file__).parents[3]
SEED = 20240917
KILLED = -9
# Operation and program of each phase; every phase starts from what the one before leaves.
PHASES = [("up", "first"), ("up", "second"), ("destroy", "none")]
EXPECTED = {
    "first": ["base", "dependent", "dropped", "group-0", "grown", "renamed"],
    "second": ["base", "dependent", "group-0", "group-1", "grown", "renamed"],
    "none": [],
}


class Worker:
    """The warm process, see `tests.support.kill_worker`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.kill_worker"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, folder: Path, operation: str, program: str, kill: int = 0, parallel: int = 4) -> dict[str, Any]:
        """Run one operation in a child of the worker."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"folder": str(folder), "operation": operation, "program": program, "kill": kill}
        self._process.stdin.write(json.dumps(request | {"parallel": parallel}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    started = Worker()
    yield started
    started.close()


def converged(worker: Worker, folder: Path, operation: str, program: str) -> None:
    """The next run ends well, and the cloud, the record and the program agree."""
    outcome = worker.run(folder, f"{operation}+preview" if operation == "up" else operation, program)
    assert "results" in outcome, outcome
    assert outcome["warnings"] == [], outcome
    stack = EngineStack(folder)
    there = stack.cloud.resources()
    names = sorted(content["urn"].split("::")[-1] for content in there.values())
    assert names == EXPECTED[program]
    latest = stack.latest()
    assert not latest.get("pending_operations")
    assert not [resource for resource in latest["resources"] if resource.get("delete")]
    recorded = {entry["id"] for entry in latest["resources"] if entry["type"].startswith("dir:") and "id" in entry}
    assert recorded == there.keys()
    assert "canary" not in stack.file.read_text()
    assert not list((stack.backend / "engine").rglob("*.journal"))
    assert not list((stack.backend / ".pulumi" / "locks").rglob("*.json"))
    if operation == "up":
        planned = outcome["results"][1]
        assert {name: count for name, count in planned.items() if count and name != "same"} == {}


def before_phase(worker: Worker, folder: Path, phase: int) -> Path:
    """A folder as the phases before this one leave it."""
    folder.mkdir()
    for operation, program in PHASES[:phase]:
        assert "results" in worker.run(folder, operation, program)
    return folder


@pytest.mark.parametrize("phase", range(len(PHASES)), ids=["create", "change", "destroy"])
def test_a_run_killed_at_any_boundary_is_resumed(worker: Worker, tmp_path: Path, phase: int) -> None:
    operation, program = PHASES[phase]
    start = before_phase(worker, tmp_path / "start", phase)
    whole = shutil.copytree(start, tmp_path / "whole")
    total = worker.run(whole, operation, program)["boundaries"]
    assert total > 30
    killed = 0
    for kill in range(1, total + 1):
        folder = shutil.copytree(start, tmp_path / f"kill-{kill}")
        outcome = worker.run(folder, operation, program, kill=kill)
        killed += outcome["status"] == KILLED
        try:
            converged(worker, folder, operation, program)
        except AssertionError as problem:
            raise AssertionError(f"killed at boundary {kill} of {total} ({outcome['last']})") from problem
        shutil.rmtree(folder)
    # Threads meet boundaries in another order each time, so the very last ones may not be met.
    assert killed >= total - 3


def test_a_run_killed_again_and_again_still_gets_there(worker: Worker, tmp_path: Path) -> None:
    chance = random.Random(SEED)  # noqa: S311 - chooses where to kill
    start = before_phase(worker, tmp_path / "start", 1)
    for attempt in range(6):
        folder = shutil.copytree(start, tmp_path / f"attempt-{attempt}")
        kills = [chance.randint(1, 60) for _ in range(4)]
        for kill in kills:
            worker.run(folder, "up", "second", kill=kill)
        try:
            converged(worker, folder, "up", "second")
        except AssertionError as problem:
            raise AssertionError(f"killed at {kills}") from problem


def test_a_run_killed_while_creating_is_cleaned_up_by_destroy(worker: Worker, tmp_path: Path) -> None:
    for kill in range(5, 60, 6):
        folder = tmp_path / f"kill-{kill}"
        folder.mkdir()
        worker.run(folder, "up", "first", kill=kill)
        converged(worker, folder, "destroy", "none")
