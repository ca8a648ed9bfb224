"""`mlp refresh`."""

import click

from cli._deployment import deployment
from cli._display import Progress, summary
from cli._target import engine_option, json_option, stack_option, target, yes_option
from cli.preview import ask, require_person


@click.command()
@stack_option
@engine_option
@yes_option
@json_option
def command(stack: str, engine: str, yes: bool, as_json: bool) -> None:  # noqa: FBT001 - click hands flags over by name
    """Read every resource of a stack and record what was changed behind its back; the next `up` mends it."""
    where = target(stack)
    if not yes:
        require_person()
    progress = Progress()
    opened = deployment(where, engine, progress.event)
    if not yes:
        ask(f"record what is really there in the state of {stack}")
    with progress.step(f"refresh {stack}"):
        result = opened.refresh()
    summary(result, as_json=as_json)
