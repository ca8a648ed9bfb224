"""The seam to the event stream.

Exposures and outcomes go out here, at least once, with an identifier that makes it once.
"""

import json
from collections.abc import Callable, Iterator
from typing import Literal, Protocol

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
    stage: int = 0


class EventStream(Protocol):
    """Durable, ordered per unit."""

    def publish(self, event: Event) -> None:
        """Return only once the event is stored; raise otherwise, and the client sends it again."""
        ...


class InMemoryEventStream:
    """Events in this process; one with a known identifier is dropped."""

    def __init__(self) -> None:
        self._events = dict[str, Event]()

    def publish(self, event: Event) -> None:
        """Keep the event unless its identifier is known; another event under the same identifier is an error."""
        known = self._events.setdefault(event.id, event)
        if known != event:
            raise ExperimentError(f"two different events carry the identifier {event.id}")

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events.values())


class Producer(Protocol):
    """The part of `confluent_kafka.Producer` that is used."""

    def produce(
        self, topic: str, value: bytes, key: bytes, on_delivery: Callable[[object | None, object], None]
    ) -> None:
        """Queue a message."""
        ...

    def flush(self, timeout: float) -> int:
        """Wait for delivery; the number of messages still queued."""
        ...


class KafkaEventStream:
    """Kafka topic keyed by unit. Give it a producer with `enable.idempotence` and `acks=all`.

    Consumers drop repeated identifiers: a producer that died before its acknowledgement was read sends again.
    """

    def __init__(self, producer: Producer, topic: str, timeout: float = 10) -> None:
        self._producer, self._topic, self._timeout = producer, topic, timeout

    def publish(self, event: Event) -> None:
        """Return once every in-sync replica has the event. Raises ExperimentError when that is not known in time."""
        failures = list[object]()
        delivered = list[object]()

        def on_delivery(error: object | None, message: object) -> None:
            (failures if error is not None else delivered).append(error or message)

        value = json.dumps(event.model_dump(mode="json"), sort_keys=True).encode()
        self._producer.produce(self._topic, value=value, key=event.unit.encode(), on_delivery=on_delivery)
        self._producer.flush(self._timeout)
        if failures or not delivered:
            raise ExperimentError(f"event {event.id} is not stored: {failures or 'no answer in time'}; send it again")
