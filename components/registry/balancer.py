"""The tracking server's address: an internal load balancer, with TLS wherever it has a certificate."""

from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws

from components._base import Stage
from components.errors import Problems
from components.refs import NetworkRef
from components.registry.container import PORT
from infra.environment import Environment
from infra.tags import DataClass

HTTPS_PORT = 443
_TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"  # TLS 1.2 and 1.3 only: ELB user guide, security policies
_NAME_BUDGET = 32  # characters of a load balancer's or target group's name: ELB API, CreateLoadBalancer
_SUFFIX = 7  # characters that autonaming adds


class BalancerArgs(TypedDict):
    """What the load balancer is made of."""

    environment: Environment
    """Where it stands."""
    network: NetworkRef
    """The network it answers in."""
    access_logs_bucket: pulumi.Input[str]
    """Bucket that takes its access logs."""
    access_logs_prefix: str
    """Prefix of its access logs."""
    certificate_arn: NotRequired[str]
    """Certificate of its HTTPS listener; plain HTTP on the server's own port when left out."""
    disposable: bool
    """True lets it be deleted; False protects it."""


class Balancer(Stage):
    """An internal application load balancer in front of the tracking server."""

    dns_name: pulumi.Output[str]
    """Its own name."""
    target_group_arn: pulumi.Output[str]
    """Where tasks register, ready once the listener stands."""
    security_group_id: pulumi.Output[str]
    """Its security group."""

    def __init__(self, name: str, args: BalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlp:index:Balancer", "registry", name, args["environment"], opts)
        problems = Problems(f"Balancer {name}")
        longest = _NAME_BUDGET - len("-tasks-") - _SUFFIX
        problems.check(len(name) <= longest, "name", f"must have at most {longest} characters, got {len(name)}")
        problems.raise_any()
        network = args["network"]
        self._certificate = args.get("certificate_arn")
        self._listener_port = PORT if self._certificate is None else HTTPS_PORT
        self._group = self._security_group("access", "The registry's load balancer", network["vpc_id"])
        self._ingress("access-from-vpc", self._group, self._listener_port, "Clients in the VPC", cidr=network["cidr"])
        balancer = aws.lb.LoadBalancer(
            f"{name}-alb",
            internal=True,
            load_balancer_type="application",
            subnets=network["subnet_ids"],
            security_groups=[self._group.id],
            drop_invalid_header_fields=True,
            desync_mitigation_mode="defensive",
            enable_deletion_protection=not args["disposable"],
            access_logs={
                "enabled": True,
                "bucket": args["access_logs_bucket"],
                "prefix": args["access_logs_prefix"],
            },
            tags=self._tags(DataClass.INTERNAL),
            opts=self._child(protect=not args["disposable"]),
        )
        targets = self._targets(network["vpc_id"])
        listener = self._listener(balancer, targets)
        self.dns_name = balancer.dns_name
        self.target_group_arn = pulumi.Output.all(targets.arn, listener.id).apply(lambda known: known[0])
        self.security_group_id = self._group.id
        self.register_outputs(
            {
                "dns_name": self.dns_name,
                "target_group_arn": self.target_group_arn,
                "security_group_id": self.security_group_id,
            }
        )

    @property
    def group(self) -> aws.ec2.SecurityGroup:
        """Security group, to let it out to the server."""
        return self._group

    @property
    def origin(self) -> pulumi.Output[str]:
        """Scheme, name and port of the listener, by the load balancer's own name."""
        scheme = "http" if self._certificate is None else "https"
        return pulumi.Output.concat(f"{scheme}://", self.dns_name, f":{self._listener_port}")

    def _targets(self, vpc_id: pulumi.Input[str]) -> aws.lb.TargetGroup:
        return aws.lb.TargetGroup(
            f"{self._prefix}-tasks",
            vpc_id=vpc_id,
            target_type="ip",
            protocol="HTTP",
            port=PORT,
            deregistration_delay=30,
            health_check={
                "path": "/health",
                "protocol": "HTTP",
                "matcher": "200",
                "interval": 15,
                "timeout": 5,
                "healthy_threshold": 2,
                "unhealthy_threshold": 4,
            },
            tags=self._tags(DataClass.INTERNAL),
            opts=self._child(),
        )

    def _listener(self, balancer: aws.lb.LoadBalancer, targets: aws.lb.TargetGroup) -> aws.lb.Listener:
        encrypted = self._certificate is not None
        return aws.lb.Listener(
            f"{self._prefix}-listener",
            load_balancer_arn=balancer.arn,
            port=self._listener_port,
            protocol="HTTPS" if encrypted else "HTTP",
            certificate_arn=self._certificate,
            ssl_policy=_TLS_POLICY if encrypted else None,
            default_actions=[{"type": "forward", "target_group_arn": targets.arn}],
            tags=self._tags(DataClass.INTERNAL),
            opts=self._child(),
        )
