"""EC2 whose security group rules keep their descriptions, whatever they refer to."""

from collections.abc import Iterator
from typing import Any

from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.security_groups import SecurityGroupRule


class LiveEc2(EC2Backend):
    """Networks of one region."""

    def _iterate_security_rules(
        self,
        ip_protocol: str,
        group_id: str,
        from_port: str,
        to_port: str,
        ip_ranges: list[Any],
        source_groups: list[dict[str, Any]],
        prefix_list_ids: list[dict[str, str]],
        *more: Any,
        **named: Any,
    ) -> Iterator[SecurityGroupRule]:
        # moto reads a rule's description from its address range alone, and takes that of a group for a part of it.
        addresses: list[dict[str, str]] = [entry if isinstance(entry, dict) else {} for entry in ip_ranges]
        descriptions: list[str | None] = [
            *(entry.get("Description") for entry in addresses),
            *(entry.pop("Description", None) for entry in source_groups),
            *(entry.get("Description") for entry in prefix_list_ids),
        ]
        rules = super()._iterate_security_rules(
            ip_protocol, group_id, from_port, to_port, ip_ranges, source_groups, prefix_list_ids, *more, **named
        )
        for rule, description in zip(rules, descriptions, strict=True):
            if description is not None and not rule.ip_range:
                rule.ip_range = {"Description": description}
            yield rule

    def _sg_update_description(self, security_rule: SecurityGroupRule, rule: SecurityGroupRule) -> None:
        if security_rule.description is not None:
            rule.ip_range["Description"] = security_rule.description


LiveEc2.__module__ = EC2Backend.__module__


def install() -> None:
    """Put the backend in place."""
    ec2_backends.backend = LiveEc2
