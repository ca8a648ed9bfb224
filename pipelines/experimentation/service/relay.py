"""From the outbox to the event stream: at least once, with identifiers that make it once."""

import logging
import threading
from collections.abc import Callable

from pipelines.experimentation.decision.stream import Event, EventStream
from pipelines.experimentation.service.event_store import OUTBOXES, PAGE, EventStore
from pipelines.experimentation.service.intake import StoredEvent
from pipelines.experimentation.service.lease import Lease
from pipelines.experimentation.service.problems import StoreUnavailableError

_LOG = logging.getLogger(__name__)


class DurableEventStream:
    """The event stream as the service offers it: publishing returns once DynamoDB has the event.

    `drain` carries it on, in one replica at a time. A crash before the mark is taken away repeats a publication; the
    identifier is the same.
    """

    def __init__(self, store: EventStore, stream: EventStream, lease: Lease) -> None:
        self._store, self._stream, self.lease = store, stream, lease

    def drain(self) -> int:
        """Publish what is pending; the number of events that the stream has now. What it refuses waits."""
        return sum(self._drain(part) for part in OUTBOXES)

    def _drain(self, part: str) -> int:
        done = 0
        while self.lease.take():
            pending = [received.event for received in self._store.pending(part)]
            if not pending:
                break
            refused = self._stream.publish([on_stream(event) for event in pending])
            kept = [event for event in pending if event.id not in refused]
            self._store.relayed(kept)
            done += len(kept)
            if refused:
                _LOG.warning("%d events of outbox %s wait: %s", len(refused), part, next(iter(refused.values())))
            if refused or len(pending) < PAGE:
                break
        return done


def on_stream(event: StoredEvent) -> Event:
    """An event in the stream's form."""
    return Event.model_validate(event.model_dump(include=set(Event.model_fields)))


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
