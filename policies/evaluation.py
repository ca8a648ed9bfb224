"""Run the rules over resources: no process, no network, no credentials."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policies.catalog import RULES
from policies.controls import Control, Level, Rule
from policies.documents import MalformedError
from policies.resources import Resource, Stack, resource
from policies.unknown import Undecidable


@dataclass(frozen=True)
class Finding:
    """A violation, or (`undecided`) a control that a value not known yet kept from being judged."""

    control: Control
    urn: str
    environment: str
    message: str
    undecided: bool = False

    @property
    def name(self) -> str:
        """The resource's logical name."""
        return self.urn.rpartition("::")[2]

    @property
    def level(self) -> Level:
        """The control's level; what could not be decided only advises."""
        return Level.ADVISORY if self.undecided else self.control.level


def evaluate(resources: Iterable[Resource | Mapping[str, Any]], rules: Iterable[Rule] = RULES) -> list[Finding]:
    """Findings of `rules` over all `resources` of one stack, in the rules' order.

    A resource is a `Resource`, or an entry of a plan or a checkpoint as `policies.resources.resource` reads it.
    """
    stack = Stack(each if isinstance(each, Resource) else resource(each) for each in resources)
    return [finding for rule in rules for finding in judge_stack(rule, stack)]


def judged(resources: Iterable[Resource | Mapping[str, Any]], rules: Iterable[Rule] = RULES) -> set[str]:
    """Ids of the controls that have a resource to judge among `resources`."""
    types = {each.type if isinstance(each, Resource) else each["type"] for each in resources}
    return {rule.control.id for rule in rules if types & set(rule.control.types)}


def judge_stack(rule: Rule, stack: Stack) -> Iterator[Finding]:
    """Findings of one rule over a stack."""
    for each in stack.of_type(*rule.control.types):
        yield from judge(rule, each, stack)


def judge(rule: Rule, target: Resource, stack: Stack | None = None) -> Iterator[Finding]:
    """Findings of one rule on one resource. Violations seen before a value that is not known are kept."""
    try:
        for message in _messages(rule, target, stack):
            yield Finding(rule.control, target.urn, target.environment, message)
    except MalformedError as error:
        yield Finding(rule.control, target.urn, target.environment, f"a document in it cannot be read: {error}")
    except Undecidable as unknown:
        yield Finding(rule.control, target.urn, target.environment, f"cannot tell: {unknown}", undecided=True)


def _messages(rule: Rule, target: Resource, stack: Stack | None) -> Iterable[str]:
    if rule.check_resource is not None:
        return rule.check_resource(target)
    if rule.check_in_stack is not None:
        return rule.check_in_stack(target, stack or Stack([target]))
    raise TypeError(f"{rule.control.id} has no check")
