"""`mlp run`."""

import click

from cli._deployment import deployment, point_at
from cli._display import Progress, print_json
from cli._target import engine_option, json_option, stack_option, target


@click.command()
@click.argument("name", type=click.Choice(["spine"]))
@stack_option
@engine_option
@json_option
def command(name: str, stack: str, engine: str, as_json: bool) -> None:  # noqa: FBT001 - click hands flags over by name
    """Run a pipeline; `spine` is data, training, registry, serving and a report on real flights."""
    del name
    progress = Progress()
    where = target(stack)
    point_at(where)
    opened = deployment(where, engine, progress.event)
    from pipelines import spine  # noqa: PLC0415 - learning libraries take seconds: not for `--help` or a mistake
    from pipelines.workloads.flights import WORKLOAD  # noqa: PLC0415 - as above

    with progress.step(f"run spine on {stack}"):
        report = spine.run(stack, WORKLOAD, deploy=opened.up, progress=progress.message)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        click.echo(report.render())
