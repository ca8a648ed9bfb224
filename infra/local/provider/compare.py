"""Whether two values mean the same to AWS, and where they differ."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import schema
from .spec import Spec
from .values import UNKNOWN, has_unknown, is_mapping, is_sequence

# Keys of policy statements whose values are sets, and of which a single one may stand alone.
_SETS_IN_POLICIES = frozenset(("Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal"))


@dataclass(frozen=True)
class Difference:
    """One property that is wanted otherwise than it is."""

    path: str
    """As `rules[0].expiration.days`."""
    dotted: str
    """The path without indices."""
    before: Any
    after: Any


def canonical(value: Any, spec: Spec, dotted: str) -> Any:  # noqa: PLR0911  # one return per kind of value reads as a table
    """The value with every spelling of one meaning made equal; nothing, empty and false are all None."""
    if value is UNKNOWN:
        return UNKNOWN
    if dotted in spec.canonical and value is not None:
        return spec.canonical[dotted](value)
    if dotted in spec.documents and isinstance(value, str):
        return canonical_document(value)
    if is_mapping(value):
        items = {name: canonical(item, spec, f"{dotted}.{name}") for name, item in value.items()}
        return {name: item for name, item in sorted(items.items()) if item is not None} or None
    if is_sequence(value):
        items = [canonical(item, spec, dotted) for item in value]
        return (items if dotted in spec.ordered else sorted(items, key=_sort_key)) or None
    if value is None or value is False or value == "":
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _sort_key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=repr)


def canonical_document(text: str) -> Any:
    """A JSON document's meaning, with IAM's liberties taken out; text that is no JSON stays as it is."""
    try:
        document = json.loads(text)
    except ValueError:
        return text
    return _canonical_json(document, "")


def _canonical_json(value: Any, key: str) -> Any:
    if is_mapping(value):
        if key in {"Principal", "NotPrincipal"} and dict(value) == {"AWS": "*"}:
            return "*"
        return {name: _canonical_json(item, _inner_key(key, name)) for name, item in sorted(value.items())}
    if is_sequence(value):
        items = [_canonical_json(item, key) for item in value]
        if key in _SETS_IN_POLICIES or key.startswith("Condition"):
            items = sorted(items, key=_sort_key)
            return items[0] if len(items) == 1 else items
        return items[0] if key == "Statement" and len(items) == 1 else items
    if key.startswith("Condition") and isinstance(value, bool):
        return str(value).lower()
    return value


def _inner_key(outer: str, name: str) -> str:
    return outer if outer in {"Principal", "NotPrincipal", "Condition"} else name


def differences(spec: Spec, state: Mapping[str, Any], inputs: Mapping[str, Any]) -> list[Difference]:
    """Where the resource, as its outputs tell it, is not what the inputs want."""
    found: list[Difference] = []
    for name in schema.type_schema(spec.type).inputs:
        before, after = state.get(name), inputs.get(name)
        if name == "region" or (after is None and name in spec.computed):
            continue
        wanted, actual = without_computed(spec, name, after, before)
        found.extend(_walk(spec, name, name, actual, wanted))
    return found


def without_computed(spec: Spec, name: str, wanted: Any, actual: Any) -> tuple[Any, Any]:
    """Both values without the nested properties that AWS fills in and the program left out."""
    prefix = f"{name}."
    for path in sorted(entry for entry in spec.computed if entry.startswith(prefix)):
        keys = path.removeprefix(prefix).split(".")
        if wanted is not UNKNOWN and not _everywhere(wanted, keys):
            wanted, actual = _drop(wanted, keys), _drop(actual, keys)
    return wanted, actual


def _everywhere(value: Any, keys: list[str]) -> bool:
    if is_sequence(value):
        return bool(value) and all(_everywhere(item, keys) for item in value)
    if not is_mapping(value) or value.get(keys[0]) is None:
        return value is UNKNOWN
    return len(keys) == 1 or _everywhere(value[keys[0]], keys[1:])


def _drop(value: Any, keys: list[str]) -> Any:
    if is_sequence(value):
        return [_drop(item, keys) for item in value]
    if not is_mapping(value):
        return value
    if len(keys) == 1:
        return {name: item for name, item in value.items() if name != keys[0]}
    return {name: _drop(item, keys[1:]) if name == keys[0] else item for name, item in value.items()}


def _walk(spec: Spec, path: str, dotted: str, before: Any, after: Any) -> Iterator[Difference]:
    old, new = canonical(before, spec, dotted), canonical(after, spec, dotted)
    if old == new and not has_unknown(new):
        return
    if is_mapping(old) and is_mapping(new) and not _is_whole(spec, dotted):
        for name in sorted(old.keys() | new.keys()):
            yield from _walk(spec, f"{path}.{name}", f"{dotted}.{name}", old.get(name), new.get(name))
        return
    if is_sequence(old) and is_sequence(new) and len(old) == len(new) == 1 and not _is_whole(spec, dotted):
        yield from _walk(spec, f"{path}[0]", dotted, old[0], new[0])
        return
    yield Difference(path, dotted, old, new)


def _is_whole(spec: Spec, dotted: str) -> bool:
    """Whether a property is one text to Pulumi, however much structure it has to AWS."""
    return dotted in spec.documents or dotted in spec.canonical


def needs_replacement(spec: Spec, difference: Difference) -> bool:
    """Whether the difference lies in something that AWS cannot change in place."""
    parts = difference.dotted.split(".")
    return any(".".join(parts[: count + 1]) in spec.replace for count in range(len(parts))) or any(
        path.startswith(f"{difference.dotted}.") and _differs(difference, path.removeprefix(f"{difference.dotted}."))
        for path in spec.replace
    )


def _differs(difference: Difference, inner: str) -> bool:
    pick: Callable[[Any], list[str]] = lambda value: sorted(_sort_key(item) for item in _pick(value, inner.split(".")))  # noqa: E731  # two uses in one line
    return pick(difference.before) != pick(difference.after)


def _pick(value: Any, keys: list[str]) -> list[Any]:
    if is_sequence(value):
        return [picked for item in value for picked in _pick(item, keys)]
    if not keys:
        return [value]
    return _pick(value.get(keys[0]), keys[1:]) if is_mapping(value) else []
