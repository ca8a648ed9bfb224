"""Values that a preview does not know yet: whoever looks at one learns that nothing can be said."""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, cast

SENTINELS = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # boolean
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",  # string, and anything computed
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)
"""What Pulumi's wire format writes in place of a value that is not known before the update."""

MASKED = "[secret]"
"""What Pulumi shows in place of a secret's value."""

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the public tag of a secret on Pulumi's wire, not a secret
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"


class Undecidable(Exception):  # noqa: N818 - not an error: the verdict "cannot tell"
    """A rule looked at a value that is not known yet. `path` says which."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is not known yet")
        self.path = path


class Unknown:
    """A value that is set but not known. Every look at it raises `Undecidable`; only `is None` may be asked (no)."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def _look(self, *_: object) -> NoReturn:
        raise Undecidable(self._path)

    __bool__ = __len__ = __iter__ = __int__ = __index__ = __float__ = _look
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _look  # pyright: ignore[reportAssignmentType] - never returns
    __contains__ = __getitem__ = __str__ = __format__ = __hash__ = _look  # pyright: ignore[reportAssignmentType] - never returns

    def __repr__(self) -> str:
        return f"<unknown {self._path}>"

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # what Python itself asks for: a look at the object, not at the value
            raise AttributeError(name)
        raise Undecidable(self._path)


def plain(value: object, path: str = "") -> Any:
    """`value` as plain dicts, lists and scalars, with an `Unknown` where it is not known.

    Understands Pulumi's wire and checkpoint forms: sentinels, secrets (unwrapped; masked or encrypted ones unknown),
    outputs, and the mappings and sequences that pulumi-policy hands to a rule. Keys beginning with `__` are the
    providers' own bookkeeping and are left out.
    """
    if isinstance(value, str):
        return Unknown(path) if value in SENTINELS or value == MASKED else value
    if isinstance(value, Mapping):
        return _plain_mapping(cast("Mapping[str, object]", value), path)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        items = cast("Sequence[object]", value)
        return [_item(items, index, f"{path}[{index}]") for index in range(len(items))]
    return value


def _plain_mapping(mapping: Mapping[str, object], path: str) -> Any:
    signature = mapping.get(SIGNATURE)
    if signature == SECRET:
        inner = "value" if "value" in mapping else "plaintext"
        return plain(mapping[inner], path) if inner in mapping else Unknown(path)
    if signature == OUTPUT:
        return plain(mapping["value"], path) if "value" in mapping else Unknown(path)
    return {key: _item(mapping, key, f"{path}.{key}" if path else key) for key in mapping if not key.startswith("__")}


def _item(container: Any, key: str | int, path: str) -> Any:
    # pulumi-policy's proxies raise on access to an unknown value; the class is recognised by its public attribute, so
    # that rules and tests do not have to import the SDK.
    try:
        return plain(container[key], path)
    except Exception as error:
        if hasattr(error, "unknown_type_sentinel"):
            return Unknown(path)
        raise


def known(value: object) -> bool:
    """Whether `value` itself, not what it holds, is known."""
    return not isinstance(value, Unknown)
