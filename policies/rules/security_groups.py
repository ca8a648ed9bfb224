"""Security groups: what may be reached from anywhere, and what anything may reach."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from policies.controls import Control, Nist, Severity, Source, resource_rule
from policies.resources import Resource

SECURITY_GROUP = "aws:ec2/securityGroup:SecurityGroup"
GROUP_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS_RULE = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
INGRESS = (INGRESS_RULE, SECURITY_GROUP, GROUP_RULE)
EGRESS = (EGRESS_RULE, SECURITY_GROUP, GROUP_RULE)

ANYWHERE = frozenset({"0.0.0.0/0", "::/0"})

AUTHORIZED_PORTS = frozenset({80, 443})
"""Ports that EC2.18 lets the world reach by default."""

HIGH_RISK_PORTS = {
    20: "FTP",
    21: "FTP",
    22: "SSH",
    23: "Telnet",
    25: "SMTP",
    110: "POP3",
    135: "RPC",
    143: "IMAP",
    445: "CIFS",
    1433: "MSSQL",
    1434: "MSSQL",
    3000: "web development frameworks",
    3306: "MySQL",
    3389: "RDP",
    4333: "ahsp",
    5000: "Python web development frameworks",
    5432: "PostgreSQL",
    5500: "fcp-addr-srvr1",
    5601: "OpenSearch Dashboards",
    8080: "proxy",
    8088: "HTTP legacy port",
    8888: "HTTP alternative port",
    9200: "OpenSearch",
    9300: "OpenSearch",
}
"""EC2.19's ports."""

REMOTE_ADMINISTRATION = {22: "SSH", 3389: "RDP"}


class Opening(NamedTuple):
    """A range of ports, and the address ranges it is open for."""

    protocol: str
    first: int
    last: int
    cidrs: tuple[str, ...]

    @property
    def anywhere(self) -> str:
        """The range that means anywhere, or an empty string."""
        return next((each for each in self.cidrs if each in ANYWHERE), "")

    def includes(self, port: int) -> bool:
        """Whether `port` is open; ICMP has types, not ports."""
        return self.protocol not in {"icmp", "icmpv6", "1", "58"} and self.first <= port <= self.last

    @property
    def ports(self) -> str:
        """The ports, as a sentence names them."""
        if (self.first, self.last) == (0, 65535):
            return "all ports"
        return f"port {self.first}" if self.first == self.last else f"ports {self.first}-{self.last}"


def openings(target: Resource, direction: str) -> Iterator[Opening]:
    """What a group or a rule opens in `direction` (`ingress` or `egress`), in any of pulumi-aws's three shapes."""
    if target.type == SECURITY_GROUP:
        for rule in target.get(direction, []):
            yield _opening(rule, rule.get("protocol"), [*_list(rule, "cidrBlocks"), *_list(rule, "ipv6CidrBlocks")])
    elif target.type == GROUP_RULE:
        if target.get("type") == direction:
            rule = target.properties
            yield _opening(rule, rule.get("protocol"), [*_list(rule, "cidrBlocks"), *_list(rule, "ipv6CidrBlocks")])
    else:
        rule = target.properties
        yield _opening(
            rule, rule.get("ipProtocol"), [each for each in (rule.get("cidrIpv4"), rule.get("cidrIpv6")) if each]
        )


def _list(rule: Any, key: str) -> list[Any]:
    return list(rule.get(key) or [])


def _opening(rule: Any, protocol: Any, cidrs: list[Any]) -> Opening:
    # -1 is every protocol, and then every port whatever the range says.
    if protocol in {"-1", "all", -1}:
        return Opening("-1", 0, 65535, tuple(f"{each}" for each in cidrs))
    first, last = rule.get("fromPort"), rule.get("toPort")
    first = 0 if first is None else int(first)
    return Opening(f"{protocol}", first, 65535 if last is None else int(last), tuple(f"{each}" for each in cidrs))


def _open_ports(target: Resource, ports: dict[int, str], *cidrs: str) -> Iterator[str]:
    for opening in openings(target, "ingress"):
        source = next((each for each in opening.cidrs if each in cidrs), "")
        found = next((port for port in ports if opening.includes(port)), None) if source else None
        if found is not None:
            yield f"{opening.ports} ({ports[found]}) open from {source}"


@resource_rule(
    Control(
        "EC2.13",
        "Security groups should not allow ingress from 0.0.0.0/0 or ::/0 to port 22",
        Severity.HIGH,
        INGRESS,
        "ingress ranges and ports",
        source=Source.SECURITY_HUB,
        nist=Nist.NETWORK,
    )
)
def ssh_is_closed(target: Resource) -> Iterator[str]:
    """SSH is not open to the world."""
    yield from _open_ports(target, {22: "SSH"}, *ANYWHERE)


@resource_rule(
    Control(
        "EC2.14",
        "Security groups should not allow ingress from 0.0.0.0/0 or ::/0 to port 3389",
        Severity.HIGH,
        INGRESS,
        "ingress ranges and ports",
        source=Source.SECURITY_HUB,
        nist=Nist.NETWORK,
    )
)
def remote_desktop_is_closed(target: Resource) -> Iterator[str]:
    """RDP is not open to the world."""
    yield from _open_ports(target, {3389: "RDP"}, *ANYWHERE)


@resource_rule(
    Control(
        "EC2.18",
        "Security groups should only allow unrestricted incoming traffic for authorized ports",
        Severity.HIGH,
        INGRESS,
        "ingress ranges and ports; 80 and 443 are authorized",
        nist=Nist.NETWORK,
    )
)
def only_authorized_ports_are_open(target: Resource) -> Iterator[str]:
    """From anywhere only TCP 80 and 443 may be reached."""
    for opening in openings(target, "ingress"):
        authorized = (
            opening.protocol in {"tcp", "6"} and opening.first == opening.last and opening.first in AUTHORIZED_PORTS
        )
        if opening.anywhere and not authorized:
            yield f"{opening.ports} open from {opening.anywhere}"


@resource_rule(
    Control(
        "EC2.19",
        "Security groups should not allow unrestricted access to ports with high risk",
        Severity.CRITICAL,
        INGRESS,
        "ingress ranges and AWS's list of high-risk ports",
        nist=Nist.NETWORK,
    )
)
def high_risk_ports_are_closed(target: Resource) -> Iterator[str]:
    """None of AWS's high-risk ports is open to the world."""
    yield from _open_ports(target, HIGH_RISK_PORTS, *ANYWHERE)


@resource_rule(
    Control(
        "EC2.53",
        "Security groups should not allow ingress from 0.0.0.0/0 to remote server administration ports",
        Severity.HIGH,
        INGRESS,
        "IPv4 ingress ranges, ports 22 and 3389",
        source=Source.SECURITY_HUB,
    )
)
def administration_is_closed_over_ipv4(target: Resource) -> Iterator[str]:
    """No remote administration over IPv4 from anywhere."""
    yield from _open_ports(target, REMOTE_ADMINISTRATION, "0.0.0.0/0")


@resource_rule(
    Control(
        "EC2.54",
        "Security groups should not allow ingress from ::/0 to remote server administration ports",
        Severity.HIGH,
        INGRESS,
        "IPv6 ingress ranges, ports 22 and 3389",
        source=Source.SECURITY_HUB,
    )
)
def administration_is_closed_over_ipv6(target: Resource) -> Iterator[str]:
    """No remote administration over IPv6 from anywhere."""
    yield from _open_ports(target, REMOTE_ADMINISTRATION, "::/0")


@resource_rule(
    Control(
        "MLP.VPC.2",
        "Egress is open to named peers, not to everywhere on every port",
        Severity.MEDIUM,
        EGRESS,
        "egress ranges and ports",
        source=Source.MLP,
        nist=Nist.NETWORK,
    )
)
def egress_is_narrow(target: Resource) -> Iterator[str]:
    """No rule lets everything out: data leaves only where a rule names the way."""
    for opening in openings(target, "egress"):
        if opening.anywhere and (opening.first, opening.last) == (0, 65535):
            yield f"{opening.ports} open to {opening.anywhere}"


@resource_rule(
    Control(
        "MLP.VPC.3",
        "Every security group rule says what it is for",
        Severity.LOW,
        (INGRESS_RULE, EGRESS_RULE),
        "description",
        source=Source.MLP,
    )
)
def rule_is_described(rule: Resource) -> Iterator[str]:
    """A rule nobody can explain is never removed."""
    if not rule.get("description"):
        yield "description is empty"
