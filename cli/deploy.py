"""`mlp deploy`."""

import click

from cli._deployment import point_at
from cli._display import Progress, print_json
from cli._target import ROOT, json_option, stack_option, target
from pipelines import platform
from pipelines.deploy import deploy
from pipelines.images import ContainerEngineImages, FolderImages


@click.command()
@click.argument("stages", nargs=-1)
@stack_option
@json_option
def command(stages: tuple[str, ...], stack: str, as_json: bool) -> None:  # noqa: FBT001 - click hands flags over by name
    """Put the images that the deployed stages ask for onto the platform; STAGES limits it to some."""
    progress = Progress()
    where = target(stack)
    point_at(where)
    publisher = ContainerEngineImages(ROOT) if where.endpoint is None else FolderImages(ROOT)
    with progress.step(f"deploy {', '.join(stages) or 'every stage'} to {stack}"):
        report = deploy(platform.load(stack), publisher, stages=stages, progress=progress.message)
    if as_json:
        print_json(report)
