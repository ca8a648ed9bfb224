"""Between Pulumi's properties and botocore's members, both ways, from the service models.

Names match without regard to case and number (`securityGroupIds`, `SecurityGroupIds`; `rule`, `Rules`); what does not
match is named in a table of renames by dotted Pulumi path. Values are checked against the shape on the way: type,
enumeration, pattern, length and range.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from botocore.model import Shape

from . import schema
from .values import UNKNOWN, is_mapping, is_sequence

Rename = Mapping[str, str]


@dataclass(frozen=True)
class Failure:
    """One thing wrong with an input."""

    path: str
    """Property path in Pulumi's spelling, as `rules[0].expiration.days`."""
    reason: str


@dataclass
class Conversion:
    """One walk from properties to parameters; what is wrong collects in `failures`."""

    rename: Rename
    transforms: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict[str, Callable[[Any], Any]])
    """By dotted path: how the value is spelt on AWS, where case and structure are not the only difference."""
    failures: list[Failure] = field(default_factory=list[Failure])

    def fail(self, path: str, reason: str) -> None:
        """Note a failure."""
        self.failures.append(Failure(path, reason))

    def params(self, properties: Mapping[str, Any], shape: Any, kinds: Mapping[str, schema.Kind]) -> dict[str, Any]:
        """Parameters of an operation for those properties it has a member for."""
        result: dict[str, Any] = {}
        for name, value in properties.items():
            member = find_member(name, tuple(shape.members), self.rename.get(name))
            if member is not None and name in kinds and value is not None:
                result[member] = self.value(value, shape.members[member], name, name)
        return {name: value for name, value in result.items() if value is not UNKNOWN}

    def value(self, value: Any, shape: Any, path: str, dotted: str) -> Any:
        """One value as the shape wants it; `UNKNOWN` is passed on unchecked."""
        if dotted in self.transforms and value is not UNKNOWN:
            value = self.transforms[dotted](value)
        return self._shaped(value, shape, path, dotted)

    def _shaped(self, value: Any, shape: Any, path: str, dotted: str) -> Any:
        """A value after its transform: elements of a list have the path of their list and no transform of their own."""
        if value is UNKNOWN:
            return UNKNOWN
        match shape.type_name:
            case "structure":
                return self._structure(value, shape, path, dotted)
            case "list":
                return self._list(value, shape, path, dotted)
            case "map":
                return self._map(value, shape, path, dotted)
            case _:
                return self._scalar(value, shape, path)

    def _structure(self, value: Any, shape: Any, path: str, dotted: str) -> Any:
        if is_sequence(value):
            if len(value) > 1:
                self.fail(path, f"takes one block, got {len(value)}; keep one")
                return UNKNOWN
            return self._structure(value[0], shape, f"{path}[0]", dotted) if value else {}
        if not is_mapping(value):
            if tuple(shape.members) == ("Value",):  # EC2's wrapping of attributes
                return {"Value": self.value(value, shape.members["Value"], path, dotted)}
            self.fail(path, f"must be an object, got {_got(value)}")
            return UNKNOWN
        result: dict[str, Any] = {}
        for name, item in value.items():
            inner = f"{dotted}.{name}"
            member = find_member(name, tuple(shape.members), self.rename.get(inner))
            if item is None or self.rename.get(inner) == "":
                continue
            if member is None:
                self.fail(f"{path}.{name}", "is not supported by the local provider; leave it out")
                continue
            converted = self.value(item, shape.members[member], f"{path}.{name}", inner)
            if converted is not UNKNOWN:
                result[member] = converted
        return result

    def _list(self, value: Any, shape: Any, path: str, dotted: str) -> Any:
        if is_mapping(value) and (pair := pair_members(shape.member)):
            key, content = pair
            return [{key: name, content: item} for name, item in value.items() if item is not UNKNOWN]
        if not is_sequence(value):
            value = [value]
        check_length(self, path, len(value), shape, "elements")
        items = [self._shaped(item, shape.member, f"{path}[{index}]", dotted) for index, item in enumerate(value)]
        return [item for item in items if item is not UNKNOWN]

    def _map(self, value: Any, shape: Any, path: str, dotted: str) -> Any:
        if not is_mapping(value):
            self.fail(path, f"must be a map, got {_got(value)}")
            return UNKNOWN
        items = {name: self.value(item, shape.value, f"{path}.{name}", dotted) for name, item in value.items()}
        return {name: item for name, item in items.items() if item is not UNKNOWN}

    def _scalar(self, value: Any, shape: Any, path: str) -> Any:
        converted = to_scalar(value, shape.type_name)
        if converted is UNKNOWN:
            self.fail(path, f"must be {_WORDS.get(shape.type_name, shape.type_name)}, got {_got(value)}")
            return UNKNOWN
        check_constraints(self, path, converted, shape)
        return converted


_WORDS = {
    "string": "a string",
    "integer": "a whole number",
    "long": "a whole number",
    "boolean": "true or false",
    "float": "a number",
    "double": "a number",
}


def _got(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def to_scalar(value: Any, type_name: str) -> Any:  # noqa: PLR0911  # one return per type reads as a table
    """The value as botocore's scalar type, or `UNKNOWN` when it cannot be."""
    if isinstance(value, Mapping | list):
        return UNKNOWN
    match type_name:
        case "string" | "timestamp":
            return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
        case "integer" | "long":
            if isinstance(value, str) and re.fullmatch(r"-?\d+", value):
                return int(value)
            return value if isinstance(value, int) and not isinstance(value, bool) else UNKNOWN
        case "float" | "double":
            if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value):
                return float(value)
            return value if isinstance(value, int | float) and not isinstance(value, bool) else UNKNOWN
        case "boolean":
            if isinstance(value, str) and value in {"true", "false"}:
                return value == "true"
            return value if isinstance(value, bool) else UNKNOWN
        case _:
            return value


def check_length(conversion: Conversion, path: str, length: int, shape: Any, unit: str) -> None:
    """Note a failure when a length is outside the shape's `min` and `max`."""
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if (least is not None and length < least) or (most is not None and length > most):
        conversion.fail(path, f"must have {_range(least, most)} {unit}, got {length}")


def _range(least: Any, most: Any) -> str:
    if most is None:
        return f"at least {least}"
    return f"at most {most}" if not least else f"{least} to {most}"


@cache
def _pattern(pattern: str) -> re.Pattern[str] | None:
    """The pattern, or None where Python cannot read it (service models use Java's syntax)."""
    try:
        return re.compile(pattern)
    except re.error:
        return None


def check_constraints(conversion: Conversion, path: str, value: Any, shape: Any) -> None:
    """Note a failure for each constraint of the shape that the scalar breaks."""
    if isinstance(value, str) and shape.type_name == "string":
        allowed = getattr(shape, "enum", None)
        if allowed and value not in allowed:
            conversion.fail(path, f"must be one of {', '.join(allowed)}, got {_got(value)}")
            return
        check_length(conversion, path, len(value), shape, "characters")
        pattern = shape.metadata.get("pattern")
        compiled = _pattern(pattern) if pattern else None
        if compiled and not compiled.fullmatch(value):
            conversion.fail(path, f"must match {pattern}, got {_got(value)}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        if (least is not None and value < least) or (most is not None and value > most):
            conversion.fail(path, f"must be {_range(least, most)}, got {value}")


def pair_members(shape: Shape) -> tuple[str, str] | None:
    """Names of the key and value members when a structure is one entry of a map, as `Key` and `Value`."""
    names = getattr(shape, "members", {})
    for key in ("Key", "key", "Name", "name", "TagKey"):
        for value in ("Value", "value", "TagValue"):
            if key in names and value in names:
                return key, value
    return None


@cache
def find_member(name: str, names: tuple[str, ...], renamed: str | None = None) -> str | None:
    """The member that a Pulumi property name means, among those of a structure."""
    if renamed is not None:
        return next((member for member in renamed.split("|") if member in names), None)
    by_key = {member.lower(): member for member in names}
    lower = name.lower()
    for candidate in (lower, f"{lower}s", lower.removesuffix("s"), _singular(lower), _plural(lower)):
        if candidate in by_key:
            return by_key[candidate]
    return None


def _singular(name: str) -> str:
    return f"{name.removesuffix('ies')}y" if name.endswith("ies") else name.removesuffix("es")


def _plural(name: str) -> str:
    return f"{name.removesuffix('y')}ies" if name.endswith("y") else f"{name}es"


@dataclass(frozen=True)
class Reading:
    """One walk from an answer of AWS to properties, led by the kinds that Pulumi promises."""

    rename: Rename
    transforms: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict[str, Callable[[Any], Any]])
    """By dotted path: how the value is spelt in Pulumi."""

    def properties(self, item: Mapping[str, Any], kinds: Mapping[str, schema.Kind], dotted: str = "") -> dict[str, Any]:
        """The properties that the answer has a value for."""
        result: dict[str, Any] = {}
        for name, kind in kinds.items():
            path = f"{dotted}.{name}" if dotted else name
            member = find_member(name, tuple(item), self.rename.get(path))
            if member is None or item[member] is None:
                continue
            value = self.transforms[path](item[member]) if path in self.transforms else item[member]
            converted = self.value(value, kind, path)
            if converted is not None:
                result[name] = converted
        return result

    def value(self, value: Any, kind: schema.Kind, dotted: str) -> Any:
        """One value as Pulumi promises it."""
        if schema.is_object(kind):
            value = value[0] if is_sequence(value) and value else value
            return self.properties(value, schema.members(kind), dotted) if is_mapping(value) else None
        if schema.is_list(kind):
            values = value if is_sequence(value) else [value]
            inner = schema.element(kind) or "string"
            return [self.value(item, inner, dotted) for item in values]
        if schema.is_map(kind):
            return _from_pairs(value) if is_sequence(value) else {str(key): item for key, item in value.items()}
        return _from_scalar(value, kind)


def _from_pairs(values: list[dict[str, Any]]) -> dict[str, Any]:
    names = {name.lower(): name for name in (values[0] if values else {})}
    key = names.get("key") or names.get("name") or "Key"
    content = names.get("value") or "Value"
    return {item[key]: item.get(content, "") for item in values}


def _from_scalar(value: Any, kind: schema.Kind) -> Any:  # noqa: PLR0911  # one return per kind reads as a table
    if isinstance(value, datetime):
        return value.isoformat()
    if is_sequence(value):  # one block to Pulumi, a list of at most one to AWS
        return value[0] if value else None
    if kind == "string":
        return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
    if kind == "boolean" and isinstance(value, str):
        return value.lower() == "true"
    if kind == "integer" and isinstance(value, str | float):
        return int(value)
    if kind == "number" and isinstance(value, str):
        return float(value)
    return value
