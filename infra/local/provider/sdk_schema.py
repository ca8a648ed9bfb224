"""Writes `schema.json`: what the AWS SDK for Pulumi promises of each type in the table, read from its own signatures.

    python -m infra.local.provider.sdk_schema

The SDK's service packages take seconds to import, so the provider reads this small file instead.
"""

import importlib
import inspect
import json
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

# The SDK's own description of its classes; its public surface has none. Used by this generator and its test alone.
import pulumi
from pulumi import _types as sdk_types  # pyright: ignore[reportPrivateUsage]  # as said

from .schema import PATH

_SCALARS = {str: "string", bool: "boolean", int: "integer", float: "number"}


def document(tokens: Sequence[str]) -> dict[str, Any]:
    """The schema of these tokens: per type its inputs, the required ones and outputs, and the objects they use."""
    objects: dict[str, Any] = {}
    resources = {token: _resource(token, objects) for token in sorted(tokens)}
    return {"resources": resources, "objects": dict(sorted(objects.items()))}


def _resource(token: str, objects: dict[str, Any]) -> dict[str, Any]:
    _, path, name = token.split(":")
    resource_class = getattr(importlib.import_module(f"pulumi_aws.{path.split('/')[0]}"), name)
    module = sys.modules[resource_class.__module__]
    # The SDK names a type's arguments so where a nested block has the plain name.
    args_class = getattr(module, f"{name}InitArgs", None) or getattr(module, f"{name}Args")
    names = sdk_types.input_type_py_to_pulumi_names(args_class)
    required = [
        names[parameter.name]
        for parameter in inspect.signature(args_class.__init__).parameters.values()
        if parameter.name in names and parameter.default is inspect.Parameter.empty
    ]
    return {
        "inputs": _properties(sdk_types.input_type_types(args_class), objects),
        "required": sorted(required),
        "outputs": _properties(sdk_types.resource_types(resource_class), objects),
    }


def _properties(kinds: Mapping[str, Any], objects: dict[str, Any]) -> dict[str, Any]:
    return {name: _type(kind, objects) for name, kind in sorted(kinds.items())}


def _type(kind: Any, objects: dict[str, Any]) -> Any:  # noqa: PLR0911  # one return per kind reads as a table
    kind = sdk_types.unwrap_type(kind)
    if kind in _SCALARS:
        return _SCALARS[kind]
    origin = typing.get_origin(kind)
    arguments = typing.get_args(kind)
    if origin is typing.Union or origin is types.UnionType:
        return _type(arguments[0], objects)  # the others are spellings of the first: an enumeration, a TypedDict
    if origin is not None and issubclass(cast(type, origin), Mapping):
        return {"map": _type(arguments[1], objects)}
    if origin is not None and issubclass(cast(type, origin), Sequence):
        return {"list": _type(arguments[0], objects)}
    if isinstance(kind, type) and issubclass(kind, pulumi.Asset | pulumi.Archive):
        return "asset"
    if isinstance(kind, type) and sdk_types.is_input_type(kind):
        return _object(kind, sdk_types.input_type_types(kind), objects, suffix="Args")
    if isinstance(kind, type) and sdk_types.is_output_type(kind):
        return _object(kind, sdk_types.output_type_types(kind), objects)
    raise TypeError(f"no schema for {kind}")


def _object(kind: type, kinds: Mapping[str, Any], objects: dict[str, Any], suffix: str = "") -> dict[str, str]:
    service = kind.__module__.split(".")[1]
    name = f"{service}:{kind.__name__.removesuffix(suffix)}"
    if name not in objects:
        objects[name] = {}
        objects[name] = _properties(kinds, objects)
    return {"object": name}


def render(tokens: Sequence[str]) -> str:
    """The file's text."""
    return json.dumps(document(tokens), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    from .table import TABLE

    Path(PATH).write_text(render(list(TABLE)), encoding="utf-8")
