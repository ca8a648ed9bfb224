"""Events out and results together, with secrets struck out of every text."""

import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.local.engine import urns
from infra.local.engine.events import Event, Operation, ResourceChange, Result, Status, no_changes
from infra.local.engine.resources import Resource, now
from infra.local.engine.sdk import user_error
from infra.local.engine.values import Value, mask, secret_texts
from infra.local.errors import LocalError

_COUNTED_AS = {Operation.READ: "same", Operation.IMPORT: "create"}
# Shorter texts would strike harmless words out of messages.
_SHORTEST_SECRET = 4


class Stopped(Exception):  # noqa: N818 - a signal to the program, not an error of its own
    """The run has failed elsewhere; nothing more is begun."""


class Report:
    """What a run did. Safe for threads; `on_event` is called by one thread at a time."""

    def __init__(self, on_event: Callable[[Event], None], log: Path) -> None:
        self._on_event = on_event
        self._log = log
        self._lock = threading.RLock()
        self._secrets: set[str] = set()
        self._changes: dict[str, ResourceChange] = {}
        self.failures: list[str] = []

    def conceal(self, *values: Value) -> None:
        """Strike the texts of these values' secrets out of everything said from now on."""
        texts = {text for value in values for text in secret_texts(value) if len(text) >= _SHORTEST_SECRET}
        with self._lock:
            self._secrets |= texts

    def clean(self, message: str) -> str:
        """The message without secrets."""
        with self._lock:
            texts = sorted(self._secrets, key=len, reverse=True)
        for text in texts:
            message = message.replace(text, "[secret]")
        return message

    def note(
        self, message: str, status: Status = Status.INFO, urn: str = "", operation: Operation = Operation.NOTE
    ) -> None:
        """Say something that is no operation."""
        self._emit(urn, operation, status, message)

    @contextmanager
    def operation(self, urn: str, operation: Operation) -> Generator[None]:
        """Report an operation's start and its end; a failure is recorded by `fail`, not here."""
        started = time.monotonic()
        self._emit(urn, operation, Status.STARTED)
        try:
            yield
        except BaseException as problem:
            self._emit(urn, operation, Status.FAILED, self.describe(problem), time.monotonic() - started)
            raise
        self._emit(urn, operation, Status.DONE, seconds=time.monotonic() - started)

    def changed(self, operation: Operation, resource: Resource, keys: Iterable[str] = ()) -> None:
        """Record what became of a resource; a default provider is not worth mentioning."""
        if urns.is_default_provider(resource.urn):
            return
        inputs: Any = mask(resource.inputs)
        change = ResourceChange(
            urn=resource.urn,
            type=resource.type,
            name=urns.name_of(resource.urn),
            operation=operation,
            id=resource.id,
            keys=list(keys),
            parent=resource.parent,
            inputs=inputs,
            protect=resource.protect,
            propertyDependencies={key: list(found) for key, found in resource.property_dependencies.items()},
        )
        with self._lock:
            self._changes[resource.urn] = change

    def fail(self, urn: str, problem: BaseException) -> None:
        """Record a failure of the run."""
        where = f"{urns.type_of(urn)} {urns.name_of(urn)}: " if urn else ""
        message = self.describe(problem)
        with self._lock:
            self.failures.append(message if where and message.startswith(where) else where + message)

    def describe(self, problem: BaseException) -> str:
        """An exception in words; the traceback of one that was not written for the user goes to the log."""
        text = user_error(problem)
        if text is None:
            text = f"{type(problem).__name__}: {problem} (traceback in {self._log})"
            if not getattr(problem, "_logged", False):
                self._write_log(problem)
        return self.clean(text)

    def raise_failures(self) -> None:
        """Raise LocalError with every failure of the run, if there was one."""
        if self.failures:
            raise LocalError("\n".join(dict.fromkeys(self.failures)))

    def result(self, outputs: dict[str, Any]) -> Result:
        """The run's result."""
        counts = no_changes()
        for change in self._changes.values():
            name = _COUNTED_AS.get(change["operation"], change["operation"].value)
            counts[name] = counts.get(name, 0) + 1
        return Result(counts, list(self._changes.values()), outputs)

    def _emit(self, urn: str, operation: Operation, status: Status, message: str = "", seconds: float = 0.0) -> None:
        type_, name = (urns.type_of(urn), urns.name_of(urn)) if urn else ("", "")
        event = Event(urn, type_, name, operation, status, self.clean(message), round(seconds, 3))
        with self._lock:
            self._on_event(event)

    def _write_log(self, problem: BaseException) -> None:
        lines = "".join(traceback.format_exception(problem))
        with self._lock:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("a") as log:
                log.write(f"{now()}\n{self.clean(lines)}\n")
        problem.__dict__["_logged"] = True
