"""Bad arguments, said to the person who wrote them: every problem at once, each with its property path."""

from collections.abc import Iterable
from typing import Any

import pulumi
from pulumi.errors import InputPropertiesError


class ArgumentError(InputPropertiesError, pulumi.RunError):
    """All problems of a component's arguments.

    As an InputPropertiesError it gives a hosted component's caller the property paths; as a RunError it ends a program
    without a traceback.
    """


class Problems:
    """Collects problems and raises them together."""

    def __init__(self, component: str) -> None:
        self._component = component
        self._found: list[tuple[str, str]] = []

    def check(self, holds: bool, path: str, reason: str) -> None:  # noqa: FBT001 - a condition reads best in place
        """Remember `reason` for the property at `path` (as `variants[0].weight`) unless the condition holds."""
        if not holds:
            self._found.append((path, reason))

    def within(self, value: float, low: float, high: float, path: str) -> None:
        """Remember that `value` lies outside `low` to `high`, both included."""
        self.check(low <= value <= high, path, f"must be between {low} and {high}, got {value}")

    def extend(self, found: Iterable[tuple[str, str]]) -> None:
        """Remember more problems, each a path and a reason."""
        self._found.extend(found)

    def raise_any(self) -> None:
        """Raise ArgumentError with everything found; return when nothing was."""
        if not self._found:
            return
        text = "; ".join(f"{path}: {reason}" for path, reason in self._found)
        details: list[Any] = [{"property_path": path, "reason": reason} for path, reason in self._found]
        raise ArgumentError(f"{self._component}: {text}", details)
