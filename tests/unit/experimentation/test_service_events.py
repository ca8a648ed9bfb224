import copy
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipelines.experimentation.decision.stream import Event, InMemoryEventStream
from pipelines.experimentation.service.event_store import OUTBOXES
from pipelines.experimentation.service.lease import Lease
from tests.unit.experimentation.service_harness import DAY, START, Harness, exposure, harness, outcome


@pytest.fixture
def service() -> Generator[Harness]:
    with harness() as found:
        found.start()
        found.now[0] = START + 30
        yield found


def everything_stored(service: Harness) -> str:
    tables = service.parts.settings.state_table, service.parts.settings.events_table
    client = service.parts.events._client  # pyright: ignore[reportPrivateUsage]: what lies in the tables is the point
    return "".join(str(client.scan(TableName=table)["Items"]) for table in tables)


def test_a_batch_sent_again_counts_once(service: Harness) -> None:
    batch = [exposure("ann"), outcome("ann"), exposure("bob", "treatment")]
    assert service.send(batch).json() == {"stored": 3, "known": 0}
    assert service.send(batch).json() == {"stored": 0, "known": 3}
    assert service.send([*batch, exposure("eve")]).json() == {"stored": 1, "known": 3}
    assert service.counted() == 4


def test_the_same_batch_sent_many_times_at_once_counts_once(service: Harness) -> None:
    batch = [exposure(f"u{i}") for i in range(20)]
    with ThreadPoolExecutor(4) as pool:
        answers = [answer.json() for answer in pool.map(service.send, [batch] * 4)]
    assert sum(answer["stored"] for answer in answers) == 20
    assert service.counted() == 20


def test_another_event_under_a_known_identifier_is_refused_and_the_first_stays(service: Harness) -> None:
    first = exposure("ann")
    service.send([first])
    other = {**first, "variant": "treatment"}
    answer = service.send([other, exposure("bob")])
    assert answer.status_code == 409
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/events/0/id"]
    found = service.parts.events.load("checkout-button", service.now[0])
    assert sorted(str(r.event.variant) for r in found) == ["control", "control"]


def test_no_identifier_is_stored_or_repeated_in_an_answer(service: Harness) -> None:
    service.send([exposure("ann@example.org", id="event-of-ann@example.org")])
    assert "ann@example.org" not in everything_stored(service)
    for broken in ({"variant": "nope"}, {"at": "soon"}, {"unit": "ann@example.org" * 50}, {"stage": 7}):
        refused = service.send([{**exposure("ann@example.org"), **broken}])
        assert refused.status_code == 422
        assert "ann@example.org" not in refused.text


def test_no_token_is_stored(service: Harness) -> None:
    secret = service.tokens["sender"].rpartition("_")[2]
    assert secret not in everything_stored(service)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (exposure("u", "nope"), "declared are"),
        (exposure("u", experiment="other"), "not running"),
        (outcome("u", "joy"), "the declared metrics read"),
        (outcome("u", variant="control"), "belong to the exposure"),
        (exposure("u", covariates={"age": 3}), "needs exactly"),
        (exposure("u", cluster="house"), "not declared"),
        (exposure("u", segments={"country": "nl"}), "segments"),
        (exposure("u", value=2.0), "no value"),
        (exposure("u", at=START - DAY), "before the experiment started"),
        (exposure("u", at=START + DAY), "in the future"),
        (exposure("u", at=START - 30 * DAY), "days ago"),
        (outcome("u", value="NaN"), "finite"),
        (exposure(""), "at least 1"),
    ],
)
def test_an_event_that_can_never_count_is_named_and_nothing_of_its_batch_is_stored(
    service: Harness, event: dict[str, Any], said: str
) -> None:
    refused = service.send([exposure("fine"), event])
    assert refused.status_code == 422
    assert said in refused.json()["errors"][0]["detail"]
    assert refused.json()["errors"][0]["pointer"].startswith("/events/1")
    assert service.counted() == 0


def test_literal_nan_and_text_that_is_not_json_are_refused(service: Harness) -> None:
    headers = {"Content-Type": "application/json"}
    for body, status in ((b'{"events": [{"value": NaN}]}', 422), (b"{", 400), (b"\xff\xfe", 400), (b"", 422)):
        assert service.call("POST", "/v1/events", "sender", content=body, headers=headers).status_code == status


def test_a_body_that_is_too_long_is_refused_unread(service: Harness) -> None:
    assert service.call("POST", "/v1/events", "sender", content=b" " * 1_000_001).status_code == 413


def test_a_wrong_clock_is_corrected_and_a_retry_under_another_correction_counts_once(service: Harness) -> None:
    event = exposure("ann", at=START + 10 + DAY)
    assert service.send([event], sent_at=START + 20 + DAY).json()["stored"] == 1
    assert service.send([event], sent_at=START + 25 + DAY).json()["known"] == 1
    [found] = service.parts.events.load("checkout-button", service.now[0])
    assert found.event.at == START + 20  # ten seconds before it was sent, by our clock


def test_a_throttled_store_acknowledges_nothing_and_a_retry_completes_the_batch(
    service: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: Any = service.parts.events._client  # pyright: ignore[reportPrivateUsage]: the fault is put in below the store
    put, failing = client.put_item, [True]

    def throttled(**request: Any) -> Any:
        if failing[0] and int(request["Item"]["id"]["S"], 16) % 2:
            response = {"Error": {"Code": "ProvisionedThroughputExceededException", "Message": "slow down"}}
            raise ClientError(response, "PutItem")  # pyright: ignore[reportArgumentType]: botocore's own form
        return put(**request)

    monkeypatch.setattr(client, "put_item", throttled)
    batch = [exposure(f"u{i}", id=f"event-number-{i}") for i in range(12)]
    refused = service.send(batch)
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "1"
    stored = service.counted()
    assert 0 < stored < 12
    failing[0] = False
    assert service.send(batch).json() == {"stored": 12 - stored, "known": stored}
    assert service.counted() == 12


def test_a_persons_data_is_deleted_and_stays_deleted_though_it_is_sent_again(service: Harness) -> None:
    hers, his = [exposure("ann"), outcome("ann")], [exposure("bob")]
    service.send([*hers, *his])
    service.now[0] += 10
    assert service.call("POST", "/v1/deletions", json={"unit": "ann"}).json() == {"events": 2}
    assert service.call("POST", "/v1/deletions", json={"unit": "ann"}).json() == {"events": 0}
    service.now[0] += 10
    assert service.send(hers).status_code == 200  # a late retry
    assert service.parts.deletions.sweep() == 2
    assert service.counted() == 1
    assert service.call("GET", "/v1/experiments/checkout-button/reproduction").json()["deletions"] == 2


def test_events_of_a_deleted_person_do_not_count_before_the_sweep(service: Harness) -> None:
    late = [exposure("ann")]
    assert service.call("POST", "/v1/deletions", json={"unit": "ann"}).status_code == 200
    service.send([*late, *[exposure(f"u{i}", ("control", "treatment")[i % 2]) for i in range(20)]])
    service.now[0] += 60
    service.call("POST", "/v1/experiments/checkout-button/looks")
    standing = service.call("GET", "/v1/experiments/checkout-button").json()["experiment"]
    assert sum(standing["ledger"]["looks"][0]["units"].values()) == 20


class Refusing(InMemoryEventStream):
    """Is unsure of every third event, though it has it."""

    def __init__(self) -> None:
        super().__init__()
        self.order = list[str]()

    def publish(self, events: Sequence[Event]) -> Mapping[str, str]:
        super().publish(events)
        self.order += [event.id for event in events]
        return {event.id: "no answer in time" for event in events[::3]} if len(self.order) < 200 else {}


def test_the_relay_brings_every_acknowledged_event_to_the_stream_and_keeps_asking_until_it_is_sure() -> None:
    stream = Refusing()
    with harness(stream) as service:
        service.start()
        batch = [exposure(f"u{i}", at=START) for i in range(30)]
        assert service.send(copy.deepcopy(batch)).status_code == 200
        outbox = service.parts.outbox
        assert outbox is not None
        rounds = 0
        while outbox.drain() or any(service.parts.events.pending(part) for part in OUTBOXES):
            rounds += 1
            assert rounds < 40
        assert rounds > 1
        units = {event.unit for event in stream}
        assert units == {service.parts.pseudonyms.unit(f"u{i}") for i in range(30)}
        assert len(list(stream)) == 30
        assert len(stream.order) > 30


def test_a_units_events_reach_the_stream_in_the_order_they_were_stored() -> None:
    stream = Refusing()
    with harness(stream) as service:
        service.start()
        sent = list[str]()
        for i in range(8):
            service.now[0] = START + i
            event = exposure("ann", at=START) if i == 0 else outcome("ann", at=START + i)
            assert service.send([event]).status_code == 200
            sent.append(service.parts.pseudonyms.event("checkout-button", event["id"]))
        assert service.parts.outbox is not None
        service.parts.outbox.drain()
        assert stream.order[:8] == sent


def test_one_replica_relays_at_a_time() -> None:
    stream = Refusing()
    with harness(stream) as service:
        service.start()
        service.send([exposure("ann", at=START)])
        outbox = service.parts.outbox
        assert outbox is not None
        other = Lease(service.client, service.parts.settings.state_table, "relay", lambda: service.now[0])
        assert other.take()
        assert outbox.drain() == 0
        assert stream.order == []
        other.give_back()
        outbox.drain()
        assert len(stream.order) == 1


def test_segments_are_those_that_the_declaration_names_and_come_back_with_the_events(service: Harness) -> None:
    name = {"name": "by-country", "segments": ["country"]}
    service.start(**name)
    event = exposure("ann", experiment="by-country")
    assert "segments: got []" in service.send([event]).text
    for wrong in ({"city": "ede"}, {"country": "nl", "city": "ede"}, {"country": ""}, {"country": "n" * 65}):
        assert service.send([{**event, "segments": wrong}]).status_code == 422
    assert service.send([{**event, "segments": {"country": "nl"}}]).status_code == 200
    late = outcome("ann", experiment="by-country", segments={"country": "nl"})
    assert "belong to the exposure" in service.send([late]).text
    found = service.parts.experiments.read("by-country")
    assert found is not None
    assert service.parts.seen(found[0], service.now[0] + 60).segments["country"].tolist() == ["nl"]
