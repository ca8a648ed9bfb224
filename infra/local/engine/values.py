"""Property values in the engine: plain JSON, with the signed objects of Pulumi's wire format for what JSON lacks.

A secret is `{SIGNATURE: SECRET, "value": value}`, an unknown (known only after a resource exists) is the string
`UNKNOWN`, assets, archives and resource references are objects signed with `ASSET`, `ARCHIVE`, `RESOURCE`. The
constants are those of Pulumi's `sdk/go/common/resource/properties.go`; the state file and gRPC use the same ones.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a type signature, not a secret
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
Properties: TypeAlias = dict[str, "Value"]


def secret(value: Value) -> Value:
    """`value` marked secret; a value that is already secret is returned as it is."""
    return value if is_secret(value) else {SIGNATURE: SECRET, "value": value}


def is_secret(value: Value) -> bool:
    """Whether the value itself, not a part of it, is secret."""
    return isinstance(value, dict) and value.get(SIGNATURE) == SECRET


def contains(value: Value, test: Callable[[Value], bool]) -> bool:
    """Whether `test` holds for the value or any part of it."""
    if test(value):
        return True
    if isinstance(value, dict):
        return any(contains(part, test) for part in value.values())
    return isinstance(value, list) and any(contains(part, test) for part in value)


def is_unknown(value: Value) -> bool:
    """Whether the value is one that only exists after a resource does."""
    return isinstance(value, str) and value == UNKNOWN


def has_unknown(value: Value) -> bool:
    """Whether the value or any part of it is unknown."""
    return contains(value, is_unknown)


def has_secret(value: Value) -> bool:
    """Whether the value or any part of it is secret."""
    return contains(value, is_secret)


def reveal(value: Value) -> Value:
    """The value with every secret mark taken off."""
    return _without_secrets(value, lambda inner: inner)


def mask(value: Value) -> Value:
    """The value with every secret replaced by the text `[secret]`."""
    return _without_secrets(value, lambda _: "[secret]")


def _without_secrets(value: Value, show: Callable[[Value], Value]) -> Value:
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return show(_without_secrets(value.get("value"), show))
        return {key: _without_secrets(part, show) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_secrets(part, show) for part in value]
    return value


def secret_texts(value: Value) -> set[str]:
    """Every text inside the value's secrets, for striking them out of messages."""
    found: set[str] = set()
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            _collect_texts(value.get("value"), found)
        else:
            for part in value.values():
                found |= secret_texts(part)
    elif isinstance(value, list):
        for part in value:
            found |= secret_texts(part)
    return found


def _collect_texts(value: Value, into: set[str]) -> None:
    if isinstance(value, str):
        into.add(value)
    elif isinstance(value, dict):
        for key, part in value.items():
            if key != SIGNATURE:
                _collect_texts(part, into)
    elif isinstance(value, list):
        for part in value:
            _collect_texts(part, into)


def keep_secret(properties: Properties, like: Mapping[str, Value], names: Iterable[str] = ()) -> Properties:
    """Mark as secret what is secret in `like`, and the top-level properties in `names`.

    A provider may answer with the plain value of a secret it was given; this puts the mark back.
    """
    marked = {key: _keep_secret(value, like.get(key)) for key, value in properties.items()}
    for name in names:
        if name in marked:
            marked[name] = secret(marked[name])
    return marked


def _keep_secret(value: Value, like: Value) -> Value:
    if is_secret(value):
        return value
    if is_secret(like):
        return secret(value)
    if isinstance(value, dict) and isinstance(like, dict):
        return {key: _keep_secret(part, like.get(key)) for key, part in value.items()}
    if isinstance(value, list) and isinstance(like, list) and len(value) == len(like):
        return [_keep_secret(part, other) for part, other in zip(value, like, strict=True)]
    return value


def same(left: Value, right: Value) -> bool:
    """Deep equality by JSON's types: `True` is not `1`, `1` is `1.0`."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(part, right[key]) for key, part in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    return left == right


def changed_keys(old: Mapping[str, Value], new: Mapping[str, Value]) -> list[str]:
    """Top-level properties added, removed or changed, in alphabetical order; secret marks do not count."""
    return [
        key
        for key in sorted(old.keys() | new.keys())
        if (key in old) != (key in new) or not same(reveal(old.get(key)), reveal(new.get(key)))
    ]
