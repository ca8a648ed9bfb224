"""What the AWS SDK for Pulumi promises of each resource type, read from `schema.json`.

A kind is `string`, `integer`, `number`, `boolean`, `asset`, `{"list": kind}`, `{"map": kind}` or `{"object": name}`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("schema.json")

Kind = str | Mapping[str, Any]


@dataclass(frozen=True)
class TypeSchema:
    """Properties of one resource type, by their names in Pulumi."""

    inputs: Mapping[str, Kind]
    required: frozenset[str]
    outputs: Mapping[str, Kind]


@cache
def _document() -> Mapping[str, Any]:
    return json.loads(PATH.read_text(encoding="utf-8"))


@cache
def type_schema(token: str) -> TypeSchema:
    """The schema of a type; KeyError for a token the file does not have."""
    entry = _document()["resources"][token]
    return TypeSchema(entry["inputs"], frozenset(entry["required"]), entry["outputs"])


def members(kind: Kind) -> Mapping[str, Kind]:
    """The properties of an object kind."""
    return _document()["objects"][kind["object"]] if isinstance(kind, Mapping) else {}


def is_object(kind: Kind) -> bool:
    """Whether values of this kind are single blocks."""
    return isinstance(kind, Mapping) and "object" in kind


def element(kind: Kind) -> Kind | None:
    """The kind of a list's or map's elements, None for anything else."""
    if isinstance(kind, Mapping):
        return kind.get("list") or kind.get("map")
    return None


def is_list(kind: Kind) -> bool:
    """Whether values of this kind are lists."""
    return isinstance(kind, Mapping) and "list" in kind


def is_map(kind: Kind) -> bool:
    """Whether values of this kind are maps with free keys."""
    return isinstance(kind, Mapping) and "map" in kind


def describe(kind: Kind) -> str:
    """A kind in words, for error sentences."""
    if is_object(kind):
        return "an object"
    if is_list(kind):
        return f"a list, each element {describe(element(kind) or '')}"
    if is_map(kind):
        return f"a map, each value {describe(element(kind) or '')}"
    return {
        "string": "a string",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "asset": "an asset",
    }[str(kind)]
