"""`mlp local`: the embedded AWS on this machine."""

import shlex
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from cli._display import Progress, print_json
from cli._target import Target, home, json_option, passphrase, target
from infra.local import server
from infra.local.errors import LocalError
from infra.local.provider import write_plugin

_STACK = "local"


def _cloud() -> server.Cloud:
    cloud = server.status(home())
    if cloud is None:
        raise LocalError("the embedded AWS does not run; start it with `mlp local start` or `mlp up`")
    return cloud


@click.group(name="local")
def command() -> None:
    """The embedded AWS on this machine."""


@command.command()
def start() -> None:
    """Start the embedded AWS; does nothing when it runs."""
    where = _embedded()
    with Progress().step("start the embedded AWS"):
        cloud = server.start(where.home, str(where.endpoint))
    click.echo(cloud.endpoint)


@command.command()
def stop() -> None:
    """Stop the embedded AWS and everything that runs in it; its cloud state is gone."""
    with Progress().step("stop the embedded AWS"):
        server.stop(home())


@command.command()
@json_option
def status(as_json: bool) -> None:  # noqa: FBT001 - click hands flags over by name
    """What runs, where it listens and since when; exit 3 when nothing does."""
    cloud = server.status(home())
    services = server.services(home()) if cloud else []
    if as_json:
        print_json({"cloud": asdict(cloud) if cloud else None, "services": [asdict(each) for each in services]})
    elif cloud is None:
        click.echo("stopped")
    else:
        since = datetime.fromtimestamp(cloud.started_at).astimezone().isoformat(" ", "seconds")
        click.echo(f"embedded AWS at {cloud.endpoint} (pid {cloud.pid}, since {since})")
        for service in services:
            click.echo(f"  {service.name:40} {service.state:10} {service.address or '':28} pid {service.pid}")
    if cloud is None:
        sys.exit(3)


@command.command()
@click.argument("service", required=False)
def logs(service: str | None) -> None:
    """The log of one service, or where each service's log lies."""
    if service is not None:
        click.echo(server.log_path(home(), service).read_text(errors="replace"), nl=False)
        return
    _cloud()
    for name in (each.name for each in server.services(home())):
        click.echo(f"{name}: {server.log_path(home(), name)}")


@command.command()
@json_option
def inventory(as_json: bool) -> None:  # noqa: FBT001 - click hands flags over by name
    """What is deployed in the embedded AWS, by service; empty when it does not run."""
    cloud = server.status(home())
    found = server.inventory(cloud.endpoint) if cloud else {}
    if as_json:
        print_json(found)
        return
    for service, names in found.items():
        click.echo(f"{service}: {', '.join(names)}")


@command.command()
def env() -> None:
    """Shell exports that make plain `pulumi` and `aws` work on stack local: eval "$(mlp local env)"."""
    cloud = _cloud()
    plugin = write_plugin(home() / "bin")
    exports = {
        **server.environment(cloud),
        "PULUMI_BACKEND_URL": f"file://{home() / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase(home())),
    }
    for key, value in exports.items():
        click.echo(f"export {key}={shlex.quote(value)}")
    click.echo(f'export PATH={shlex.quote(str(Path(plugin).parent))}:"$PATH"')


def _embedded() -> Target:
    where = target(_STACK)
    if where.endpoint is None:
        raise LocalError(
            f"stacks/{where.stack_file.name} declares no mlp:endpoint; add the loopback address to listen on"
        )
    return where
