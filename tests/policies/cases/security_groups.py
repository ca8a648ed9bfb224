"""Security groups, in the three shapes that pulumi-aws has for their rules."""

from typing import Any

from policies.rules import security_groups
from tests.policies.cases._case import Case, Entry, entry


def _rule(token: str = security_groups.INGRESS_RULE, **properties: Any) -> tuple[Entry]:
    given = {"ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "cidrIpv4": "10.0.0.0/16", "description": "TLS"}
    return (entry(token, "rule", **{**given, **properties}),)


def _group(**properties: Any) -> tuple[Entry]:
    rule = {"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["10.0.0.0/16"], **properties}
    return (entry(security_groups.SECURITY_GROUP, "group", ingress=[rule], egress=[rule]),)


_LEGACY = entry(
    security_groups.GROUP_RULE,
    "rule",
    type="ingress",
    protocol="tcp",
    fromPort=22,
    toPort=22,
    cidrBlocks=["10.0.0.0/16"],
)

CASES = (
    Case("EC2.13", _rule(fromPort=22, toPort=22), "rule", "cidrIpv4", "0.0.0.0/0", missing="passes"),
    Case("EC2.13", (_LEGACY,), "rule", "cidrBlocks[0]", "0.0.0.0/0", missing="passes"),
    Case("EC2.13", _group(fromPort=0, toPort=100), "group", "ingress[0].cidrBlocks", ["0.0.0.0/0"], missing="passes"),
    Case("EC2.14", _rule(fromPort=3389, toPort=3389), "rule", "cidrIpv4", "0.0.0.0/0", missing="passes"),
    Case("EC2.18", _rule(cidrIpv4="0.0.0.0/0"), "rule", "fromPort", 442),
    Case("EC2.18", _rule(ipProtocol="udp"), "rule", "cidrIpv4", "0.0.0.0/0", missing="passes"),
    Case(
        "EC2.18",
        _group(fromPort=8000, toPort=8443),
        "group",
        "ingress[0].cidrBlocks",
        ["10.0.0.0/8", "0.0.0.0/0"],
        missing="passes",
    ),
    Case("EC2.19", _rule(fromPort=5432, toPort=5432), "rule", "cidrIpv4", "0.0.0.0/0", missing="passes"),
    Case("EC2.19", _rule(cidrIpv4="0.0.0.0/0"), "rule", "ipProtocol", "-1", missing="passes"),
    Case("EC2.53", _rule(fromPort=0, toPort=1024), "rule", "cidrIpv4", "0.0.0.0/0", missing="passes"),
    Case(
        "EC2.54",
        _rule(cidrIpv4=None, cidrIpv6="fd00::/8", fromPort=22, toPort=22),
        "rule",
        "cidrIpv6",
        "::/0",
        missing="passes",
    ),
    Case(
        "MLP.VPC.2",
        _rule(security_groups.EGRESS_RULE, ipProtocol="-1", fromPort=None, toPort=None),
        "rule",
        "cidrIpv4",
        "0.0.0.0/0",
        missing="passes",
    ),
    Case("MLP.VPC.2", _group(protocol="-1"), "group", "egress[0].cidrBlocks", ["0.0.0.0/0"], missing="passes"),
    Case("MLP.VPC.3", _rule(), "rule", "description", ""),
)
