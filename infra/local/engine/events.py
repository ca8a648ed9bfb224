"""What the engine tells while it works, and what it returns."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypedDict


class Operation(StrEnum):
    """What happens to a resource."""

    SAME = "same"
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    READ = "read"
    IMPORT = "import"
    REFRESH = "refresh"
    POLICY = "policy"
    NOTE = "note"


class Status(StrEnum):
    """How far an operation is; `INFO` and `WARNING` carry a message and change nothing."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    INFO = "info"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing to show: an operation that started, ended or failed, or a message.

    `urn`, `type` and `name` are empty for messages about the run itself; `seconds` is the time the operation took.
    """

    urn: str
    type: str
    name: str
    operation: Operation
    status: Status
    message: str = ""
    seconds: float = 0.0


class ResourceChange(TypedDict):
    """What was done, or would be done, to one resource; it can be written as JSON as it is.

    `keys` are the properties that made it so; `inputs` those the provider has checked, secrets masked;
    `propertyDependencies` the URNs that each property's value came from, as in a state file.
    """

    urn: str
    type: str
    name: str
    operation: Operation
    id: str
    keys: list[str]
    parent: str
    inputs: dict[str, Any]
    protect: bool
    propertyDependencies: dict[str, list[str]]


def no_changes() -> dict[str, int]:
    """The counts of a run that did nothing."""
    return {"create": 0, "update": 0, "replace": 0, "delete": 0, "same": 0}


@dataclass(frozen=True, slots=True)
class Result:
    """A finished run: counts per operation, each resource's part in it, and the stack's outputs, secrets masked.

    An import counts as a create, a read resource as same; default providers are not counted.
    """

    changes: dict[str, int] = field(default_factory=no_changes)
    resources: list[ResourceChange] = field(default_factory=list[ResourceChange])
    outputs: dict[str, Any] = field(default_factory=dict[str, Any])
