"""Which stack a verb acts on, and where: the one place where an environment is chosen."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import click
import yaml

from infra.local.errors import LocalError

ROOT = Path(__file__).resolve().parent.parent
PROJECT = "mlp"


@dataclass(frozen=True)
class Target:
    """A stack and the place it is deployed to."""

    stack: str
    home: Path
    """State of this machine's local cloud; `MLP_HOME`, or `.mlp` beside the program."""
    endpoint: str | None
    """Address of the embedded AWS; None for the real one."""

    @property
    def state(self) -> Path:
        """Root of Pulumi's file backend for stacks on the embedded AWS."""
        return self.home / "state"

    @property
    def stack_file(self) -> Path:
        """The environment as data."""
        return stack_file(self.stack)


def stack_file(stack: str) -> Path:
    """Where an environment's configuration lives."""
    return ROOT / "stacks" / f"Pulumi.{stack}.yaml"


def home() -> Path:
    """Folder of everything local: state, the embedded cloud, its logs and data."""
    return Path(os.environ.get("MLP_HOME") or ROOT / ".mlp").resolve()


def target(stack: str) -> Target:
    """The stack with its configured place.

    Raises:
        LocalError: there is no such stack file, or it is no YAML mapping.
    """
    path = stack_file(stack)
    if not path.is_file():
        known = sorted(file.name.split(".")[1] for file in path.parent.glob("Pulumi.*.yaml"))
        raise LocalError(
            f"stack {stack!r} has no file stacks/{path.name}; there are {', '.join(known)}: choose one with --stack"
        )
    try:
        document: object = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise LocalError(f"stacks/{path.name} is not YAML: {error}; mend that line") from None
    config = cast("dict[str, object]", document).get("config") if isinstance(document, dict) else None
    if not isinstance(config, dict):
        raise LocalError(f"stacks/{path.name} has no `config:` mapping; stacks/Pulumi.local.yaml shows the form")
    declared = cast("dict[str, object]", config).get(f"{PROJECT}:endpoint")
    endpoint = (os.environ.get("AWS_ENDPOINT_URL") or str(declared)) if declared else None
    return Target(stack=stack, home=home(), endpoint=endpoint)


def passphrase(where: Path) -> Path:
    """The file with the passphrase that encrypts secrets in local state; made once, readable by its owner only."""
    path = where / "passphrase"
    if not path.exists():
        where.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
    return path


stack_option = click.option(
    "--stack", "-s", default="local", show_default=True, help="Environment: a stacks/Pulumi.<stack>.yaml."
)
engine_option = click.option(
    "--engine",
    type=click.Choice(["auto", "pulumi", "embedded"]),
    default="auto",
    show_default=True,
    help="auto: embedded for a stack on the embedded AWS, the Pulumi CLI for any other.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
