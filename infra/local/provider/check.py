"""Checks a resource's inputs: names and types against the SDK's promises, values against botocore's models."""

import difflib
from collections.abc import Mapping
from typing import Any

import pulumi

from . import schema
from .cloud import Cloud
from .convert import Conversion, Failure
from .handler import Handler, target_shape
from .names import token_of
from .spec import Spec
from .values import UNKNOWN, is_mapping, is_sequence

DEFAULTED = "__defaults"
"""Input that lists the properties check has filled in with a name."""
TOKEN = "__token"  # noqa: S105  # names a property
"""Input that identifies one create of one resource."""


def completed(
    spec: Spec, urn: str, name: str, seed: bytes, old: Mapping[str, Any], new: Mapping[str, Any]
) -> dict[str, Any]:
    """The inputs with what check fills in: defaults, a physical name, the token. Old ones are kept."""
    inputs = {**{key: value for key, value in spec.defaults.items() if key not in new}, **new}
    top_level = {path.split(".")[0] for path in spec.replace}
    token = old.get(TOKEN) or token_of(urn, seed, {key: inputs.get(key) for key in top_level})
    inputs[DEFAULTED] = []
    if spec.marked or spec.name:
        inputs[TOKEN] = token
    if spec.name and new.get(spec.name.property) is None:
        inputs[DEFAULTED] = [spec.name.property]
        kept = old.get(spec.name.property) if spec.name.property in old.get(DEFAULTED, ()) else None
        prefix = inputs.get(spec.name.prefix_property) if spec.name.prefix_property else None
        inputs[spec.name.property] = (
            UNKNOWN if prefix is UNKNOWN and not kept else kept or spec.name.make(name, token, prefix)
        )
    return inputs


def failures(cloud: Cloud, handler: Handler, inputs: Mapping[str, Any]) -> list[Failure]:
    """Everything wrong with the inputs, each with its property path."""
    spec = handler.spec
    promised = schema.type_schema(spec.type)
    given = {name: value for name, value in inputs.items() if not name.startswith("__")}
    found = list(_against_schema(given, promised.inputs, ""))
    found += [Failure(name, "is required and was not given") for name in sorted(promised.required - given.keys())]
    for name in sorted(spec.unsupported & given.keys()):
        if given[name] not in (False, "", [], {}):
            found.append(Failure(name, "is not supported by the local provider; leave it out"))
    if found:
        return found
    conversion = Conversion(spec.rename, spec.to_aws)
    seen: set[str] = set()
    for call in (spec.create, *spec.updates):
        sent = call.send or (given if call is spec.create else ())
        names = [name for name in sent if name not in seen and name not in spec.handled | spec.unsupported]
        shape = target_shape(cloud, spec, call.operation, call.into)
        mine = {name: given[name] for name in names if name in given and name not in {"tags", "region"}}
        conversion.params(mine, shape, promised.inputs)
        seen |= set(call.send)
    handler.check(dict(given), conversion)
    return list({failure.path: failure for failure in reversed(conversion.failures)}.values())[::-1]


def _against_schema(values: Mapping[str, Any], kinds: Mapping[str, schema.Kind], prefix: str) -> list[Failure]:
    found: list[Failure] = []
    for name, value in values.items():
        path = f"{prefix}{name}"
        if name not in kinds:
            near = difflib.get_close_matches(name, kinds, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(sorted(kinds)) or 'none'}"
            found.append(Failure(path, f"is no property of this type; {hint}"))
        elif value is not None:
            found += _against_kind(value, kinds[name], path)
    return found


def _against_kind(value: Any, kind: schema.Kind, path: str) -> list[Failure]:
    if value is UNKNOWN:
        return []
    inner = schema.element(kind)
    if schema.is_object(kind) and is_mapping(value):
        return _against_schema(value, schema.members(kind), f"{path}.")
    if inner is not None and schema.is_list(kind) and is_sequence(value):
        return [one for index, item in enumerate(value) for one in _against_kind(item, inner, f"{path}[{index}]")]
    if inner is not None and schema.is_map(kind) and is_mapping(value):
        return [one for name, item in value.items() for one in _against_kind(item, inner, f"{path}.{name}")]
    if isinstance(kind, str) and _is_scalar(value, kind):
        return []
    return [Failure(path, f"must be {schema.describe(kind)}, got {value!r}")]


def _is_scalar(value: Any, kind: str) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case _:
            return isinstance(value, pulumi.Asset | pulumi.Archive)
