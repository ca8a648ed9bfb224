"""`mlp preview`, and the question other verbs ask after one."""

import sys

import click

from cli._deployment import Deployment, deployment
from cli._display import Progress, summary
from cli._target import engine_option, json_option, stack_option, target
from infra.local.errors import LocalError


def confirm(opened: Deployment, progress: Progress, question: str) -> None:
    """Preview, then ask; raises click.Abort when the answer is no."""
    with progress.step("preview"):
        result = opened.preview()
    summary(result, as_json=False)
    click.confirm(question, abort=True, err=True)


def ask(question: str) -> None:
    """Ask without a preview; raises as `confirm` does."""
    click.confirm(question, abort=True, err=True)


def require_person() -> None:
    """Called before anything is started or loaded.

    Raises:
        LocalError: standard input is not a terminal, so nobody can be asked; the text says to add --yes.
    """
    if not sys.stdin.isatty():
        raise LocalError(
            "nobody can be asked here (standard input is not a terminal); add --yes to go on without a question"
        )


@click.command()
@stack_option
@engine_option
@json_option
def command(stack: str, engine: str, as_json: bool) -> None:  # noqa: FBT001 - click hands flags over by name
    """Show what `up` would change; nothing is changed."""
    progress = Progress()
    opened = deployment(target(stack), engine, progress.event)
    with progress.step(f"preview {stack}"):
        result = opened.preview()
    summary(result, as_json=as_json)
