"""`mlp destroy`."""

import click

from cli._deployment import deployment
from cli._display import Progress, summary
from cli._target import Target, engine_option, json_option, stack_option, target, yes_option
from cli.preview import ask, require_person
from infra.local.errors import LocalError


@click.command()
@stack_option
@engine_option
@yes_option
@json_option
def command(stack: str, engine: str, yes: bool, as_json: bool) -> None:  # noqa: FBT001 - click hands flags over by name
    """Delete everything a stack and its pipelines made; on the embedded AWS, stop that too."""
    where = target(stack)
    if not yes:
        require_person()
    progress = Progress()
    opened = deployment(where, engine, progress.event)
    if not yes:
        ask(f"delete everything in {stack}")
    with progress.step(f"destroy {stack}"):
        _retire(stack, progress)
        result = opened.destroy()
    if where.endpoint is not None:
        _stop_when_empty(where)
    summary(result, as_json=as_json)


def _retire(stack: str, progress: Progress) -> None:
    """Delete what pipelines made and the engine does not know of."""
    from pipelines import platform  # noqa: PLC0415 - the pipelines are loaded only for this
    from pipelines.serving.retire import retire  # noqa: PLC0415 - as above

    try:
        outputs = platform.load(stack)
    except platform.NotDeployedError:
        return
    retire(outputs, progress.message)


def _stop_when_empty(where: Target) -> None:
    from infra.local import server  # noqa: PLC0415 - only stacks on the embedded AWS pay for this import

    cloud = server.status(where.home)
    if cloud is None:
        return
    left = server.inventory(cloud.endpoint)
    if left:
        listing = "; ".join(f"{service}: {', '.join(names)}" for service, names in sorted(left.items()))
        raise LocalError(
            f"the stack is gone, but the embedded AWS still holds what no stack or pipeline of ours owns: {listing}; "
            "delete it, or drop the whole cloud with `mlp local stop`"
        )
    server.stop(where.home)
