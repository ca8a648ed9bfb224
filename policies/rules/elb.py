"""ELB: load balancers speak TLS, are logged, protected and span zones."""

from collections.abc import Iterator
from typing import Any

from policies.controls import Control, Nist, Severity, resource_rule
from policies.resources import Block, Resource, dig

LOAD_BALANCER = "aws:lb/loadBalancer:LoadBalancer"
LISTENER = "aws:lb/listener:Listener"

RECOMMENDED_TLS_POLICIES = frozenset(
    {
        "ELBSecurityPolicy-TLS13-1-2-2021-06",
        "ELBSecurityPolicy-TLS13-1-2-FIPS-2023-04",
        "ELBSecurityPolicy-TLS13-1-3-2021-06",
        "ELBSecurityPolicy-TLS13-1-3-FIPS-2023-04",
        "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
        "ELBSecurityPolicy-TLS13-1-2-Res-FIPS-2023-04",
        "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09",
        "ELBSecurityPolicy-TLS13-1-2-PQ-2025-09",
        "ELBSecurityPolicy-TLS13-1-3-PQ-2025-09",
    }
)
"""Policies that allow nothing older than TLS 1.2 with forward secrecy (ELB user guide, "Security policies")."""


def _is_application(balancer: Resource) -> bool:
    return balancer.get("loadBalancerType", "application") == "application"


@resource_rule(
    Control(
        "ELB.1",
        "Application Load Balancer should be configured to redirect all HTTP requests to HTTPS",
        Severity.MEDIUM,
        (LISTENER,),
        "protocol, defaultActions",
        nist=Nist.IN_TRANSIT,
    )
)
def redirects_to_https(listener: Resource) -> Iterator[str]:
    """An HTTP listener does nothing but redirect to HTTPS."""
    if listener.get("protocol") != "HTTP":
        return
    actions: list[Any] = listener.get("defaultActions", [])
    if not actions or not all(_redirects(action) for action in actions):
        yield "an HTTP listener does something else than redirect to HTTPS"


def _redirects(action: Any) -> bool:
    # A redirect that names no protocol keeps the request's own, which here is HTTP.
    return action.get("type") == "redirect" and dig(action, "redirect", "protocol") == "HTTPS"


@resource_rule(
    Control(
        "ELB.4",
        "Application Load Balancer should be configured to drop invalid http headers",
        Severity.MEDIUM,
        (LOAD_BALANCER,),
        "dropInvalidHeaderFields",
        nist=Nist.NETWORK,
    )
)
def drops_invalid_headers(balancer: Resource) -> Iterator[str]:
    """Headers that are not valid do not reach the service."""
    if _is_application(balancer) and not balancer.get("dropInvalidHeaderFields"):
        yield "dropInvalidHeaderFields is not true"


@resource_rule(
    Control(
        "ELB.5",
        "Application and Classic Load Balancers logging should be enabled",
        Severity.MEDIUM,
        (LOAD_BALANCER,),
        "accessLogs",
        nist=Nist.LOGGING,
    )
)
def logs_access(balancer: Resource) -> Iterator[str]:
    """Access logs are written to a bucket."""
    logs: Block = balancer.get("accessLogs") or {}
    if not (logs.get("enabled") and logs.get("bucket")):
        yield "accessLogs is not enabled with a bucket"


@resource_rule(
    Control(
        "ELB.6",
        "Application, Gateway, and Network Load Balancers should have deletion protection enabled",
        Severity.MEDIUM,
        (LOAD_BALANCER,),
        "enableDeletionProtection",
        nist=Nist.DELETION,
    )
)
def is_protected(balancer: Resource) -> Iterator[str]:
    """AWS refuses to delete it until protection is switched off."""
    if not balancer.get("enableDeletionProtection"):
        yield "enableDeletionProtection is not true"


@resource_rule(
    Control(
        "ELB.12",
        "Application Load Balancers should be configured with defensive or strictest desync mitigation mode",
        Severity.MEDIUM,
        (LOAD_BALANCER,),
        "desyncMitigationMode",
        nist=Nist.NETWORK,
    )
)
def mitigates_desync(balancer: Resource) -> Iterator[str]:
    """Defensive, which is the default, or strictest."""
    mode = balancer.get("desyncMitigationMode", "defensive")
    if _is_application(balancer) and mode not in {"defensive", "strictest"}:
        yield f"desyncMitigationMode is {mode!r}"


@resource_rule(
    Control(
        "ELB.13",
        "Application, Network, and Gateway Load Balancers should span multiple Availability Zones",
        Severity.MEDIUM,
        (LOAD_BALANCER,),
        "subnets or subnetMappings: at least two",
        nist=Nist.BACKUP,
    )
)
def spans_zones(balancer: Resource) -> Iterator[str]:
    """At least two subnets: AWS takes one per zone."""
    count = len(balancer.get("subnets") or balancer.get("subnetMappings") or [])
    if count < 2:
        yield f"in {count} subnet: name at least two, in different zones"


@resource_rule(
    Control(
        "ELB.17",
        "Application and Network Load Balancers with listeners should use recommended security policies",
        Severity.MEDIUM,
        (LISTENER,),
        "sslPolicy of HTTPS and TLS listeners",
        nist=Nist.IN_TRANSIT,
    )
)
def uses_recommended_tls(listener: Resource) -> Iterator[str]:
    """Nothing older than TLS 1.2; no value means AWS's default of 2016."""
    if listener.get("protocol") in {"HTTPS", "TLS"}:
        policy = listener.get("sslPolicy", "ELBSecurityPolicy-2016-08")
        if policy not in RECOMMENDED_TLS_POLICIES:
            yield f"sslPolicy is {policy!r}; use for instance 'ELBSecurityPolicy-TLS13-1-2-2021-06'"


@resource_rule(
    Control(
        "ELB.18",
        "Application and Network Load Balancer listeners should use secure protocols to encrypt data in transit",
        Severity.MEDIUM,
        (LISTENER,),
        "protocol",
        nist=Nist.IN_TRANSIT,
    )
)
def speaks_tls(listener: Resource) -> Iterator[str]:
    """HTTPS or TLS; an HTTP listener that only redirects carries nothing."""
    protocol = listener.get("protocol")
    actions: list[Any] = listener.get("defaultActions", [])
    if protocol == "HTTP" and actions and all(_redirects(action) for action in actions):
        return
    if protocol not in {"HTTPS", "TLS", "QUIC", "TCP_QUIC"}:
        yield f"protocol is {protocol!r}"
