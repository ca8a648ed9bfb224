"""A warm process that runs one engine operation per request in a forked child, and kills it where it is told to.

Requests and answers are JSON lines on stdin and stdout. A request names a folder, a program of `PROGRAMS`, an
operation (or some, joined by `+`), and `kill`: the boundary at which the child kills itself with SIGKILL (0: none).
Boundaries are counted in the order they are met: before and after every provider call, inside it once the cloud has
changed and the answer is not given, and before and after every write of the journal and of the state file; a journal
line is also torn. The answer holds the child's exit `status` (negative: the signal), the number of `boundaries` it
met, the `last` of them, and the `results` or the `error` of runs that ended.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi

from infra.local.engine import checkpoint, passphrase, state
from infra.local.errors import LocalError
from tests.support.directory_cloud import Group, Item
from tests.support.engine_stack import EngineStack

Options = pulumi.ResourceOptions


def first() -> None:
    """Six items: a chain, a component's children, one to be dropped."""
    base = Item("base", {"key": "x", "secret": pulumi.Output.secret("canary")})
    dependent = Item("dependent", {"key": base.arn})
    Item("grown", {"size": 1, "links": [dependent.arn]})
    Item("renamed", {"name": "before"})
    Item("dropped", {"links": [base.arn]})
    Group("group", 1)


def second() -> None:
    """The same with an update, both kinds of replacement (one with a dependent), a deletion and a creation."""
    base = Item("base", {"key": "y", "secret": pulumi.Output.secret("canary")})
    dependent = Item("dependent", {"key": base.arn})
    Item("grown", {"size": 2, "links": [dependent.arn]})
    Item("renamed", {"name": "after"})
    Group("group", 2)


PROGRAMS: dict[str, Callable[[], None]] = {"first": first, "second": second, "none": lambda: None}


class Boundaries:
    """Counts boundaries and kills the process at one of them."""

    def __init__(self, kill: int, log: Path) -> None:
        self._kill = kill
        self._log = os.open(log, os.O_WRONLY)
        self._count = 0
        self._lock = threading.Lock()

    def __call__(self, label: str, die: Callable[[], None] = lambda: None) -> None:
        with self._lock:
            self._count += 1
            os.pwrite(self._log, json.dumps([self._count, label]).ljust(200).encode(), 0)
            if self._count == self._kill:
                die()
                os.kill(os.getpid(), signal.SIGKILL)


def watch_writes(boundary: Boundaries) -> None:
    """Put boundaries around every write of the journal and of the state file, in this process."""
    append, write = state.State._append, checkpoint.write  # pyright: ignore[reportPrivateUsage] - the place to be killed at

    def appended(self: state.State, entry: dict[str, Any]) -> None:
        def tear() -> None:
            journal = self._journal  # pyright: ignore[reportPrivateUsage] - half a line, as a kill inside write leaves it
            if journal is not None:
                journal.write(json.dumps(entry).encode()[:25])
                journal.flush()

        boundary(f"tear {sorted(entry)}", tear)
        append(self, entry)
        boundary(f"appended {sorted(entry)}")

    def written(files: checkpoint.Files, content: bytes) -> None:
        boundary("write state")
        write(files, content)
        boundary("written state")

    state.State._append = appended  # pyright: ignore[reportPrivateUsage] - only in the forked child
    checkpoint.write = written


def child(request: dict[str, Any], answer: Path, log: Path) -> None:
    """Run the operation and leave its outcome in `answer`."""
    boundary = Boundaries(request["kill"], log)
    watch_writes(boundary)
    stack = EngineStack(Path(request["folder"]), boundary)
    engine = stack.engine(PROGRAMS[request["program"]], parallel=request.get("parallel", 4))
    try:
        results = [getattr(engine, operation)().changes for operation in request["operation"].split("+")]
        outcome = {"results": results}
    except LocalError as problem:
        outcome = {"error": str(problem)}
    answer.write_text(json.dumps(outcome | {"warnings": [e.message for e in stack.events if e.status == "warning"]}))


def serve() -> None:
    """Answer requests until stdin ends."""
    passphrase.ROUNDS = 10
    # A killed process loses nothing that it has written; only a machine that stops does.
    os.fsync = lambda _: None
    for line in sys.stdin:
        request = json.loads(line)
        folder = Path(request["folder"])
        answer, log = folder / "answer", folder / "boundary"
        answer.unlink(missing_ok=True)
        log.write_text('[0, ""]')
        process = os.fork()
        if process == 0:
            status = 1
            try:
                child(request, answer, log)
                status = 0
            finally:
                os._exit(status)
        _, status = os.waitpid(process, 0)
        count, label = json.loads(log.read_text())
        document: dict[str, Any] = {"status": os.waitstatus_to_exitcode(status), "boundaries": count, "last": label}
        if answer.exists():
            document |= json.loads(answer.read_text())
        sys.stdout.write(json.dumps(document) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
