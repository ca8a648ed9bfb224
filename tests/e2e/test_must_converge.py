"""Runs of the real command that are killed: the next one finishes the work, and in the end nothing of it is left."""

import json
import random
import re
import socket
import time
from collections.abc import Generator
from urllib.parse import urlsplit

import pytest

from tests.support.machine import Machine, new_machine

pytestmark = [pytest.mark.local, pytest.mark.timeout(280)]

SEED = 20241105
KILLS = 3
CREATED = re.compile(r"^  \+ ")
DELETED = re.compile(r"^  - ")


@pytest.fixture
def machine() -> Generator[Machine]:
    with new_machine() as made:
        yield made


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
