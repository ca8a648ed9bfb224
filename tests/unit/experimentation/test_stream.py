"""The event stream: in memory, and on Kafka by librdkafka's own mock of a cluster."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import psutil
import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from hypothesis import given
from hypothesis import strategies as st

from pipelines.experimentation.decision.stream import Event, InMemoryEventStream, KafkaEventStream
from tests.support.kafka.topic import read_all

TOPIC = "exposures"


def exposure(number: int = 1, unit: int = 0, **changes: Any) -> Event:
    fields = {"id": f"{number}", "kind": "exposure", "experiment": "e", "unit": f"{unit:016x}", "at": 1.0}
    return Event.model_validate({**fields, "variant": "a", **changes})


def test_an_event_sent_twice_is_kept_once_and_a_stolen_identifier_holds_its_unit_back() -> None:
    stream = InMemoryEventStream()
    assert stream.publish([exposure(), exposure(2)]) == {}
    assert stream.publish([exposure()]) == {}
    assert len(list(stream)) == 2
    refused = stream.publish([exposure(variant="b"), exposure(3), exposure(4, unit=1)])
    assert "another event" in refused["1"]
    assert "before it" in refused["3"]
    assert [event.id for event in stream] == ["1", "2", "4"]


@contextmanager
def cluster() -> Generator[str]:
    """The address of a cluster that is gone afterwards."""
    mock = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    broker = next(iter(mock.list_topics(timeout=10).brokers.values()))
    yield f"{broker.host}:{broker.port}"
    del mock


def read(brokers: str) -> list[tuple[bytes, Event]]:
    return [(key, Event.model_validate_json(value)) for key, value in read_all(brokers, TOPIC)]


def test_kafka_events_are_keyed_by_unit_and_stay_in_order() -> None:
    events = [exposure(i, unit=i % 3) for i in range(60)]
    with cluster() as brokers:
        stream = KafkaEventStream(brokers, TOPIC)
        assert stream.publish(events[:30]) == {}
        assert stream.publish(events[30:]) == {}
        found = read(brokers)
    assert all(key == event.unit.encode() for key, event in found)
    for unit in range(3):
        mine = [event for _, event in found if event.unit == f"{unit:016x}"]
        assert mine == [event for event in events if event.unit == f"{unit:016x}"]


def test_events_without_an_acknowledgement_are_named_in_time_and_no_thread_is_left_behind() -> None:
    before = threads()
    stream = KafkaEventStream("127.0.0.1:9", TOPIC, timeout=0.5, more={"log_level": 0})
    unsure = stream.publish([exposure(1), exposure(2), exposure(3, unit=1)])
    assert set(unsure) == {"1", "2", "3"}
    assert "before it" in unsure["2"]
    assert threads() > before
    stream.close()
    assert threads() == before


def threads() -> int:
    return psutil.Process().num_threads()


def test_a_queue_that_is_full_makes_the_rest_wait() -> None:
    with cluster() as brokers:
        stream = KafkaEventStream(brokers, TOPIC, more={"queue.buffering.max.messages": 10, "log_level": 0})
        events = [exposure(i, unit=i % 20) for i in range(25)]
        assert stream.publish(events) == {}
        assert {event.id for _, event in read(brokers)} == {event.id for event in events}


def test_an_event_that_no_broker_takes_holds_its_own_unit_back_and_nobody_else() -> None:
    with cluster() as brokers:
        stream = KafkaEventStream(brokers, TOPIC, more={"message.max.bytes": 1000, "log_level": 0})
        large = exposure(1, segments={f"s{i}": "x" * 60 for i in range(30)})
        refused = stream.publish([large, exposure(2), exposure(3, unit=1), exposure(4, unit=1)])
        assert "too large" in refused["1"]
        assert "before it" in refused["2"]
        assert [event.id for _, event in read(brokers)] == ["3", "4"]


class Topic:
    """What arrived at a topic, where the producers' messages meet these fates one after the other, and then succeed."""

    def __init__(self, fates: Sequence[str]) -> None:
        self.fates, self.arrived, self.producers = iter(fates), list[Event](), list[FlakyProducer]()

    def producer(self, _settings: object) -> "FlakyProducer":
        self.producers.append(FlakyProducer(self))
        return self.producers[-1]

    @contextmanager
    def stream(self) -> Generator[KafkaEventStream]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pipelines.experimentation.decision.stream.Producer", self.producer)
            yield KafkaEventStream("nowhere", TOPIC, timeout=5)


class FlakyProducer:
    """Stands in for librdkafka's producer, which keeps what it cannot deliver and answers only while it is called."""

    def __init__(self, topic: Topic) -> None:
        self._topic, self._fatal, self.closed = topic, False, False
        self._answers, self._unheard = list[Callable[[], None]](), list[Callable[[], None]]()

    def produce(
        self, _topic: str, *, value: bytes, key: bytes, on_delivery: Callable[[KafkaError | None, object], None]
    ) -> None:
        assert not self.closed
        event, fate = Event.model_validate_json(value), next(self._topic.fates, "stored")
        assert key == event.unit.encode()
        if fate == "full":
            raise BufferError("Local: Queue full")
        if self._fatal or fate == "fatal":
            self._fatal = True
            raise KafkaException(KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, "sequence lost", fatal=True))
        if fate != "lost":
            self._topic.arrived.append(event)
        error = None if fate in {"stored", "silent"} else KafkaError(KafkaError.REQUEST_TIMED_OUT)
        (self._unheard if fate == "silent" else self._answers).append(lambda: on_delivery(error, None))

    def poll(self, _timeout: float) -> int:
        return len(self._answers) - self.flush(0)

    def flush(self, _timeout: float) -> int:
        while self._answers:
            self._answers.pop(0)()
        return len(self._unheard)

    def purge(self) -> None:
        self._answers += self._unheard

    def close(self) -> None:
        self.flush(0)
        self.closed = True


FATES = ["stored", "lost", "unheard", "silent", "full", "fatal"]


@given(st.lists(st.integers(0, 3), max_size=12), st.lists(st.sampled_from(FATES), max_size=30))
def test_whatever_fails_every_event_arrives_and_a_units_first_arrivals_are_in_order(
    units: list[int], fates: list[str]
) -> None:
    events = [exposure(i, unit=unit) for i, unit in enumerate(units)]
    topic, left = Topic(fates), events
    with topic.stream() as stream:
        for _ in range(len(fates) + 1):
            unsure = stream.publish(left)
            known = {event.id for event in topic.arrived}
            assert {event.id for event in left} - set(unsure) <= known
            left = [event for event in left if event.id in unsure]
    assert left == []
    first = list({event.id: event for event in reversed(topic.arrived)}.values())[::-1]
    for unit in set(units):
        mine = [event for event in events if event.unit == f"{unit:016x}"]
        assert [event for event in first if event.unit == f"{unit:016x}"] == mine
    assert all(producer.closed for producer in topic.producers[:-1])


def test_a_producer_that_broke_is_replaced_and_closed() -> None:
    topic = Topic(["stored", "fatal"])
    with topic.stream() as stream:
        assert set(stream.publish([exposure(1), exposure(2, unit=1), exposure(3, unit=2)])) == {"2", "3"}
        assert stream.publish([exposure(2, unit=1), exposure(3, unit=2)]) == {}
    assert [producer.closed for producer in topic.producers] == [True, False]
    assert [event.id for event in topic.arrived] == ["1", "2", "3"]


def test_an_answer_that_comes_while_a_message_is_given_up_counts() -> None:
    topic = Topic(["silent", "lost"])
    with topic.stream() as stream:
        assert set(stream.publish([exposure(1), exposure(2, unit=1)])) == {"2"}
        assert [producer.closed for producer in topic.producers] == [True, False]
