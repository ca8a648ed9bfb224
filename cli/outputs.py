"""`mlp outputs`."""

from typing import cast

import click

from cli._deployment import deployment
from cli._display import Progress, print_json
from cli._target import engine_option, json_option, stack_option, target


@click.command()
@stack_option
@engine_option
@json_option
def command(stack: str, engine: str, as_json: bool) -> None:  # noqa: FBT001 - click hands flags over by name
    """What a deployed stack tells its pipelines."""
    outputs = deployment(target(stack), engine, Progress().event).outputs()
    if as_json:
        print_json(outputs)
        return
    for path, value in _leaves(outputs):
        click.echo(f"{path} = {value}")


def _leaves(value: object, path: str = "") -> list[tuple[str, object]]:
    if isinstance(value, dict) and value:
        children = cast("dict[str, object]", value).items()
        return [leaf for key, child in children for leaf in _leaves(child, f"{path}.{key}" if path else key)]
    return [(path, value)] if path else []
