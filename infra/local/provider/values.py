"""Between Pulumi's property values and plain Python: numbers, text, lists, dicts and `UNKNOWN`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeGuard

import pulumi
from pulumi.provider.experimental.property_value import Computed, PropertyValue


class Unknown:
    """A value that is not known yet: an output of something a preview has only planned."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()

# What the engine sends for an unknown of each kind when it speaks to a plugin (pulumi/pulumi,
# sdk/go/common/resource/plugin/rpc.go): string, bool, number, array, asset, archive, object.
_UNKNOWN_TEXTS = frozenset(
    (
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    )
)
UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def is_mapping(value: Any) -> TypeGuard[Mapping[str, Any]]:
    """Whether a plain value is an object or a map."""
    return isinstance(value, Mapping)


def is_sequence(value: Any) -> TypeGuard[list[Any]]:
    """Whether a plain value is a list."""
    return isinstance(value, list)


def mapping(value: Any) -> dict[str, Any]:
    """The object or map, an empty one where there is none."""
    return value or {}


def sequence(value: Any) -> list[Any]:
    """The list, an empty one where there is none."""
    return value or []


def plain(value: PropertyValue) -> Any:  # noqa: PLR0911  # one return per kind reads as a table
    """The value without secrecy and dependencies; whole numbers become ints, unknowns `UNKNOWN`."""
    content = value.value
    if isinstance(content, Computed):
        return UNKNOWN
    if isinstance(content, str):
        return UNKNOWN if content in _UNKNOWN_TEXTS else content
    if isinstance(content, bool) or content is None:
        return content
    if isinstance(content, float):
        return int(content) if content.is_integer() else content
    if isinstance(content, Mapping):
        return {name: plain(item) for name, item in content.items()}
    if isinstance(content, Sequence):
        return [plain(item) for item in content]
    return content


def plain_map(values: Mapping[str, PropertyValue]) -> dict[str, Any]:
    """Each value plain; nulls are left out, as Pulumi means them."""
    items = ((name, plain(value)) for name, value in values.items())
    return {name: value for name, value in items if value is not None}


def secret_names(values: Mapping[str, PropertyValue]) -> frozenset[str]:
    """Names of the properties that hold a secret anywhere inside."""
    return frozenset(name for name, value in values.items() if value.contains_secret())


def wrap(value: Any, unknown: PropertyValue) -> PropertyValue:
    """The property value of plain Python; `UNKNOWN` becomes the given unknown."""
    if value is UNKNOWN:
        return unknown
    if isinstance(value, bool) or value is None or isinstance(value, str | pulumi.Asset | pulumi.Archive):
        return PropertyValue(value)
    if isinstance(value, int | float):
        return PropertyValue(float(value))
    if is_mapping(value):
        return PropertyValue({str(name): wrap(item, unknown) for name, item in value.items()})
    if is_sequence(value):
        return PropertyValue([wrap(item, unknown) for item in value])
    raise TypeError(f"no property value for {type(value).__name__}")


def wrap_map(
    values: Mapping[str, Any], secrets: Iterable[str] = (), unknown: PropertyValue | None = None
) -> dict[str, PropertyValue]:
    """Each value wrapped, the named ones marked secret; None is left out."""
    computed = unknown or PropertyValue.computed()
    hidden = frozenset(secrets)
    return {
        name: wrap(value, computed).with_secret(name in hidden) for name, value in values.items() if value is not None
    }


def has_unknown(value: Any) -> bool:
    """Whether anything inside is not known yet."""
    if is_mapping(value):
        return any(has_unknown(item) for item in value.values())
    if is_sequence(value):
        return any(has_unknown(item) for item in value)
    return value is UNKNOWN
