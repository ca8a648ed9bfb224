"""The provider as a plugin of the Pulumi CLI: an executable `pulumi-resource-aws` on PATH."""

import importlib.metadata
import sys
from pathlib import Path

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.server import main

from .provider import AwsProvider
from .values import UNKNOWN_TEXT


class PluginProvider(AwsProvider):
    """The provider behind the plugin protocol, where an unknown is a text that the engine knows."""

    unknown = PropertyValue(UNKNOWN_TEXT)


def serve() -> None:
    """Print a port and serve the provider there until the engine ends it."""
    main(sys.argv[1:], version(), PluginProvider())


def version() -> str:
    """The SDK's version: what programs ask the plugin for."""
    return importlib.metadata.version("pulumi-aws")


def write_plugin(directory: Path) -> Path:
    """Write the executable into the directory, which the caller puts first on PATH; returns its path."""
    directory.mkdir(parents=True, exist_ok=True)
    shim = directory / "pulumi-resource-aws"
    root = Path(__file__).resolve().parents[3]
    shim.write_text(
        f'#!/bin/sh\nPYTHONPATH="{root}${{PYTHONPATH:+:$PYTHONPATH}}" exec "{sys.executable}" -m infra.local.provider "$@"\n',
        encoding="utf-8",
    )
    shim.chmod(0o755)
    return shim
