"""The whole platform, deployed by one engine and taken over by the other: this one and the Pulumi CLI."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.machine import ROOT, Machine, new_machine

pytestmark = [
    pytest.mark.engine,
    pytest.mark.local,
    pytest.mark.timeout(290),
    pytest.mark.skipif(shutil.which("pulumi") is None, reason="the Pulumi CLI is not on PATH"),
]
UNCHANGED = {"create": 0, "update": 0, "replace": 0, "delete": 0}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Machine]:
    monkeypatch.setenv("PULUMI_SKIP_UPDATE_CHECK", "1")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi-home"))
    stack_file = ROOT / "stacks" / "Pulumi.local.yaml"
    before = stack_file.read_bytes()
    with new_machine() as made:
        yield made
    assert stack_file.read_bytes() == before


def exported(machine: Machine) -> dict[str, str]:
    """The environment after `eval "$(mlp local env)"`."""
    out, _ = machine.start("local", "env").communicate(timeout=60)
    script = f"{out}env -0"
    shell = subprocess.run(["bash", "-c", script], env=machine.environment, capture_output=True, text=True, check=True)
    return dict(line.split("=", 1) for line in shell.stdout.split("\0") if line)


def test_the_cli_finds_nothing_to_do_on_a_stack_of_this_engine(machine: Machine) -> None:
    created = machine.mlp("up", "--yes")["changes"]["create"]
    # The CLI writes its salt into the stack file that it reads.
    copy = shutil.copy(ROOT / "stacks" / "Pulumi.local.yaml", machine.home)
    command = f"pulumi preview --non-interactive --stack local --expect-no-changes --config-file {copy}"
    ended = subprocess.run(
        shlex.split(command), cwd=ROOT, env=exported(machine), capture_output=True, text=True, check=False, timeout=200
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"{created} unchanged" in re.sub(r"\x1b\[[0-9;]*m", "", ended.stdout)
    assert machine.mlp("preview", "--engine", "pulumi")["changes"] == {**UNCHANGED, "same": created}
    assert machine.mlp("destroy", "--yes", "--engine", "pulumi")["changes"]["delete"] == created
    assert machine.mlp("local", "inventory") == {}


def test_this_engine_finds_nothing_to_do_on_a_stack_of_the_cli(machine: Machine) -> None:
    done = machine.mlp("up", "--yes", "--engine", "pulumi")
    created = done["changes"]["create"]
    assert created > 100
    assert machine.mlp("preview")["changes"] == {**UNCHANGED, "same": created}
    refreshed = machine.mlp("refresh", "--yes")
    assert refreshed["changes"] == {**UNCHANGED, "same": created}
    assert refreshed["outputs"] == done["outputs"]
    assert machine.mlp("destroy", "--yes")["changes"]["delete"] == created
    assert machine.mlp("local", "inventory") == {}
