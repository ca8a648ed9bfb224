"""What the provider covers, for the coverage page (`infra.local.coverage` renders it)."""

from dataclasses import dataclass

from .invokes import INVOKES
from .table import TABLE


@dataclass(frozen=True)
class CoveredType:
    """One resource type."""

    type: str
    service: str
    operations: tuple[str, ...]
    """AWS operations of the row, in the order of a life: create, read, update, delete."""
    refused: tuple[str, ...]
    """Properties of the type that are refused."""


def resource_types() -> list[CoveredType]:
    """Every type of the table, by its token."""
    covered: list[CoveredType] = []
    for token, handler in sorted(TABLE.items()):
        spec = handler.spec
        calls = (spec.create, spec.read, *spec.more, *spec.updates, *((spec.delete,) if spec.delete else ()))
        operations = tuple(dict.fromkeys(call.operation for call in calls))
        covered.append(CoveredType(token, spec.service, operations, tuple(sorted(spec.unsupported))))
    return covered


def functions() -> list[str]:
    """Every function's token."""
    return sorted(INVOKES)
