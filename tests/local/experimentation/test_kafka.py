"""Events through the service to a real Kafka, while the service and the broker are killed."""

import threading
import time
import uuid
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipelines.experimentation.decision.stream import Event, KafkaEventStream
from pipelines.experimentation.service.lease import LEASE_SECONDS
from pipelines.experimentation.service.pseudonyms import Pseudonyms
from pipelines.experimentation.service.tokens import Role
from tests.local.experimentation.processes import UNIT_KEY, ServiceProcess, store, token, until
from tests.support.kafka.broker import Broker
from tests.support.kafka.topic import create, read_all
from tests.unit.experimentation.service_harness import DECLARATION

pytestmark = pytest.mark.local

CLIENTS, OUTCOMES = 3, 3
PATH = "/v1/experiments/checkout-button"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Generator[Broker]:
    with Broker(tmp_path_factory.mktemp("kafka")) as found:
        yield found


class Client:
    """One unit after the other: an exposure and some outcomes, each sent until it is acknowledged, then the next."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._http = httpx.Client(base_url=url, headers=headers, timeout=20)
        self.acknowledged = dict[str, list[str]]()

    def run(self, enough: threading.Event) -> None:
        with self._http:
            while not enough.wait(0.05):
                unit = f"person-{uuid.uuid4().hex}"
                for turn in range(OUTCOMES + 1):
                    self._send(unit, {"kind": "outcome", "outcome": "purchase"} if turn else EXPOSURE)

    def _send(self, unit: str, event: dict[str, Any]) -> None:
        made: dict[str, Any] = {
            "id": uuid.uuid4().hex,
            "experiment": "checkout-button",
            "unit": unit,
            "at": time.time(),
            **event,
        }
        until(lambda: self._sent(made), 60, "an acknowledgement")
        self.acknowledged.setdefault(unit, []).append(made["id"])

    def _sent(self, event: dict[str, Any]) -> bool:
        try:
            answer = self._http.post("/v1/events", json={"events": [event]})
        except httpx.TransportError:
            return False
        assert answer.status_code in (200, 503), answer.text
        return answer.status_code == 200


EXPOSURE = {"kind": "exposure", "variant": "control"}


def on_topic(broker: Broker, topic: str) -> list[Event]:
    """Every event there, as a consumer sees them that drops identifiers it knows."""
    found = dict[str, Event]()
    for key, value in read_all(broker.address, topic):
        event = Event.model_validate_json(value)
        assert key == event.unit.encode()
        assert found.setdefault(event.id, event) == event
    return list(found.values())


def test_every_acknowledged_event_reaches_the_topic_in_order_though_service_and_broker_are_killed(
    broker: Broker, tmp_path: Path
) -> None:
    create(broker.address, "killed", partitions=3)
    with store() as endpoint:
        kafka = {"KAFKA_BROKERS": broker.address, "KAFKA_TOPIC": "killed"}
        service = ServiceProcess(endpoint, tmp_path / "service.log", **kafka)
        service.start()
        try:
            with httpx.Client(base_url=service.url, headers=token(endpoint, "eve", Role.EDITOR), timeout=30) as http:
                http.put(PATH, json=DECLARATION, headers={"If-None-Match": "*"}).raise_for_status()
                http.post(f"{PATH}/start").raise_for_status()
            clients = [Client(service.url, token(endpoint, "shop", Role.SENDER)) for _ in range(CLIENTS)]
            with sending(clients):
                until(lambda: read_all(broker.address, "killed"), 60, "the first events on the topic")
                broker.kill()
                more(clients, 10, "acknowledgements without a broker")
                service.kill()
                service.start()
                more(clients, 10, "acknowledgements after the service was killed")
                broker.start()
                more(clients, 10, "acknowledgements with the broker back")
            sent = {unit: identifiers for each in clients for unit, identifiers in each.acknowledged.items()}
            count = acknowledged(clients)
            # Another replica relays once the killed one's lease is over.
            until(lambda: len(on_topic(broker, "killed")) >= count, LEASE_SECONDS + 60, f"{count} events on the topic")
            found = on_topic(broker, "killed")
            pseudonyms = Pseudonyms(UNIT_KEY)
            assert {event.unit for event in found} == {pseudonyms.unit(unit) for unit in sent}
            for unit, identifiers in sent.items():
                mine = [event.id for event in found if event.unit == pseudonyms.unit(unit)]
                assert mine == [pseudonyms.event("checkout-button", identifier) for identifier in identifiers]
            assert b"person-" not in b"".join(value for _, value in read_all(broker.address, "killed"))
        finally:
            service.kill()


@contextmanager
def sending(clients: list[Client]) -> Generator[None]:
    """They send meanwhile, and end with whole units."""
    enough = threading.Event()
    with ThreadPoolExecutor(len(clients)) as pool:
        futures = [pool.submit(each.run, enough) for each in clients]
        try:
            yield
        finally:
            enough.set()
    for future in futures:
        future.result()


def more(clients: list[Client], count: int, what: str) -> None:
    seen = acknowledged(clients)
    until(lambda: acknowledged(clients) >= seen + count, 60, what)


def acknowledged(clients: list[Client]) -> int:
    return sum(len(identifiers) for each in clients for identifiers in list(each.acknowledged.values()))


def test_a_publication_that_a_dead_broker_leaves_unsure_arrives_once_it_is_back(broker: Broker) -> None:
    create(broker.address, "back", partitions=2)
    events = [
        Event(id=f"{i}", kind="exposure", experiment="e", unit=f"{i % 5:016x}", at=float(i), variant="a")
        for i in range(50)
    ]
    stream = KafkaEventStream(broker.address, "back", timeout=2, more={"log_level": 0})
    try:
        assert stream.publish(events[:20]) == {}
        broker.kill()
        unsure = stream.publish(events[20:])
        assert set(unsure) == {event.id for event in events[20:]}
        broker.start()
        left = events[20:]
        for _ in range(30):
            unsure = stream.publish(left)
            left = [event for event in left if event.id in unsure]
            if not left:
                break
        assert left == []
    finally:
        stream.close()
    found = on_topic(broker, "back")
    for unit in {event.unit for event in events}:
        assert [event for event in found if event.unit == unit] == [event for event in events if event.unit == unit]


def test_a_broker_that_was_asked_to_stop_ends_by_itself_and_keeps_its_messages(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker:
        create(broker.address, "kept", partitions=1)
        stream = KafkaEventStream(broker.address, "kept", more={"log_level": 0})
        event = Event(id="1", kind="exposure", experiment="e", unit="0" * 16, at=1.0, variant="a")
        assert stream.publish([event]) == {}
        assert broker.stop() == 143  # Java's status after SIGTERM
        broker.start()
        assert on_topic(broker, "kept") == [event]
        stream.close()
