"""Planned or deployed resources as the rules see them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias, cast

from policies.unknown import Undecidable, known, plain

Block: TypeAlias = Mapping[str, Any]
"""A nested object of a resource's properties."""


@dataclass(frozen=True)
class Resource:
    """One resource: its type token, URN and plain properties (an `Unknown` where a value is not known yet)."""

    type: str
    urn: str
    properties: Mapping[str, Any]
    protect: bool = False
    dependencies: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    """Property → URNs of the resources that its value came from."""

    @property
    def name(self) -> str:
        """The logical name: the last part of the URN."""
        return self.urn.rpartition("::")[2]

    @property
    def stack(self) -> str:
        """The stack named in the URN, or an empty string when this is not a URN."""
        parts = self.urn.split("::")
        return parts[0].rpartition(":")[2] if len(parts) > 1 else ""

    @property
    def environment(self) -> str:
        """The Environment tag where there is one and it is known, else the stack's name."""
        for key in ("tags", "tagsAll"):
            tags = self.properties.get(key)
            tag = cast("Mapping[str, Any]", tags).get("Environment") if isinstance(tags, Mapping) else None
            if isinstance(tag, str) and tag:
                return tag
        return self.stack

    def get(self, key: str, default: Any = None) -> Any:
        """The property `key`, or `default` where it is not set."""
        value = self.properties.get(key)
        return default if value is None else value


def dig(source: Resource | Block, *keys: str) -> Any:
    """The value at the path `keys`, or None where any step of it is missing."""
    value: Any = source
    for key in keys:
        if value is None:
            return None
        value = value.get(key)
    return value


def resource(entry: Mapping[str, Any]) -> Resource:
    """A resource from one entry of a preview's plan or of a checkpoint.

    Reads `type`, `urn`, `protect`, `propertyDependencies` and the properties: `properties` alone, or `inputs`
    overlaid with `outputs` and the resource's `id`, because a reference may carry any of them.
    """
    if "properties" in entry:
        properties: dict[str, Any] = dict(plain(entry["properties"]))
    else:
        inputs: dict[str, Any] = plain(entry.get("inputs") or {})
        outputs: dict[str, Any] = plain(entry.get("outputs") or {})
        # An input that the program set says more than an output the provider has not answered yet.
        answered = {key: value for key, value in outputs.items() if known(value) or key not in inputs}
        properties = {**inputs, **{key: value for key, value in answered.items() if value is not None}}
    if entry.get("id"):
        properties.setdefault("id", plain(entry["id"], "id"))
    return Resource(
        type=entry["type"],
        urn=entry["urn"],
        properties=properties,
        protect=bool(entry.get("protect")),
        dependencies=entry.get("propertyDependencies") or {},
    )


class Stack:
    """All resources of a stack, with the references between them resolved."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.resources = list(resources)

    @cached_property
    def _by_type(self) -> dict[str, list[Resource]]:
        grouped: dict[str, list[Resource]] = {}
        for each in self.resources:
            grouped.setdefault(each.type, []).append(each)
        return grouped

    def of_type(self, *types: str) -> Iterator[Resource]:
        """Resources of any of `types`, in the stack's order."""
        for token in types:
            yield from self._by_type.get(token, [])

    def referring(self, target: Resource, token: str, key: str) -> list[Resource]:
        """Resources of type `token` whose property `key` names `target`.

        Raises `Undecidable` when none certainly does but one might: its reference is not known yet and nothing else
        tells what it points at.
        """
        certain: list[Resource] = []
        open_question = ""
        for candidate in self.of_type(token):
            answer = self.refers(candidate, key, target)
            if answer is None:
                open_question = f"{key} of {candidate.name}"
            elif answer:
                certain.append(candidate)
        if not certain and open_question:
            raise Undecidable(open_question)
        return certain

    def refers(self, source: Resource, key: str, target: Resource) -> bool | None:
        """Whether `source`'s property `key` (a value or a list of values) names `target`; None when nobody can tell."""
        value = source.properties.get(key)
        if isinstance(value, list):
            answers = [self._names(each, source, key, target) for each in cast("list[Any]", value)]
            return True if True in answers else (None if None in answers else False)
        return False if value is None else self._names(value, source, key, target)

    def _names(self, value: Any, source: Resource, key: str, target: Resource) -> bool | None:
        if not known(value):
            return self._came_from(source, key, target)
        identities = [target.properties.get(each) for each in ("id", "bucket", "arn", "name", "identifier")]
        if any(known(each) and each == value for each in identities):
            return True
        # An engine does not tell a pack the ids of resources: then only the dependency says where the value came from.
        return target.properties.get("id") is None and self._came_from(source, key, target) is True

    def _came_from(self, source: Resource, key: str, target: Resource) -> bool | None:
        """What the dependencies of an unknown reference say: it came from the only resource of the target's type."""
        urns = [urn for urn in source.dependencies.get(key, ()) if urn.split("::")[-2:-1]]
        same_type = [urn for urn in urns if urn.split("::")[-2].rpartition("$")[2] == target.type]
        if len(same_type) == 1:
            return same_type[0] == target.urn
        return None if not same_type or target.urn in same_type else False
