"""The provider as a plugin of the Pulumi CLI: an executable `pulumi-resource-aws` on PATH."""

import importlib.metadata
import sys
from collections.abc import Callable
from pathlib import Path

from pulumi.provider.experimental.property_value import PropertyValue

from infra.local.errors import LocalError

from .handler import Handler
from .provider import AwsProvider, T
from .values import UNKNOWN_TEXT


class ToldError(NotImplementedError):
    """What the person who deploys is to read.

    The SDK's plugin server puts a traceback under every other kind of exception.
    """


class PluginProvider(AwsProvider):
    """The provider behind the plugin protocol, where an unknown is a text that the engine knows."""

    unknown = PropertyValue(UNKNOWN_TEXT)

    def handler(self, qualified_type: str) -> Handler:
        """The handler of a type."""
        try:
            return super().handler(qualified_type)
        except LocalError as error:
            raise ToldError(str(error)) from error

    async def in_thread(self, work: Callable[[], T]) -> T:
        """What the work returns."""
        try:
            return await super().in_thread(work)
        except LocalError as error:
            raise ToldError(str(error)) from error


def serve() -> None:
    """Print a port and serve the provider there until the engine ends it."""
    # Only the plugin process needs the server, and with it gRPC.
    from pulumi.provider.experimental.server import main  # noqa: PLC0415  # as said

    main(sys.argv[1:], version(), PluginProvider())


def version() -> str:
    """The SDK's version: what programs ask the plugin for."""
    return importlib.metadata.version("pulumi-aws")


def write_plugin(directory: Path) -> Path:
    """Write the executable into the directory, which the caller puts first on PATH; returns its path."""
    directory.mkdir(parents=True, exist_ok=True)
    shim = directory / "pulumi-resource-aws"
    root = Path(__file__).resolve().parents[3]
    path = f'PYTHONPATH="{root}${{PYTHONPATH:+:$PYTHONPATH}}"'
    shim.write_text(
        f'#!/bin/sh\n{path} exec "{sys.executable}" -m infra.local.provider "$@"\n',
        encoding="utf-8",
    )
    shim.chmod(0o755)
    return shim
