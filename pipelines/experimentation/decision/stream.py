"""The seam to the event stream.

Exposures and outcomes go out here, at least once, with an identifier that makes it once.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, Protocol

from confluent_kafka import KafkaError, KafkaException, Producer
from pydantic import BaseModel, ConfigDict, Field

_BEHIND, _UNSENT = "not sent: what comes before it is not known to be stored", "not sent: no time was left"


class Event(BaseModel):
    """One exposure or outcome. `unit` is a keyed hash of the identifier, never the identifier."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    id: str = Field(min_length=1)
    """Made by the client once per event and kept over retries."""
    kind: Literal["exposure", "outcome"]
    experiment: str
    unit: str = Field(min_length=16)
    at: float
    """When it happened by the client's clock, seconds since the epoch."""
    variant: str | None = None
    """Of an exposure."""
    outcome: str | None = None
    """Name of an outcome."""
    value: float = 1.0
    segments: dict[str, str] = Field(default_factory=dict)
    """Of an exposure, as declared."""


class EventStream(Protocol):
    """Durable, and in order by unit."""

    def publish(self, events: Sequence[Event]) -> Mapping[str, str]:
        """Return once it is known which events are stored: by identifier, why others are not known to be.

        Those are to be published again, under the same identifiers. A unit's events are stored in the order given:
        after one that is not known to be stored none of the same unit is. To be called by one thread at a time.
        """
        ...


class InMemoryEventStream:
    """Events in this process; one with a known identifier is dropped."""

    def __init__(self) -> None:
        self._events = dict[str, Event]()

    def publish(self, events: Sequence[Event]) -> Mapping[str, str]:
        """Keep events with new identifiers; another event under a known one is refused, and its unit's later ones."""
        unsure, held = dict[str, str](), set[str]()
        for event in events:
            if event.unit in held:
                unsure[event.id] = _BEHIND
            elif self._events.setdefault(event.id, event) != event:
                unsure[event.id] = "another event has this identifier"
                held.add(event.unit)
        return unsure

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events.values())


class KafkaEventStream:
    """Kafka topic keyed by unit, through an idempotent producer: acknowledged by every in-sync replica, in order.

    `timeout` seconds are given to every message, `more` overrides settings of librdkafka. Consumers drop repeated
    identifiers: a producer that died, or gave up, before its acknowledgement was read sends again.

    Of a unit only one event is on its way at a time. Idempotence keeps the order of messages over retries, but not when
    one of them is given up and the next is still in time.
    """

    def __init__(
        self, brokers: str, topic: str, timeout: float = 10, more: Mapping[str, str | int | bool] | None = None
    ) -> None:
        self._topic, self._timeout = topic, timeout
        self._settings: dict[str, str | int | bool] = {
            "bootstrap.servers": brokers,
            "enable.idempotence": True,  # no repeats within a producer's life
            "acks": "all",
            "delivery.timeout.ms": round(timeout * 1000),
            "linger.ms": 5,
            "compression.type": "lz4",
            "reconnect.backoff.max.ms": 1000,  # a broker that is back is found again within a second
            **(more or {}),
        }
        self._producer = Producer(self._settings)

    def publish(self, events: Sequence[Event]) -> Mapping[str, str]:
        """As the protocol says, within twice `timeout` and a second."""
        unsure, waiting = dict[str, str](), dict[str, list[Event]]()
        for event in events:
            waiting.setdefault(event.unit, []).append(event)
        end = time.monotonic() + self._timeout
        while waiting:
            if time.monotonic() > end:
                return unsure | {event.id: _UNSENT for line in waiting.values() for event in line}
            failed = self._send([line[0] for line in waiting.values()])
            unsure |= failed
            held = {unit for unit, line in waiting.items() if line[0].id in failed}
            unsure |= {event.id: _BEHIND for unit in held for event in waiting[unit][1:]}
            waiting = {unit: line[1:] for unit, line in waiting.items() if line[1:] and unit not in held}
        return unsure

    def _send(self, events: Sequence[Event]) -> Mapping[str, str]:
        """Send events of different units at once; why some of them are not known to be stored."""
        unsure = {event.id: "no answer in time" for event in events}
        end, broken = time.monotonic() + self._timeout + 1, False
        for event in events:
            try:
                self._produce(event, unsure, end)
            except BufferError:
                unsure[event.id] = "librdkafka's queue is full"
            except KafkaException as error:
                unsure[event.id] = str(error)
                broken = broken or not _about_one_message(error)
        if self._producer.flush(max(end - time.monotonic(), 0)) or broken:
            self._renew()
        return unsure

    def _produce(self, event: Event, unsure: dict[str, str], end: float) -> None:
        """Hand an event to librdkafka. Its answer comes during a later call of the producer, in this thread."""

        def answered(error: KafkaError | None, _message: object) -> None:
            if error is None:
                unsure.pop(event.id, None)
            else:
                unsure[event.id] = error.str()

        value = json.dumps(event.model_dump(mode="json"), sort_keys=True).encode()
        while True:
            try:
                self._producer.produce(self._topic, value=value, key=event.unit.encode(), on_delivery=answered)
            except BufferError:
                if not self._producer.poll(max(end - time.monotonic(), 0)):  # nothing has left the queue
                    raise
            else:
                return

    def _renew(self) -> None:
        """A fatal error is one for the producer's life; and what has no answer by now is to be sent anew."""
        self.close()
        self._producer = Producer(self._settings)

    def close(self) -> None:
        """Drop what is unsent and end librdkafka's threads."""
        self._producer.purge()
        self._producer.close()


def _about_one_message(error: KafkaException) -> bool:
    cause = error.args[0]
    return isinstance(cause, KafkaError) and cause.code() == KafkaError.MSG_SIZE_TOO_LARGE
