"""EC2: security groups and their rules."""

from typing import Any

from infra.local.errors import LocalError
from infra.local.provider.handler import MARKER, Handler, Scope
from infra.local.provider.names import Name
from infra.local.provider.spec import Call, Read, Spec, Tagging
from infra.local.provider.values import mapping, sequence

from .ec2_network import marker_filter

_MISSING = frozenset(
    (
        "InvalidGroup.NotFound",
        "InvalidGroupId.NotFound",
        "InvalidSecurityGroupRuleId.NotFound",
        "InvalidGroupId.Malformed",
    )
)

Rule = tuple[str, int | None, int | None, str, str, str]
"""Protocol, first and last port, kind of source, source, description."""

_SOURCES = {
    "cidrBlocks": "CidrIpv4",
    "ipv6CidrBlocks": "CidrIpv6",
    "prefixListIds": "PrefixListId",
    "securityGroups": "GroupId",
}


def _ports(protocol: str, first: Any, last: Any) -> tuple[int | None, int | None]:
    """Ports mean nothing where every protocol is meant."""
    return (None, None) if protocol == "-1" else (first, last)


def wanted_rules(blocks: list[dict[str, Any]], group_id: str) -> set[Rule]:
    """Inline blocks as single rules."""
    rules: set[Rule] = set()
    for block in blocks:
        protocol = {"all": "-1", "6": "tcp", "17": "udp"}.get(str(block["protocol"]), str(block["protocol"]))
        ports = _ports(protocol, block.get("fromPort"), block.get("toPort"))
        text = block.get("description") or ""
        for name, kind in _SOURCES.items():
            rules |= {(protocol, *ports, kind, source, text) for source in sequence(block.get(name))}
        if block.get("self"):
            rules.add((protocol, *ports, "GroupId", group_id, text))
    return rules


def actual_rules(answers: list[dict[str, Any]], *, egress: bool) -> dict[Rule, str]:
    """Rules without a marker, which no resource of their own stands for, with their ids."""
    found: dict[Rule, str] = {}
    for answer in answers:
        marked = any(tag["Key"] == MARKER for tag in sequence(answer.get("Tags")))
        if bool(answer.get("IsEgress")) is not egress or marked:
            continue
        protocol = str(answer["IpProtocol"])
        ports = _ports(protocol, answer.get("FromPort"), answer.get("ToPort"))
        sources = {**answer, "GroupId": mapping(answer.get("ReferencedGroupInfo")).get("GroupId")}
        for kind in _SOURCES.values():
            if isinstance(sources.get(kind), str):
                rule = (protocol, *ports, kind, str(sources[kind]), answer.get("Description") or "")
                found[rule] = answer["SecurityGroupRuleId"]
    return found


def as_blocks(rules: set[Rule], group_id: str) -> list[dict[str, Any]]:
    """Single rules as inline blocks, one for each protocol, ports and description."""
    blocks: dict[tuple[Any, ...], dict[str, Any]] = {}
    names = {kind: name for name, kind in _SOURCES.items()}
    for protocol, first, last, kind, source, text in sorted(rules, key=repr):
        block = blocks.setdefault(
            (protocol, first, last, text),
            {"protocol": protocol, "fromPort": first or 0, "toPort": last or 0, "description": text},
        )
        if source == group_id:
            block["self"] = True
        else:
            block.setdefault(names[kind], []).append(source)
    return list(blocks.values())


def _permission(rule: Rule) -> dict[str, Any]:
    protocol, first, last, kind, source, text = rule
    lists = {
        "CidrIpv4": ("IpRanges", "CidrIp"),
        "CidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
        "PrefixListId": ("PrefixListIds", "PrefixListId"),
        "GroupId": ("UserIdGroupPairs", "GroupId"),
    }
    member, inner = lists[kind]
    entry = {inner: source, **({"Description": text} if text else {})}
    ports = {} if first is None else {"FromPort": first, "ToPort": last}
    return {"IpProtocol": protocol, **ports, member: [entry]}


class SecurityGroup(Handler):
    """Inline rules are those that no rule resource stands for; a group made here starts without any."""

    def fetch(self, scope: Scope) -> dict[str, Any] | None:
        """The group and its rules."""
        item = super().fetch(scope)
        if item is not None:
            filters = [{"Name": "group-id", "Values": [scope.id]}]
            item["Rules"] = scope.call("DescribeSecurityGroupRules", Filters=filters)["SecurityGroupRules"]
        return item

    def outputs(self, scope: Scope, item: dict[str, Any]) -> dict[str, Any]:
        """Rules as blocks, spelt as before where they are the same."""
        result = super().outputs(scope, {**item, "ingress": None, "egress": None})
        for name in ("ingress", "egress"):
            actual = set(actual_rules(item["Rules"], egress=name == "egress"))
            before = scope.inputs.get(name) or sequence(scope.state.get(name))
            same = wanted_rules(before, scope.id) == actual
            result[name] = before if same else as_blocks(actual, scope.id)
        return result

    def created(self, scope: Scope) -> None:
        """Replace AWS's allow-all egress by the rules given."""
        self.update(scope, frozenset(("ingress", "egress")))

    def update(self, scope: Scope, changed: frozenset[str]) -> None:
        """Revoke the rules that are not wanted and authorize the missing ones."""
        for name in sorted(changed & {"ingress", "egress"}):
            direction = name.capitalize()
            wanted = wanted_rules(sequence(scope.inputs.get(name)), scope.id)
            actual = actual_rules(mapping(self.fetch(scope))["Rules"], egress=name == "egress")
            surplus = [rule_id for rule, rule_id in actual.items() if rule not in wanted]
            if surplus:
                scope.call(f"RevokeSecurityGroup{direction}", GroupId=scope.id, SecurityGroupRuleIds=surplus)
            for rule in sorted(wanted - actual.keys(), key=repr):
                scope.call(f"AuthorizeSecurityGroup{direction}", GroupId=scope.id, IpPermissions=[_permission(rule)])


class DefaultSecurityGroup(SecurityGroup):
    """The group that every VPC has: taken over, emptied, and left behind with its VPC."""

    def find(self, scope: Scope) -> str | None:
        """The group is always there and is always taken over anew."""
        del scope
        return None

    def create(self, scope: Scope) -> str:
        """Take the group over."""
        filters = [{"Name": "vpc-id", "Values": [scope.inputs["vpcId"]]}, {"Name": "group-name", "Values": ["default"]}]
        found = scope.call("DescribeSecurityGroups", Filters=filters)["SecurityGroups"]
        if not found:
            raise LocalError(f"{self.spec.type}: VPC {scope.inputs['vpcId']} has no default security group")
        scope.id = found[0]["GroupId"]
        self.created(scope)
        self.put_tags(scope, {**scope.all_tags(), MARKER: scope.token}, [])
        return scope.id


class SecurityGroupRule(Handler):
    """One rule of a group. Its source is one of four properties."""

    @property
    def _direction(self) -> str:
        return "Egress" if "Egress" in self.spec.type else "Ingress"

    def amend(self, scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        """The rule as the one permission of the call."""
        tags = {"TagSpecifications": params["TagSpecifications"]}
        return {"GroupId": scope.inputs["securityGroupId"], "IpPermissions": [_permission(_single(scope))], **tags}

    def created(self, scope: Scope) -> None:
        """Everything was in the create call."""

    def outputs(self, scope: Scope, item: dict[str, Any]) -> dict[str, Any]:
        """The rule's properties; ports only where the protocol has them."""
        item = {**item, "ReferencedSecurityGroupId": mapping(item.get("ReferencedGroupInfo")).get("GroupId")}
        if item.get("IpProtocol") == "-1":
            item |= {"FromPort": None, "ToPort": None}
        result = super().outputs(scope, item)
        return {**result, "securityGroupRuleId": scope.id}

    def update(self, scope: Scope, changed: frozenset[str]) -> None:
        """Change the rule in place."""
        if not changed:
            return
        protocol, first, last, kind, source, text = _single(scope)
        member = "ReferencedGroupId" if kind == "GroupId" else kind
        rule = {"IpProtocol": protocol, member: source, "Description": text}
        ports = {} if first is None else {"FromPort": first, "ToPort": last}
        change = {"SecurityGroupRuleId": scope.id, "SecurityGroupRule": {**rule, **ports}}
        scope.call("ModifySecurityGroupRules", GroupId=scope.inputs["securityGroupId"], SecurityGroupRules=[change])

    def delete(self, scope: Scope) -> None:
        """Revoke the rule."""
        group = scope.lookup("securityGroupId")
        scope.call(f"RevokeSecurityGroup{self._direction}", GroupId=group, SecurityGroupRuleIds=[scope.id])


def _single(scope: Scope) -> Rule:
    names = {
        "cidrIpv4": "CidrIpv4",
        "cidrIpv6": "CidrIpv6",
        "prefixListId": "PrefixListId",
        "referencedSecurityGroupId": "GroupId",
    }
    given = [(kind, scope.inputs[name]) for name, kind in names.items() if scope.inputs.get(name)]
    if len(given) != 1:
        raise LocalError(f"{scope.spec.type}: exactly one of {', '.join(names)} must be given, got {len(given)}")
    protocol = str(scope.inputs["ipProtocol"])
    ports = _ports(protocol, scope.inputs.get("fromPort"), scope.inputs.get("toPort"))
    return (protocol, *ports, *given[0], scope.inputs.get("description") or "")


def _rule_spec(direction: str) -> Spec:
    rules = [{"Name": "group-id", "Values": ["{securityGroupId}"]}, *marker_filter()]
    return Spec(
        type=f"aws:vpc/securityGroup{direction}Rule:SecurityGroup{direction}Rule",
        service="ec2",
        id="@SecurityGroupRules[0].SecurityGroupRuleId",
        create=Call(operation=f"AuthorizeSecurityGroup{direction}"),
        read=Read(
            operation="DescribeSecurityGroupRules",
            params={"SecurityGroupRuleIds": ["{id}"]},
            select="SecurityGroupRules[0]",
        ),
        find=Read(
            operation="DescribeSecurityGroupRules",
            params={"Filters": rules},
            select="SecurityGroupRules[].SecurityGroupRuleId",
        ),
        delete=None,
        tags=Tagging(ec2_type="security-group-rule"),
        replace=frozenset(("securityGroupId",)),
        delete_before_replace=True,
        rename={"securityGroupId": "GroupId"},
        handled=frozenset(
            (
                "cidrIpv4",
                "cidrIpv6",
                "description",
                "fromPort",
                "ipProtocol",
                "prefixListId",
                "referencedSecurityGroupId",
                "securityGroupId",
                "toPort",
            )
        ),
        outputs={"arn": "arn:{partition}:ec2:{region}:{account}:security-group-rule/{id}"},
        missing=_MISSING,
    )


_GROUP_READ = Read(operation="DescribeSecurityGroups", params={"GroupIds": ["{id}"]}, select="SecurityGroups[0]")
_GROUP_ARN = {"arn": "arn:{partition}:ec2:{region}:{account}:security-group/{id}"}

SECURITY_GROUP = Spec(
    type="aws:ec2/securityGroup:SecurityGroup",
    service="ec2",
    id="@GroupId",
    create=Call(operation="CreateSecurityGroup"),
    read=_GROUP_READ,
    delete=Call(operation="DeleteSecurityGroup", params={"GroupId": "{id}"}),
    find=Read(
        operation="DescribeSecurityGroups", params={"Filters": marker_filter()}, select="SecurityGroups[].GroupId"
    ),
    tags=Tagging(ec2_type="security-group"),
    name=Name("name", max=255, prefix_property="namePrefix"),
    replace=frozenset(("name", "description", "vpcId")),
    rename={"name": "GroupName"},
    defaults={"description": "Managed by Pulumi"},
    computed=frozenset(("vpcId",)),
    local=frozenset(("namePrefix", "revokeRulesOnDelete")),
    handled=frozenset(("ingress", "egress")),
    outputs=_GROUP_ARN,
    missing=_MISSING,
)

DEFAULT_SECURITY_GROUP = Spec(
    type="aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
    service="ec2",
    id="@GroupId",
    create=Call(operation="DescribeSecurityGroups"),
    read=_GROUP_READ,
    delete=None,
    tags=Tagging(ec2_type="security-group"),
    replace=frozenset(("vpcId",)),
    rename={"name": "GroupName"},
    computed=frozenset(("vpcId",)),
    local=frozenset(("revokeRulesOnDelete",)),
    handled=frozenset(("ingress", "egress", "vpcId")),
    outputs=_GROUP_ARN,
    missing=_MISSING,
)

HANDLERS = (
    SecurityGroup(SECURITY_GROUP),
    DefaultSecurityGroup(DEFAULT_SECURITY_GROUP),
    SecurityGroupRule(_rule_spec("Ingress")),
    SecurityGroupRule(_rule_spec("Egress")),
)
