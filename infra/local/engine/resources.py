"""One resource as the state file records it (`ResourceV3` of Pulumi's `sdk/go/common/apitype/core.go`)."""

from collections.abc import Iterable, Set
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

from infra.local.engine.values import Properties


def now() -> str:
    """The current time as the state file writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Resource:
    """A recorded resource. `delete` marks one that was replaced and whose deletion is still to come.

    `extra` holds fields of the file that this engine does not interpret; they are written back unchanged.
    """

    urn: str
    type: str
    custom: bool
    id: str = ""
    inputs: Properties = field(default_factory=dict[str, Any])
    outputs: Properties = field(default_factory=dict[str, Any])
    parent: str = ""
    provider: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    delete: bool = False
    external: bool = False
    protect: bool = False
    retain_on_delete: bool = False
    deleted_with: str = ""
    init_errors: tuple[str, ...] = ()
    pending_replacement: bool = False
    additional_secret_outputs: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    custom_timeouts: dict[str, float] | None = None
    import_id: str = ""
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    created: str = ""
    modified: str = ""
    extra: dict[str, Any] = field(default_factory=dict[str, Any])

    def references(self) -> set[str]:
        """URNs that must exist before this resource and outlive it."""
        urns = {*self.dependencies, self.parent, self.deleted_with, self.provider.rpartition("::")[0]}
        for depended in self.property_dependencies.values():
            urns.update(depended)
        urns.discard("")
        urns.discard(self.urn)
        return urns

    def without(self, gone: Set[str]) -> "Resource":
        """This resource without its references to the URNs `gone`."""
        return replace(
            self,
            parent="" if self.parent in gone else self.parent,
            deleted_with="" if self.deleted_with in gone else self.deleted_with,
            dependencies=tuple(urn for urn in self.dependencies if urn not in gone),
            property_dependencies={
                key: kept
                for key, urns in self.property_dependencies.items()
                if (kept := [urn for urn in urns if urn not in gone])
            },
        )

    def renamed(self, old: str, new: str) -> "Resource":
        """This resource with every reference to URN `old` turned into `new`; its own URN stays."""
        if old not in self.references():
            return self

        def swap(urns: Iterable[str]) -> list[str]:
            return [new if urn == old else urn for urn in urns]

        provider_urn, separator, provider_id = self.provider.rpartition("::")
        return replace(
            self,
            parent=new if self.parent == old else self.parent,
            deleted_with=new if self.deleted_with == old else self.deleted_with,
            dependencies=tuple(swap(self.dependencies)),
            property_dependencies={key: swap(urns) for key, urns in self.property_dependencies.items()},
            provider=f"{new}{separator}{provider_id}" if provider_urn == old else self.provider,
        )


# Field of the dataclass → key of the file, where camel case alone does not give it.
_KEYS = {"import_id": "importID"}


def _key(name: str) -> str:
    head, *rest = name.split("_")
    return _KEYS.get(name, head + "".join(part.capitalize() for part in rest))


_FIELDS = {item.name: _key(item.name) for item in fields(Resource) if item.name != "extra"}
_TUPLES = {item.name for item in fields(Resource) if str(item.type).startswith("tuple")}
_ALWAYS = {"urn", "custom", "type"}


def to_json(resource: Resource) -> dict[str, Any]:
    """The resource in the state file's form, empty fields left out; property values are not encrypted here."""
    document: dict[str, Any] = {}
    for name, key in _FIELDS.items():
        value: Any = getattr(resource, name)
        if value or name in _ALWAYS:
            document[key] = list(value) if name in _TUPLES else value
    return document | resource.extra


def from_json(document: dict[str, Any]) -> Resource:
    """The resource of a state file's entry; raises KeyError or TypeError where it is not one."""
    known: dict[str, Any] = {}
    rest = dict(document)
    for name, key in _FIELDS.items():
        if key in rest:
            value = rest.pop(key)
            known[name] = tuple(value or ()) if name in _TUPLES else value
    depended: dict[str, list[str]] = known.get("property_dependencies") or {}
    known["property_dependencies"] = {name: urns for name, urns in depended.items() if urns}
    missing = [key for key in ("urn", "type", "custom") if key not in known]
    if missing:
        raise KeyError(missing[0])
    return Resource(**known, extra=rest)


def topological(resources: Iterable[Resource]) -> list[Resource]:
    """The resources with each after what it refers to, otherwise in the order given.

    A reference means the live resource of that URN where there is one, else the one about to be deleted.
    """
    items = list(resources)
    by_urn: dict[str, int] = {}
    for index, resource in enumerate(items):
        if resource.urn not in by_urn or not resource.delete:
            by_urn[resource.urn] = index
    ordered: list[Resource] = []
    done: set[int] = set()
    for start in range(len(items)):
        stack = [(start, False)]
        while stack:
            index, expanded = stack.pop()
            if expanded:
                ordered.append(items[index])
            elif index not in done:
                done.add(index)
                stack.append((index, True))
                needed = sorted(by_urn[urn] for urn in items[index].references() if urn in by_urn)
                stack.extend((other, False) for other in reversed(needed) if other not in done)
    return ordered
