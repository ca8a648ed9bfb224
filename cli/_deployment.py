"""A stack's deployment, whichever engine carries it out."""

import importlib
import os
import shutil
from collections.abc import Callable
from typing import Any, Protocol

from cli._target import Target
from infra.local.engine import Event, Result
from infra.local.errors import LocalError

OnEvent = Callable[[Event], None]


class Deployment(Protocol):
    """What `up`, `preview`, `refresh`, `destroy` and `outputs` ask of an engine."""

    def up(self) -> Result:
        """Make what is there match the program."""
        ...

    def preview(self) -> Result:
        """Plan `up` and change nothing."""
        ...

    def refresh(self) -> Result:
        """Read every resource and record what was found."""
        ...

    def destroy(self) -> Result:
        """Delete everything the stack made."""
        ...

    def outputs(self) -> dict[str, Any]:
        """Outputs of the last deployment; empty before the first."""
        ...


def deployment(target: Target, engine: str, on_event: OnEvent) -> Deployment:
    """The deployment of a stack by the engine asked for; starts the embedded AWS when the stack lives on it.

    Raises:
        LocalError: the engine cannot deploy this stack, or is not installed.
    """
    if target.endpoint is None and engine == "embedded":
        raise LocalError(
            f"the embedded engine deploys to the embedded AWS only, and stack {target.stack!r} declares no "
            "mlp:endpoint; leave out --engine"
        )
    wants_cli = engine == "pulumi" or target.endpoint is None
    if wants_cli and shutil.which("pulumi") is None:
        raise LocalError(
            f"stack {target.stack!r} is deployed by the Pulumi CLI, and `pulumi` is not on PATH; install it "
            "(https://www.pulumi.com/docs/install/) and call this again"
            + (", or leave out --engine" if target.endpoint else "")
        )
    if target.endpoint is not None:
        use_embedded_aws(target)
    implementation = importlib.import_module("cli._pulumi" if wants_cli else "cli._embedded")
    return implementation.open_stack(target, on_event)


def use_embedded_aws(target: Target) -> None:
    """Start the embedded AWS if it does not run, and point this process and its children at it."""
    from infra.local import server  # noqa: PLC0415 - only stacks on the embedded AWS pay for this import

    assert target.endpoint is not None  # noqa: S101 - callers look first
    os.environ.update(server.environment(server.start(target.home, target.endpoint)))


def point_at(target: Target) -> None:
    """Point this process at the cloud a stack is deployed to, without deploying.

    Raises:
        LocalError: the embedded AWS of the stack does not run.
    """
    if target.endpoint is None:
        return
    from infra.local import server  # noqa: PLC0415 - only stacks on the embedded AWS pay for this import

    cloud = server.status(target.home)
    if cloud is None:
        raise LocalError(
            f"the embedded AWS of stack {target.stack!r} does not run; `mlp up --stack {target.stack}` starts it"
        )
    os.environ.update(server.environment(cloud))
