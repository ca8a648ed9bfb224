"""The seam to the event stream.

Exposures and outcomes go out here, at least once, with an identifier that makes it once.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, Protocol

from confluent_kafka import KafkaError, KafkaException, Producer
from pydantic import BaseModel, ConfigDict, Field

from pipelines.experimentation.errors import ExperimentError


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


class EventStream(Protocol):
    """Durable; a unit's events stay in the order they are published in, as long as no publication fails."""

    def publish(self, events: Sequence[Event]) -> Mapping[str, str]:
        """Return once it is known which events are stored: by identifier, why others are not known to be.

        Those are to be published again, under the same identifiers.
        """
        ...


class InMemoryEventStream:
    """Events in this process; one with a known identifier is dropped."""

    def __init__(self) -> None:
        self._events = dict[str, Event]()

    def publish(self, events: Sequence[Event]) -> Mapping[str, str]:
        """Keep events with new identifiers. Raises ExperimentError for another event under a known one."""
        for event in events:
            if self._events.setdefault(event.id, event) != event:
                raise ExperimentError(f"two different events carry the identifier {event.id}")
        return {}

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events.values())


class KafkaEventStream:
    """Kafka topic keyed by unit, through an idempotent producer: acknowledged by every in-sync replica, in order.

    Consumers drop repeated identifiers: a producer that died before its acknowledgement was read sends again. `more`
    overrides settings of librdkafka.
    """

    def __init__(
        self, brokers: str, topic: str, timeout: float = 10, more: Mapping[str, str | int | bool] | None = None
    ) -> None:
        self._topic, self._timeout = topic, timeout
        self._settings: dict[str, str | int | bool] = {
            "bootstrap.servers": brokers,
            "enable.idempotence": True,  # no repeats within a producer's life, and order kept over retries
            "acks": "all",
            "delivery.timeout.ms": round(timeout * 1000),
            "linger.ms": 5,
            "compression.type": "lz4",
            **(more or {}),
        }
        self._producer = Producer(self._settings)

    def publish(self, events: Sequence[Event]) -> Mapping[str, str]:
        """Return once every event is acknowledged, refused, or `timeout` seconds are over."""
        unsure = {event.id: "no answer in time" for event in events}
        broken = False
        for event in events:
            try:
                self._produce(event, unsure)
            except (BufferError, KafkaException) as error:  # the queue is full, or the producer has lost its sequence
                unsure[event.id] = str(error)
                broken = broken or isinstance(error, KafkaException)
                break  # what follows may be of the same unit
        self._producer.flush(self._timeout + 1)
        if broken:
            self._producer = Producer(self._settings)
        return unsure

    def _produce(self, event: Event, unsure: dict[str, str]) -> None:
        def answered(error: KafkaError | None, _message: object) -> None:
            if error is None:
                unsure.pop(event.id, None)
            else:
                unsure[event.id] = error.str()

        value = json.dumps(event.model_dump(mode="json"), sort_keys=True).encode()
        self._producer.produce(self._topic, value=value, key=event.unit.encode(), on_delivery=answered)
