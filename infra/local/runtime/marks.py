"""Which processes on this machine are ours: told by a mark in their environment and by their start time.

A pid alone says nothing, as it is reused. The mark is inherited, so it also finds a worker whose parent is gone.
"""

import json
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

MARK = "MLP_LOCAL_CLOUD"
"""Environment variable that every process of ours carries: the folder of the embedded AWS it belongs to."""


def record(folder: Path, name: str, pid: int) -> None:
    """Write down that `pid`, as it runs now, is ours."""
    try:
        started = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return
    (folder / f"{name}.json").write_text(json.dumps({"pid": pid, "started": started}))


def forget(folder: Path, name: str) -> None:
    """Drop the record of a process that is gone."""
    (folder / f"{name}.json").unlink(missing_ok=True)


def ours(cloud: Path) -> list[psutil.Process]:
    """Every living process that carries the mark of `cloud` or is recorded there with its start time."""
    found = {process.pid: process for process in psutil.process_iter() if _marked(process, cloud)}
    for path in (cloud / "processes").glob("*.json"):
        try:
            written = json.loads(path.read_text())
            process = psutil.Process(written["pid"])
            # The kernel counts start times in clock ticks, psutil adds the boot time: equal to a hundredth.
            if abs(process.create_time() - written["started"]) < 0.05:
                found[process.pid] = process
        except (psutil.NoSuchProcess, ValueError, KeyError, OSError):
            continue
    found.pop(os.getpid(), None)
    return list(found.values())


def sweep(cloud: Path, *, grace: float = 0.0) -> int:
    """Stop everything that is ours: TERM, `grace` seconds, KILL; the number of processes that were found."""
    leftovers = ours(cloud)
    if not leftovers:
        return 0
    if grace > 0:
        _signal(leftovers, signal.SIGTERM)
        psutil.wait_procs(leftovers, timeout=grace)
    # A process may be forking while we look: look again until nothing is left.
    deadline = time.monotonic() + 5.0
    while (alive := ours(cloud)) and time.monotonic() < deadline:
        _signal(alive, signal.SIGKILL)
        psutil.wait_procs(alive, timeout=1.0)
    return len(leftovers)


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def _marked(process: psutil.Process, cloud: Path) -> bool:
    try:
        return process.environ().get(MARK) == str(cloud) and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False
