"""What a program asks of the engine, free of the wire format it came in."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from infra.local.engine.values import Properties


@dataclass(frozen=True, slots=True)
class Alias:
    """Another identity that a resource may have had: a whole URN, or the parts that were different."""

    urn: str = ""
    name: str = ""
    type: str = ""
    stack: str = ""
    project: str = ""
    parent: str = ""
    no_parent: bool = False


@dataclass(frozen=True, slots=True)
class Registration:
    """A resource the program wants, with its options; `None` means that the program did not say."""

    type: str
    name: str
    custom: bool
    parent: str = ""
    inputs: Properties = field(default_factory=dict[str, Any])
    provider: str = ""
    version: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    protect: bool = False
    retain_on_delete: bool = False
    delete_before_replace: bool | None = None
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    aliases: tuple[Alias, ...] = ()
    import_id: str = ""
    deleted_with: str = ""
    custom_timeouts: dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A resource the program only looks up (`.get`), by id."""

    type: str
    name: str
    id: str
    parent: str = ""
    inputs: Properties = field(default_factory=dict[str, Any])
    provider: str = ""
    version: str = ""
    dependencies: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Invocation:
    """A call of a provider's function."""

    token: str
    arguments: Properties
    provider: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Registered:
    """The engine's answer: an empty id is one not known yet; outputs that are missing in a preview are unknown."""

    urn: str
    id: str = ""
    outputs: Properties = field(default_factory=dict[str, Any])


class Registrar(Protocol):
    """What answers a program. Its methods are called from many threads at once."""

    def register(self, wanted: Registration) -> Registered:
        """Make the resource match, and answer with what it is."""
        ...

    def register_outputs(self, urn: str, outputs: Properties) -> None:
        """Record the outputs of a component or of the stack."""
        ...

    def read(self, wanted: ReadRequest) -> Registered:
        """Look a resource up."""
        ...

    def invoke(self, wanted: Invocation) -> tuple[Properties | None, list[tuple[str, str]]]:
        """A function's result, None where it cannot be known yet, and its failures as (property, reason)."""
        ...

    def log(self, urn: str, severity: str, message: str) -> None:
        """Pass on a message of the program."""
        ...
