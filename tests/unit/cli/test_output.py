"""What the command writes where: one document on standard output, progress on standard error."""

import json
import re
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from cli import _embedded
from cli._deployment import OnEvent
from cli._pulumi import reason
from cli._target import Target, passphrase
from infra.local import server
from infra.local.engine import Event, Operation, Result, Status
from tests.support.command import Mlp

BUCKET = "urn:pulumi:local::mlp::aws:s3/bucket:Bucket::lake"
CHANGES = {"create": 1, "update": 0, "replace": 0, "delete": 0, "same": 3}


class Quick:
    """A deployment that creates one bucket at once."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event

    def _run(self) -> Result:
        for status in (Status.STARTED, Status.DONE):
            self._on_event(Event(BUCKET, "aws:s3/bucket:Bucket", "lake", Operation.CREATE, status))
        return Result(changes=CHANGES, outputs=self.outputs())

    up = preview = refresh = destroy = _run

    def outputs(self) -> dict[str, Any]:
        return {"platform": {"storage": {"lake_bucket": "lake"}, "zones": ["a", "b"]}}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(target: Target, engine: str, on_event: OnEvent) -> Quick:
        del target, engine
        return Quick(on_event)

    for verb in ("up", "preview", "refresh", "outputs"):
        monkeypatch.setattr(f"cli.{verb}.deployment", opened)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("verb", [("up", "--yes"), ("preview",), ("refresh", "--yes")], ids=" ".join)
def test_json_is_one_document_and_progress_goes_to_standard_error(mlp: Mlp, verb: tuple[str, ...]) -> None:
    ended = mlp(*verb, "--json")
    assert ended.code == 0
    assert json.loads(ended.out)["changes"] == CHANGES
    assert "+ aws:s3/bucket:Bucket lake" in ended.err


@pytest.mark.usefixtures("quick")
def test_without_json_standard_output_stays_empty_and_the_counts_are_said(mlp: Mlp) -> None:
    ended = mlp("up", "--yes")
    assert ended.out == ""
    assert ended.err.endswith("1 create, 3 same\n")


@pytest.mark.usefixtures("quick")
def test_outputs_are_listed_by_path_or_given_whole(mlp: Mlp) -> None:
    assert mlp("outputs").out == "platform.storage.lake_bucket = lake\nplatform.zones = ['a', 'b']\n"
    assert json.loads(mlp("outputs", "--json").out)["platform"]["storage"] == {"lake_bucket": "lake"}


def test_where_nothing_runs_status_says_so_and_nothing_is_deployed(mlp: Mlp) -> None:
    status = mlp("local", "status", "--json")
    assert status.code == 3
    assert json.loads(status.out) == {"cloud": None, "services": []}
    assert mlp("local", "status").out == "stopped\n"
    assert json.loads(mlp("local", "inventory", "--json").out) == {}
    assert "start it with `mlp local start` or `mlp up`" in mlp("local", "env").sentence
    assert "start it with `mlp local start` or `mlp up`" in mlp("local", "logs").sentence
    assert "`mlp up --stack local` starts it" in mlp("deploy").sentence


def test_status_says_since_when_as_a_person_reads_time(mlp: Mlp, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = server.Cloud("http://127.0.0.1:4566", 42, "id", datetime(2026, 1, 31, 12, 5, tzinfo=UTC).timestamp())
    monkeypatch.setattr(server, "status", Mock(return_value=cloud))
    monkeypatch.setattr(server, "services", Mock(return_value=[]))
    since = re.search(r"since (.*)\)", mlp("local", "status").out)
    assert since is not None
    assert datetime.fromisoformat(since[1]) == datetime(2026, 1, 31, 12, 5, tzinfo=UTC)


def test_stopping_where_nothing_runs_is_no_failure(mlp: Mlp) -> None:
    assert mlp("local", "stop").code == 0


@pytest.mark.parametrize("verb", [("outputs",), ("refresh", "--yes")], ids=" ".join)
def test_a_damaged_state_file_is_kept_as_it_is_and_told(
    mlp: Mlp, home: Path, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]
) -> None:
    def open_stack(target: Target, engine: str, on_event: OnEvent) -> object:
        del engine
        return _embedded.open_stack(target, on_event)

    monkeypatch.setattr(f"cli.{verb[0]}.deployment", open_stack)
    state = home / "state" / ".pulumi" / "stacks" / "mlp" / "local.json"
    state.parent.mkdir(parents=True)
    state.write_text('{"version": 3, "chec')
    sentence = mlp(*verb).sentence
    assert f"the state file {state} is not a Pulumi checkpoint" in sentence
    kept = next((home / "state" / "engine" / "mlp").glob("local-corrupt-*.json"))
    assert f"a copy was kept as {kept}" in sentence
    assert kept.read_text() == state.read_text() == '{"version": 3, "chec'


def test_the_passphrase_is_made_once_and_its_owners_alone(tmp_path: Path) -> None:
    first = passphrase(tmp_path / "home").read_text()
    assert len(first) > 30
    path = passphrase(tmp_path / "home")
    assert path.read_text() == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("diagnostics", "output", "expected"),
    [
        (["error: no\n  such zone", "error: no\n  such zone"], "code: 255", "no such zone"),
        ([], "code: 1\nstderr: error: not logged in\nerror: again", "not logged in; again"),
        ([], "code: 1\n killed", "code: 1 killed"),
    ],
)
def test_why_the_pulumi_cli_stopped_is_one_line(diagnostics: list[str], output: str, expected: str) -> None:
    assert reason(diagnostics, output) == expected
