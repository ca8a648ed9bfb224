"""One run at a time: the other names the holder, and a dead holder's lock is taken over."""

import json
import os
import socket
import threading
from pathlib import Path

import pytest

from infra.local.engine.lock import locked
from infra.local.errors import LocalError
from tests.support.directory_cloud import Item
from tests.support.engine_stack import EngineStack, changes

# Above the kernel's largest process number.
NOBODY = 2**22 + 17


def locks(stack: EngineStack) -> Path:
    return stack.backend / ".pulumi" / "locks" / "organization" / "proj" / "dev"


def write_lock(stack: EngineStack, pid: int, host: str = "", since: str = "2026-01-01T00:00:00Z") -> Path:
    locks(stack).mkdir(parents=True)
    path = locks(stack) / "0b7a5d4e-6a55-4a5e-8a39-000000000000.json"
    content = {"pid": pid, "username": "ada", "hostname": host or socket.gethostname(), "timestamp": since}
    path.write_text(json.dumps(content))
    return path


def test_of_two_runs_at_once_one_wins_and_the_other_names_the_holder(stack: EngineStack) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hook(call: str) -> None:
        if call == "create a":
            entered.set()
            assert leave.wait(20)

    slow = threading.Thread(target=lambda: EngineStack(stack.folder, hook).up(lambda: Item("a")))
    slow.start()
    assert entered.wait(20)
    try:
        with pytest.raises(LocalError, match=f"stack dev is being changed by process {os.getpid()} of .* since 20"):
            stack.up(lambda: Item("b"))
        # A preview needs no lock and sees what is recorded so far: the stack itself.
        assert changes(stack.preview(lambda: Item("b"))) == {"create": 1}
    finally:
        leave.set()
        slow.join(20)
    assert sorted(stack.recorded()) == ["a"]
    assert not list(locks(stack).glob("*.json"))


def test_a_lock_of_a_living_process_of_another_tool_is_respected(stack: EngineStack) -> None:
    path = write_lock(stack, os.getppid(), since="2099-01-01T00:00:00Z")
    with pytest.raises(LocalError, match=f"process {os.getppid()} of ada on {socket.gethostname()}, since 2099"):
        stack.up(lambda: Item("a"))
    assert path.exists()


def test_a_lock_of_a_dead_process_is_taken_over(stack: EngineStack) -> None:
    path = write_lock(stack, NOBODY)
    assert changes(stack.up(lambda: Item("a"))) == {"create": 2}
    assert not path.exists()


def test_a_process_that_only_has_the_number_of_the_holder_does_not_hold(stack: EngineStack) -> None:
    write_lock(stack, os.getppid(), since="1999-01-01T00:00:00Z")
    assert changes(stack.up(lambda: Item("a"))) == {"create": 2}


def test_a_lock_of_another_host_is_respected(stack: EngineStack) -> None:
    write_lock(stack, NOBODY, host="elsewhere")
    with pytest.raises(LocalError, match="on elsewhere"):
        stack.up(lambda: Item("a"))


def test_the_lock_is_released_when_the_run_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path, "proj", "dev"):
        raise ZeroDivisionError
    with locked(tmp_path, "proj", "dev"):
        assert len(list(tmp_path.rglob("*.json"))) == 1
    assert not list(tmp_path.rglob("*.json"))
