"""From the outbox to the event stream: at least once, with identifiers that make it once."""

import logging
import threading
from collections.abc import Callable

from pipelines.experimentation.decision.stream import Event, EventStream
from pipelines.experimentation.errors import ExperimentError
from pipelines.experimentation.service.event_store import EventStore
from pipelines.experimentation.service.intake import StoredEvent
from pipelines.experimentation.service.problems import StoreUnavailableError

_LOG = logging.getLogger(__name__)


class DurableEventStream:
    """The event stream as the service offers it: publishing returns once DynamoDB has the event.

    `drain` carries it on. A crash in between repeats a publication; the identifier is the same.
    """

    def __init__(self, store: EventStore, stream: EventStream) -> None:
        self._store, self._stream = store, stream

    def drain(self) -> int:
        """Publish what is pending; the number of events. Stops at the first refusal of each part of the outbox."""
        return sum(self._drain(digit) for digit in "0123456789abcdef")

    def _drain(self, digit: str) -> int:
        for count, received in enumerate(pending := self._store.pending(digit)):
            try:
                self._stream.publish(on_stream(received.event))
            except ExperimentError as error:
                _LOG.warning("%d events of outbox %s wait: %s", len(pending) - count, digit, error)
                return count
            self._store.relayed(received.event)
        return len(pending)


def on_stream(event: StoredEvent) -> Event:
    """An event in the stream's form."""
    kept = {"id", "kind", "experiment", "unit", "at", "variant", "outcome", "value", "stage"}
    return Event.model_validate(event.model_dump(include=kept))


class Repeating:
    """Calls `work` again and again in a thread until stopped; a failure is logged and tried again."""

    def __init__(self, work: Callable[[], object], seconds: float, name: str) -> None:
        self._work, self._seconds, self._name = work, seconds, name
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the call under way, waiting at most ten seconds."""
        self._stopped.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            try:
                self._work()
            except StoreUnavailableError as error:
                _LOG.warning("%s waits: %s", self._name, error)
            except Exception:  # noqa: BLE001 - the loop must outlive any one failure
                _LOG.exception("%s failed", self._name)
