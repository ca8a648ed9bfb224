"""`mlp policy`."""

import os
import socket
import sys
import tempfile
from contextlib import closing
from functools import partial
from pathlib import Path

import click

from cli._display import Progress, print_json
from cli._target import PROJECT, ROOT, Target, json_option, stack_option, target
from infra.local import server
from infra.local.engine import Engine, Result
from infra.local.provider import AwsProvider
from policies.evaluation import evaluate, judged
from policies.exemptions import read as read_exemptions
from policies.report import report


@click.command()
@stack_option
@json_option
def command(stack: str, as_json: bool) -> None:  # noqa: FBT001 - click hands flags over by name
    """Plan a stack from nothing and check every planned resource; needs no credentials and changes nothing.

    Exit 1 when a mandatory control is violated.
    """
    progress = Progress()
    where = target(stack)
    with progress.step(f"plan {stack}"):
        planned = _plan(where)
    resources = planned.resources
    found = report(evaluate(resources), read_exemptions(), environments=[stack], judged=judged(resources))
    if as_json:
        print_json(found.document())
    else:
        click.echo(found.render())
    if found.violated:
        sys.exit(1)


def _plan(where: Target) -> Result:
    """Preview the stack on an embedded AWS of its own, made for this and dropped after it."""
    with tempfile.TemporaryDirectory(prefix="mlp-policy-") as folder:
        home = Path(folder)
        cloud = server.start(home, f"http://127.0.0.1:{_free_port()}")
        variables = server.environment(cloud)
        os.environ.pop("AWS_ENDPOINT_URL", None)
        if where.endpoint is None:
            # The program of any other environment refuses a loopback endpoint: only the provider is told of it.
            variables.pop("AWS_ENDPOINT_URL")
        os.environ.update(variables)
        try:
            return Engine(
                project=PROJECT,
                stack=where.stack,
                root=ROOT,
                backend=home / "state",
                passphrase="a plan is never stored",  # noqa: S106 - state of this preview lives in a folder dropped below
                providers={"aws": partial(AwsProvider, cloud.endpoint)},
            ).preview()
        finally:
            server.stop(home)


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
