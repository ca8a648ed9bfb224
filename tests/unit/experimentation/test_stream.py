"""The event stream: in memory, and on Kafka by librdkafka's own mock of a cluster."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, Producer

from pipelines.experimentation.decision.stream import Event, InMemoryEventStream, KafkaEventStream
from pipelines.experimentation.errors import ExperimentError

TOPIC = "exposures"


def exposure(number: int = 1, unit: int = 0, **changes: Any) -> Event:
    fields = {"id": f"{number}", "kind": "exposure", "experiment": "e", "unit": f"{unit:016x}", "at": 1.0}
    return Event.model_validate({**fields, "variant": "a", **changes})


def test_an_event_sent_twice_is_kept_once_and_a_stolen_identifier_is_an_error() -> None:
    stream = InMemoryEventStream()
    assert stream.publish([exposure(), exposure(2)]) == {}
    assert stream.publish([exposure()]) == {}
    assert len(list(stream)) == 2
    with pytest.raises(ExperimentError, match="two different events"):
        stream.publish([exposure(variant="b")])


@contextmanager
def cluster() -> Generator[str]:
    """The address of a cluster that is gone afterwards."""
    mock = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    broker = next(iter(mock.list_topics(timeout=10).brokers.values()))
    yield f"{broker.host}:{broker.port}"
    del mock


def read(brokers: str, count: int) -> list[tuple[bytes, Event]]:
    """The first messages of the topic, with their keys."""
    settings = {"bootstrap.servers": brokers, "group.id": "test", "auto.offset.reset": "earliest", "log_level": 0}
    consumer = Consumer(settings)
    consumer.subscribe([TOPIC])
    found, deadline = list[tuple[bytes, Event]](), time.monotonic() + 30
    while len(found) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} messages within 30 s"
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            key, value = message.key(), message.value()
            assert isinstance(key, bytes)
            assert isinstance(value, bytes)
            found.append((key, Event.model_validate_json(value)))
    consumer.close()
    return found


def test_kafka_events_are_keyed_by_unit_and_stay_in_order() -> None:
    events = [exposure(i, unit=i % 3) for i in range(60)]
    with cluster() as brokers:
        stream = KafkaEventStream(brokers, TOPIC)
        assert stream.publish(events[:30]) == {}
        assert stream.publish(events[30:]) == {}
        found = read(brokers, 60)
    assert all(key == event.unit.encode() for key, event in found)
    for unit in range(3):
        mine = [event for _, event in found if event.unit == f"{unit:016x}"]
        assert mine == [event for event in events if event.unit == f"{unit:016x}"]


def test_events_without_an_acknowledgement_are_named() -> None:
    stream = KafkaEventStream("127.0.0.1:9", TOPIC, timeout=0.5, more={"log_level": 0})
    unsure = stream.publish([exposure(1), exposure(2)])
    assert set(unsure) == {"1", "2"}
    assert all(unsure.values())


def test_a_queue_that_is_full_leaves_the_rest_to_be_published_again() -> None:
    with cluster() as brokers:
        stream = KafkaEventStream(brokers, TOPIC, more={"queue.buffering.max.messages": 10, "log_level": 0})
        events = [exposure(i) for i in range(25)]
        rounds, left = 0, events
        while left:
            unsure = stream.publish(left)
            left = [event for event in left if event.id in unsure]
            rounds += 1
            assert rounds < 10
        assert rounds > 1
        assert [event.id for _, event in read(brokers, 25)] == [event.id for event in events]


def test_a_producer_that_broke_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    with cluster() as brokers:
        stream = KafkaEventStream(brokers, TOPIC, more={"log_level": 0})
        broken = stream._producer  # pyright: ignore[reportPrivateUsage]: to break it

        class Broken:
            def produce(self, *_: Any, **__: Any) -> None:
                raise KafkaException("fatal")

            def flush(self, timeout: float) -> int:
                return broken.flush(timeout)

        monkeypatch.setattr(stream, "_producer", Broken())
        assert set(stream.publish([exposure(1), exposure(2)])) == {"1", "2"}
        assert stream.publish([exposure(1), exposure(2)]) == {}
        assert [event.id for _, event in read(brokers, 2)] == ["1", "2"]
