"""`mlp up`."""

import click

from cli._deployment import deployment
from cli._display import Progress, summary
from cli._target import engine_option, json_option, stack_option, target, yes_option
from cli.preview import confirm, require_person


@click.command()
@stack_option
@engine_option
@yes_option
@json_option
def command(stack: str, engine: str, yes: bool, as_json: bool) -> None:  # noqa: FBT001 - click hands flags over by name
    """Deploy or change a stack: make what is there match the program."""
    where = target(stack)
    if not yes:
        require_person()
    progress = Progress()
    opened = deployment(where, engine, progress.event)
    if not yes:
        confirm(opened, progress, f"deploy these changes to {stack}")
    with progress.step(f"up {stack}"):
        result = opened.up()
    summary(result, as_json=as_json)
