"""From the outbox to the event stream: at least once, with identifiers that make it once."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence, Set

from pipelines.experimentation.decision.stream import Event, EventStream
from pipelines.experimentation.service.event_store import EventStore
from pipelines.experimentation.service.intake import StoredEvent
from pipelines.experimentation.service.lease import Lease
from pipelines.experimentation.service.problems import StoreUnavailableError

RECENT_SECONDS = 60.0
"""Far longer than an index shows marks that are gone."""
_LOG = logging.getLogger(__name__)


class DurableEventStream:
    """The event stream as the service offers it: publishing returns once DynamoDB has the event.

    `drain` carries it on, in one replica at a time. A crash before the mark is taken away repeats a publication; the
    identifier is the same. `deleted` gives the units whose data were deleted lately, and when: what they did before
    goes nowhere.
    """

    def __init__(
        self,
        store: EventStore,
        stream: EventStream,
        lease: Lease,
        deleted: Callable[[], Mapping[str, float]],
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._stream, self.lease, self._deleted, self._timer = store, stream, lease, deleted, timer
        self._recent = dict[str, float]()
        """Published lately, and when: the outbox may show them a little longer."""

    def drain(self) -> int:
        """Publish what waits, a unit's events in order; how many the stream has now. What it is not sure of waits on.

        Ends when nothing is left to try, when a whole page is refused, or when another replica relays.
        """
        done, held = 0, set[str]()
        self._forget()
        pages = self._store.waiting()
        while self.lease.take() and (page := next(pages, None)) is not None:
            self._store.relayed([event for event in page if event.id in self._recent])
            if not (fresh := self._fresh(page, held)):
                continue
            refused = self._stream.publish([on_stream(event) for event in fresh])
            sure = [event for event in fresh if event.id not in refused]
            self._recent |= dict.fromkeys((event.id for event in sure), self._timer())
            self._store.relayed(sure)
            done += len(sure)
            if refused:
                _LOG.warning("%d events wait for the stream: %s", len(refused), next(iter(refused.values())))
                held |= {event.unit for event in fresh if event.id in refused}
            if not sure:
                break
        return done

    def _fresh(self, page: Sequence[StoredEvent], held: Set[str]) -> list[StoredEvent]:
        tried = [event for event in page if event.id not in self._recent and event.unit not in held]
        deleted = self._deleted() if tried else dict[str, float]()
        return [event for event in tried if event.at > deleted.get(event.unit, -1.0)]

    def _forget(self) -> None:
        before = self._timer() - RECENT_SECONDS
        self._recent = {identifier: at for identifier, at in self._recent.items() if at > before}


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
