"""Load balancers and listeners."""

from policies.rules import elb
from tests.policies.cases._case import Case, entry

_BALANCER = entry(
    elb.LOAD_BALANCER,
    "balancer",
    loadBalancerType="application",
    dropInvalidHeaderFields=True,
    enableDeletionProtection=True,
    desyncMitigationMode="defensive",
    accessLogs={"bucket": "logs", "enabled": True},
    subnets=["subnet-1", "subnet-2"],
)
_HTTPS = entry(
    elb.LISTENER,
    "listener",
    protocol="HTTPS",
    port=443,
    sslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06",
    certificateArn="c",
)
_REDIRECT = entry(
    elb.LISTENER,
    "listener",
    protocol="HTTP",
    port=80,
    defaultActions=[{"type": "redirect", "redirect": {"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"}}],
)

CASES = (
    Case("ELB.1", (_REDIRECT,), "listener", "defaultActions[0].type", "forward"),
    Case("ELB.1", (_REDIRECT,), "listener", "defaultActions[0].redirect.protocol", "HTTP"),
    Case("ELB.4", (_BALANCER,), "balancer", "dropInvalidHeaderFields", bad=False),
    Case("ELB.5", (_BALANCER,), "balancer", "accessLogs.enabled", bad=False),
    Case("ELB.6", (_BALANCER,), "balancer", "enableDeletionProtection", bad=False),
    Case("ELB.12", (_BALANCER,), "balancer", "desyncMitigationMode", "monitor", missing="passes"),
    Case("ELB.13", (_BALANCER,), "balancer", "subnets", ["subnet-1"]),
    Case("ELB.17", (_HTTPS,), "listener", "sslPolicy", "ELBSecurityPolicy-TLS-1-0-2015-04"),
    Case("ELB.18", (_HTTPS,), "listener", "protocol", "HTTP"),
    Case("ELB.18", (_REDIRECT,), "listener", "defaultActions[0].type", "forward"),
)
