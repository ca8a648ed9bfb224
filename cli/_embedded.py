"""Deployments by the embedded engine."""

from functools import partial

from cli._deployment import OnEvent
from cli._target import PROJECT, ROOT, Target, passphrase
from infra.local import server
from infra.local.engine import Engine
from infra.local.provider import AwsProvider


def open_stack(target: Target, on_event: OnEvent) -> Engine:
    """The stack on this machine, deployed in this process."""
    cloud = server.status(target.home)
    return Engine(
        project=PROJECT,
        stack=target.stack,
        root=ROOT,
        backend=target.state,
        passphrase=passphrase(target.home).read_text(),
        providers={"aws": partial(AwsProvider, target.endpoint)},
        policy_packs=[ROOT / "policies"],
        cloud_id=cloud.cloud_id if cloud else None,
        on_event=on_event,
    )
