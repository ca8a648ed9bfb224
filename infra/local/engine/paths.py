"""Property paths as resource options write them: `tags.Name`, `rules[0].port`, `["dotted.key"]`, `rules[*].port`."""

import re
from collections.abc import Iterable, Mapping

from infra.local.engine.values import Properties, Value, is_secret, secret

Path = tuple[str | int, ...]

WILDCARD = "*"
_MISSING = object()
_ELEMENT = re.compile(r'\.?(?:\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|\[(\*)\]|([^.\[\]]+))')


def parse(text: str) -> Path:
    """The elements of a property path; raises ValueError with the text where it is not one."""
    elements: list[str | int] = []
    position = 0
    while position < len(text):
        match = _ELEMENT.match(text, position)
        if match is None:
            raise ValueError(f'{text!r} is not a property path: write `tags.Name`, `rules[0].port` or `["dotted.key"]`')
        index, quoted, star, name = match.groups()
        if index is not None:
            elements.append(int(index))
        elif quoted is not None:
            elements.append(quoted.replace('\\"', '"'))
        else:
            elements.append(star or name)
        position = match.end()
    return tuple(elements)


def covers(path: Path, changed: Path) -> bool:
    """Whether a change at `changed` lies at, under or above `path` (wildcards match any element)."""
    return all(a in (WILDCARD, b) for a, b in zip(path, changed, strict=False))


def carry_over(old: Mapping[str, Value], new: Properties, texts: Iterable[str]) -> Properties:
    """`new` with the values of `old` at the given paths, which is what `ignoreChanges` means.

    A path that `old` lacks is removed from `new`, one that `old` has is put there. Neither argument is changed.
    """
    result: Value = new
    for text in texts:
        result = _carry(dict(old), result, parse(text))
    return result if isinstance(result, dict) else new


def _carry(old: Value, new: Value, path: Path) -> Value:
    if not path:
        return old
    if is_secret(old) or is_secret(new):
        # A secret is looked into, its path is that of its value, and what comes of it is secret.
        return secret(_carry(_inner(old), _inner(new), path))
    head, rest = path[0], path[1:]
    if isinstance(new, dict) or isinstance(old, dict):
        return _carry_key(old, new, head, rest)
    if isinstance(new, list) and isinstance(old, list):
        items = list(new)
        chosen = range(len(items)) if head == WILDCARD else [head] if isinstance(head, int) else []
        for index in chosen:
            if index < len(items) and index < len(old):
                items[index] = _carry(old[index], items[index], rest)
        return items
    return new


def _carry_key(old: Value, new: Value, head: str | int, rest: Path) -> Value:
    olds = old if isinstance(old, dict) else {}
    if not isinstance(new, dict):
        # The parent is gone from the new inputs: put back only the ignored part of it.
        if head in olds and new is None:
            return {str(head): _carry(olds[str(head)], None, rest)} if not rest else {}
        return new
    result = dict(new)
    for key in sorted(olds.keys() | new.keys()) if head == WILDCARD else [str(head)]:
        if not rest:
            if key in olds:
                result[key] = olds[key]
            else:
                result.pop(key, None)
        elif key in result:
            result[key] = _carry(olds.get(key), result[key], rest)
    return result


def _inner(value: Value) -> Value:
    while isinstance(value, dict) and is_secret(value):
        value = value.get("value")
    return value
