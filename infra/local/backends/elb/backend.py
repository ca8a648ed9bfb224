"""ELBv2's backend: load balancers have an address, listeners are sockets, target health is asked for."""

import random
import ssl
import tempfile
from pathlib import Path
from typing import Any

from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeListener, FakeLoadBalancer, elbv2_backends

from infra.local.backends.elb.health import Checker
from infra.local.backends.elb.relay import Relay, Route, redirect_location, response
from infra.local.backends.machine import machine
from infra.local.backends.members import Document, rows, section
from infra.local.backends.shared import lazily

relay = lazily(Relay)


class LiveElb(ELBv2Backend):
    """Load balancers of one region."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.checker = lazily(lambda: Checker(self.target_groups.values))

    def create_load_balancer(self, *arguments: Any, **named: Any) -> FakeLoadBalancer:
        """Create a load balancer; its DNS name is an address of its own."""
        balancer = super().create_load_balancer(*arguments, **named)
        balancer.dns_name = machine().supervisor.addresses.take()
        return balancer

    def delete_load_balancer(self, arn: str) -> None:
        """Close its listeners and free its address."""
        balancer = self.load_balancers.get(arn)
        if balancer is not None:
            if balancer.attrs.get("deletion_protection.enabled") == "true":
                raise ELBClientError(
                    "OperationNotPermitted",
                    f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled",
                )
            for listener in balancer.listeners.values():
                relay().close(listener.arn)
            machine().supervisor.addresses.give_back(balancer.dns_name)
        super().delete_load_balancer(arn)

    def create_listener(self, *arguments: Any, **named: Any) -> FakeListener:
        """Create a listener and listen."""
        listener = super().create_listener(*arguments, **named)
        try:
            self._listen(listener)
        except ELBClientError:
            super().delete_listener(listener.arn)
            raise
        return listener

    def modify_listener(self, *arguments: Any, **named: Any) -> FakeListener:
        """Change a listener; the socket is made anew when port or protocol changed."""
        arn: str = named["arn"] if "arn" in named else arguments[0]
        before = self.describe_listeners(load_balancer_arn=None, listener_arns=[arn])[0]
        old = (before.port, before.protocol, list(before.certificates))
        listener = super().modify_listener(*arguments, **named)
        if (listener.port, listener.protocol, listener.certificates) != old:
            relay().close(listener.arn)
            self._listen(listener)
        return listener

    def delete_listener(self, listener_arn: str) -> FakeListener:
        """Stop listening."""
        relay().close(listener_arn)
        return super().delete_listener(listener_arn)

    def create_rule(self, *_: Any, **__: Any) -> Any:
        """Refused: connections are relayed whole, so paths and hosts are not looked at."""
        raise ELBClientError(
            "UnsupportedOperation",
            "Listener rules are not written for the embedded AWS: use the listener's default action.",
        )

    def register_targets(self, target_group_arn: str, instances: list[Any]) -> None:
        """Register targets; they are asked for their health from now on."""
        super().register_targets(target_group_arn, instances)
        for instance in instances:
            self.checker().forget(target_group_arn, instance["Id"])

    def deregister_targets(self, target_group_arn: str, instances: list[dict[str, Any]]) -> None:
        """Deregister targets at once: connections are not drained."""
        super().deregister_targets(target_group_arn, instances)
        for instance in instances:
            self.checker().forget(target_group_arn, instance["Id"])

    def describe_target_health(self, target_group_arn: str, targets: list[dict[str, Any]]) -> list[FakeHealthStatus]:
        """What the targets answered last."""
        statuses = super().describe_target_health(target_group_arn, targets)
        group = self.target_groups[target_group_arn]
        for status in statuses:
            if status.instance_id in group.targets:
                health = self.checker().health(target_group_arn, status.instance_id)
                unused = not group.load_balancer_arns
                status.status = "unused" if unused and health.state == "initial" else health.state
                status.reason, status.description = health.reason, health.description
        return statuses

    def _listen(self, listener: FakeListener) -> None:
        balancer = self.load_balancers[listener.load_balancer_arn]
        port = int(listener.port)
        tls = self._tls(listener) if listener.protocol in ("HTTPS", "TLS") else None
        try:
            relay().open(listener.arn, balancer.dns_name, port, lambda: self._route(listener, balancer), tls)
        except OSError as error:
            raise ELBClientError(
                "OperationNotPermitted",
                f"The embedded AWS cannot listen on {balancer.dns_name}:{port} ({error.strerror or error}): "
                "choose a listener port of 1024 or above.",
            ) from error

    def _route(self, listener: FakeListener, balancer: FakeLoadBalancer) -> Route:
        action = listener.default_actions[-1].data
        http = balancer.type == "application"
        if action["Type"] == "fixed-response":
            config = action["FixedResponseConfig"]
            answer = response(
                int(config["StatusCode"]),
                "Fixed",
                (config.get("MessageBody") or " ").encode(),
                config.get("ContentType") or "text/plain",
            )
            return Route(answer=lambda _line, _host: answer)
        if action["Type"] == "redirect":
            config = action["RedirectConfig"]
            status = int(config["StatusCode"].removeprefix("HTTP_"))
            port, protocol = int(listener.port), listener.protocol
            return Route(
                answer=lambda line, host: response(
                    status, "Moved", Location=redirect_location(config, line, host, port, protocol)
                )
            )
        return Route(targets=self._targets(_target_group(action)), http=http)

    def _targets(self, group_arn: str) -> tuple[tuple[str, int], ...]:
        """Healthy targets in random order; all of them when none is healthy, as AWS fails open."""
        group = self.target_groups.get(group_arn)
        if group is None:
            return ()
        targets = list(group.targets.values())
        healthy = [target for target in targets if self.checker().health(group_arn, target["Id"]).state == "healthy"]
        chosen = healthy or targets
        random.shuffle(chosen)
        return tuple((target["Id"], int(target["Port"])) for target in chosen)

    def _tls(self, listener: FakeListener) -> ssl.SSLContext:
        from moto.acm.models import acm_backends  # noqa: PLC0415 - only TLS listeners need it

        bundle: Any = acm_backends[self.account_id][self.region_name].get_certificate(listener.certificates[0])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "listener.pem"
            path.touch(mode=0o600)
            path.write_bytes(b"\n".join(part for part in (bundle.key, bundle.cert, bundle.chain) if part))
            try:
                context.load_cert_chain(path)
            except ssl.SSLError as error:
                raise ELBClientError(
                    "InvalidConfigurationRequest",
                    f"Certificate {listener.certificates[0]} has no usable key: {error.reason}",
                ) from error
        return context


LiveElb.__module__ = ELBv2Backend.__module__


def install() -> None:
    """Put the backend in place."""
    elbv2_backends.backend = LiveElb


def _target_group(action: Document) -> str:
    groups = rows(section(action, "ForwardConfig"), "TargetGroups")
    if not groups:
        return action["TargetGroupArn"]
    weights = [int(group.get("Weight", 1)) for group in groups]
    if not sum(weights):
        return groups[0]["TargetGroupArn"]
    return random.choices(groups, weights)[0]["TargetGroupArn"]  # noqa: S311 - traffic, not secrets
