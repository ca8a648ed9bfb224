"""Progress on stderr while something runs, and a summary after it."""

import json
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.status import Status

from infra.local.engine import Event, Result

_SIGNS = {"create": "+", "update": "~", "replace": "±", "delete": "-", "same": " ", "import": "="}
_QUIET = {"same", "read", "refresh"}
"""Operations that are not worth a line when they end as expected."""


class Progress:
    """Lines for what changed, and one live line for what is under way.

    On a terminal the live line is redrawn; elsewhere only finished operations are written.
    """

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._status: Status | None = None
        self._running: dict[str, str] = {}

    @contextmanager
    def step(self, what: str) -> Generator[None]:
        """Say what is being done until it is done, and how long it took if that was over two seconds."""
        start = time.monotonic()
        self._console.print(f"[bold]{what}[/bold]")
        with self._console.status("") as self._status:
            yield
        self._status = None
        self._running.clear()
        if (seconds := time.monotonic() - start) > 2:
            self._console.print(f"  {seconds:.1f} s")

    def event(self, event: Event) -> None:
        """Show an engine event."""
        label = f"{event.type.rsplit('$', 1)[-1]} {event.name}" if event.type else event.name
        if event.status == "started":
            self._running[event.urn] = label
        else:
            self._running.pop(event.urn, None)
            if not event.type and not event.name:
                self._console.print(f"  {event.message}", markup=False)
            elif event.operation not in _QUIET or event.message:
                took = f" ({event.seconds:.1f} s)" if event.seconds and event.seconds > 2 else ""
                note = f": {event.message}" if event.message else ""
                sign = "!" if event.status == "failed" else _SIGNS.get(event.operation, "·")
                self._console.print(f"  {sign} {label}{took}{note}", markup=False)
        if self._status is not None:
            current = next(reversed(self._running.values()), "")
            more = f" and {len(self._running) - 1} more" if len(self._running) > 1 else ""
            self._status.update(f"{current}{more}")

    def message(self, step: str, text: str) -> None:
        """Show a pipeline's word on where it stands."""
        self._console.print(f"  {step}: {text}", markup=False)


def summary(result: Result, *, as_json: bool) -> None:
    """Print what an engine did: one JSON document on stdout, or a line on stderr."""
    if as_json:
        print_json({"changes": result.changes, "resources": result.resources, "outputs": result.outputs})
        return
    parts = [f"{count} {kind}" for kind, count in result.changes.items() if count]
    click.echo(", ".join(parts) or "nothing there", err=True)


def print_json(document: Any) -> None:
    """Print one JSON document on stdout."""
    json.dump(document, sys.stdout, indent=2, default=str, sort_keys=True)
    sys.stdout.write("\n")
