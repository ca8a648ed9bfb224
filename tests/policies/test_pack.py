"""The pack as engines run it: the same files, the embedded engine and Pulumi's own CLI, the same verdicts."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.local.engine import Engine, Event
from infra.local.errors import LocalError
from tests.policies.echo import EchoProvider
from tests.policies.program import declare

ROOT = Path(__file__).resolve().parents[2]
PACK = ROOT / "policies"

# What is declared, what stops it, and what is only advised.
VERDICTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "a compliant program": ({}, "", ""),
    "a property of one resource": ({"rotates": False}, "KMS.4", ""),
    "a missing companion": ({"has_rotation": False}, "SecretsManager.1", ""),
    "advice": ({"window": 3}, "", "MLP.KMS.1"),
}


@dataclass(frozen=True)
class Run:
    """What became of a run: whether it went through, and everything it said."""

    succeeded: bool
    said: str


def embedded(folder: Path, settings: dict[str, Any], *, preview: bool) -> Run:
    """Run with the embedded engine."""
    events: list[Event] = []
    engine = Engine(
        project="mlp",
        stack="prod",
        root=folder,
        backend=folder / "state",
        passphrase="a passphrase",
        providers={"aws": EchoProvider()},
        policy_packs=[PACK],
        on_event=events.append,
        program=lambda: declare(**settings),
        config={},
    )
    try:
        engine.preview() if preview else engine.up()
    except LocalError as error:
        return Run(succeeded=False, said=f"{error} {events}")
    return Run(succeeded=True, said=f"{events}")


def with_the_cli(folder: Path, settings: dict[str, Any], *, preview: bool) -> Run:
    """Run with the Pulumi CLI on PATH and the echo provider as its plugin."""
    plugins = folder / "plugins"
    plugins.mkdir()
    plugin = plugins / "pulumi-resource-aws"
    plugin.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.policies.echo "$@"\n', "utf-8")
    plugin.chmod(0o755)
    (folder / "state").mkdir()
    (folder / "Pulumi.yaml").write_text(
        f"name: mlp\nruntime:\n  name: python\n  options:\n    virtualenv: {sys.prefix}\n", "utf-8"
    )
    (folder / "__main__.py").write_text(
        f"from tests.policies.program import declare\n\ndeclare(**{settings!r})\n", "utf-8"
    )
    environment = os.environ | {
        "PATH": os.pathsep.join([str(plugins), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "a passphrase",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
    }
    command = ["preview"] if preview else ["up", "--yes", "--skip-preview"]
    for arguments in (["stack", "init", "prod"], [*command, "--policy-pack", str(PACK), "--non-interactive"]):
        done = subprocess.run(
            ["pulumi", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    return Run(succeeded=done.returncode == 0, said=done.stdout + done.stderr)


def check(result: Run, stopped_by: str, advised: str) -> None:
    assert result.succeeded is (not stopped_by), result.said
    assert stopped_by in result.said
    assert advised in result.said
    if not stopped_by:
        assert "mandatory" not in result.said
        assert "MLP.Undecided" not in result.said


@pytest.mark.local
@pytest.mark.parametrize("preview", [True, False], ids=["preview", "up"])
@pytest.mark.parametrize(("settings", "stopped_by", "advised"), VERDICTS.values(), ids=VERDICTS.keys())
def test_the_embedded_engine_gives_the_packs_verdict(
    tmp_path: Path, preview: bool, settings: dict[str, Any], stopped_by: str, advised: str
) -> None:
    check(embedded(tmp_path, settings, preview=preview), stopped_by, advised)


@pytest.mark.engine
@pytest.mark.skipif(shutil.which("pulumi") is None, reason="there is no pulumi on PATH")
@pytest.mark.parametrize(
    ("case", "preview"),
    [("a property of one resource", True), ("a missing companion", True), ("advice", False)],
)
def test_pulumis_own_cli_gives_the_same_verdict(tmp_path: Path, case: str, preview: bool) -> None:
    settings, stopped_by, advised = VERDICTS[case]

    check(with_the_cli(tmp_path, settings, preview=preview), stopped_by, advised)
