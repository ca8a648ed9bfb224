"""What the command says to a call that cannot be done, before it starts or changes anything."""

import io
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from cli import _target
from cli.main import VERBS
from infra.local.errors import LocalError
from tests.support.command import Mlp

ROOT = Path(__file__).parents[3]
DEPLOYING = [("up", "--yes"), ("preview",), ("refresh", "--yes"), ("destroy", "--yes")]
OF_A_STACK = [*DEPLOYING, ("outputs",), ("deploy",), ("run", "spine"), ("policy",)]


class Usage(NamedTuple):
    """What `shutil.disk_usage` answers."""

    total: int
    used: int
    free: int


def free(size: int) -> Callable[[object], Usage]:
    """A disk of 1 TiB with so many bytes free."""
    return lambda _: Usage(2**40, 2**40 - size, size)


def test_an_unknown_verb_names_those_there_are_and_the_one_meant(mlp: Mlp) -> None:
    ended = mlp("destory")
    assert ended.code == 2
    assert "'destory' is no verb; there are up, preview, " in ended.sentence
    assert "did you mean destroy?" in ended.sentence


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(mlp: Mlp, verb: str) -> None:
    ended = mlp(verb, "--help")
    assert ended.code == 0
    assert f"Usage: mlp {verb}" in ended.out


def test_help_and_mistakes_load_no_package_of_the_platform() -> None:
    script = "import sys, cli.main; sys.exit(sorted({'pulumi', 'boto3', 'moto', 'rich'} & sys.modules.keys()))"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert ended.stderr.strip() == "[]"


@pytest.mark.parametrize("verb", OF_A_STACK, ids=" ".join)
def test_an_unknown_stack_names_those_there_are(mlp: Mlp, home: Path, verb: tuple[str, ...]) -> None:
    ended = mlp(*verb, "--stack", "production")
    assert ended.code == 1
    assert ended.sentence == (
        "error: stack 'production' has no file stacks/Pulumi.production.yaml; "
        "there are dev, local, prod, staging: choose one with --stack\n"
    )
    assert not home.exists()


@pytest.mark.parametrize("verb", [*DEPLOYING, ("outputs",), ("run", "spine")], ids=" ".join)
def test_a_stack_on_aws_without_the_pulumi_cli_says_how_to_get_it(
    mlp: Mlp, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, verb: tuple[str, ...]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = mlp(*verb, "--stack", "dev")
    assert ended.code == 1
    assert ended.sentence.endswith(
        "error: stack 'dev' is deployed by the Pulumi CLI, and `pulumi` is not on PATH; "
        "install it (https://www.pulumi.com/docs/install/) and call this again\n"
    )
    assert not home.exists()


def test_asking_for_the_pulumi_cli_where_it_is_not_needed_names_the_way_without(
    mlp: Mlp, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert mlp("preview", "--engine", "pulumi").sentence.endswith("call this again, or leave out --engine\n")
    assert not home.exists()


def test_the_embedded_engine_deploys_to_no_aws_but_its_own(mlp: Mlp) -> None:
    ended = mlp("preview", "--stack", "prod", "--engine", "embedded")
    assert "stack 'prod' declares no mlp:endpoint; leave out --engine" in ended.sentence


@pytest.mark.parametrize("verb", ["up", "refresh", "destroy"])
def test_without_a_terminal_nothing_is_started_and_yes_is_asked_for(
    mlp: Mlp, home: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    ended = mlp(verb)
    assert ended.code == 1
    assert "standard input is not a terminal" in ended.sentence
    assert "add --yes" in ended.sentence
    assert not home.exists()


@pytest.mark.parametrize("verb", [*DEPLOYING, ("local", "start")], ids=" ".join)
@pytest.mark.parametrize("endpoint", ["https://sts.eu-west-1.amazonaws.com", "http://10.0.0.1:4566", "127.0.0.1:4566"])
def test_local_is_deployed_to_this_machine_only(
    mlp: Mlp, home: Path, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...], endpoint: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    ended = mlp(*verb)
    assert ended.code == 1
    assert repr(endpoint) in ended.sentence
    assert "http://127.0.0.1:<port> only" in ended.sentence
    assert not (home / "cloud" / "server.json").exists()


@pytest.mark.parametrize("verb", [("up", "--yes"), ("local", "start")], ids=" ".join)
def test_a_taken_port_names_its_holder(mlp: Mlp, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        ended = mlp(*verb)
    assert ended.code == 1
    assert str(port) in ended.sentence
    assert str(os.getpid()) in ended.sentence


@pytest.mark.parametrize("verb", [("up", "--yes"), ("local", "start")], ids=" ".join)
def test_a_full_disk_is_told_before_anything_is_started(
    mlp: Mlp, home: Path, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", free(2**20))
    ended = mlp(*verb)
    assert ended.code == 1
    assert "1 MiB are free" in ended.sentence
    assert "set MLP_HOME to a folder on another disk" in ended.sentence
    assert not (home / "cloud" / "server.json").exists()


def test_the_doctor_tells_a_full_disk(mlp: Mlp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", free(2**30))
    ended = mlp("doctor")
    assert ended.code == 1
    assert "1.0 GiB are free and 6 are wanted: free some, or point MLP_HOME at a larger disk" in ended.out


def test_the_doctor_tells_what_a_missing_program_is_for_and_is_content_without_it(
    mlp: Mlp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", free(2**40))
    ended = mlp("doctor")
    assert "for dev, staging, prod: https://www.pulumi.com/docs/install/" in ended.out
    assert ended.code == 0


def test_a_home_that_cannot_be_written_says_what_to_set(
    mlp: Mlp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MLP_HOME", str(tmp_path / "file"))
    assert "set MLP_HOME to a folder you may write" in mlp("local", "start").sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("config: [", "stacks/Pulumi.local.yaml is not YAML"),
        ("- a list", "stacks/Pulumi.local.yaml has no `config:` mapping"),
        ("config: 3", "stacks/Pulumi.local.yaml has no `config:` mapping"),
        ("", "stacks/Pulumi.local.yaml has no `config:` mapping"),
    ],
)
def test_a_stack_file_of_another_form_is_named(
    mlp: Mlp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, sentence: str
) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.local.yaml").write_text(text)
    monkeypatch.setattr(_target, "ROOT", tmp_path)
    assert sentence in mlp("up", "--yes").sentence


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (LocalError("no such thing"), 1, "error: no such thing"),
        (click.Abort(), 1, "nothing was changed"),
        (KeyboardInterrupt(), 130, "stopped; what was under way is settled by the next `mlp up`"),
    ],
)
def test_a_mistake_and_an_interruption_are_a_sentence(
    mlp: Mlp, monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int, said: str
) -> None:
    def raises(_: str) -> None:
        raise raised

    monkeypatch.setattr("cli.preview.target", raises)
    ended = mlp("preview")
    assert (ended.code, ended.err.strip()) == (code, said)


def test_a_defect_of_the_command_itself_is_not_hidden(mlp: Mlp, monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(_: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("cli.preview.target", raises)
    with pytest.raises(ZeroDivisionError):
        mlp("preview")
