from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipelines.experimentation.decision.stream import Event, InMemoryEventStream
from pipelines.experimentation.service import event_store
from pipelines.experimentation.service.event_store import OUTBOX_LAG_SECONDS
from pipelines.experimentation.service.lease import Lease
from pipelines.experimentation.service.relay import DurableEventStream
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
        (outcome("u", value="NaN"), "valid number"),
        (outcome("u", value=True), "valid number"),
        (outcome("u", value=1e16), "less than or equal"),
        ({**outcome("u"), "at": str(START)}, "valid number"),
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


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"events": [{"at": Infinity}]}', 422),
        (b'{"events": [{"at": 1e999}]}', 422),
        (b'{"events": [{"at": ' + b"1" * 400 + b"}]}", 422),
        (b'{"events": [{"at": ' + b"1" * 5000 + b"}]}", 400),
        (b'{"events": ' + b"[" * 100_000, 400),
        (b'{"events": [{"unit": "\\ud800"}]}', 422),
        (b'{"events": [{"\\ud800": 1}]}', 422),
        (b'{"events": [{"covariates": {"\\ud800": 1}}]}', 422),
        (b'{"events": [{"unit": "\xff"}]}', 400),
        (b"[]", 422),
        (b"null", 422),
    ],
    ids=range(11),
)
def test_numbers_nesting_and_text_beyond_every_bound_are_refused(service: Harness, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/json"}
    answer = service.call("POST", "/v1/events", "sender", content=body, headers=headers)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_identifiers_are_taken_as_they_come_and_told_apart_character_by_character(service: Harness) -> None:
    units = ["a\0b", "a b", "a b ", "\U0001f600", "\u202eann", "\u00e9", "e\u0301", "\ufeffann", "Ann", "ann"]
    assert service.send([exposure(unit) for unit in units]).json() == {"stored": 10, "known": 0}
    found = service.parts.events.load("checkout-button", service.now[0])
    assert len({received.event.unit for received in found}) == 10
    service.now[0] += 10
    for unit in units:
        assert service.call("POST", "/v1/deletions", json={"unit": unit}).json() == {"events": 1}
    assert service.counted() == 0


def test_an_event_twice_in_one_batch_counts_once(service: Harness) -> None:
    event = exposure("ann")
    assert service.send([event, exposure("bob"), event]).json() == {"stored": 2, "known": 1}
    assert service.send([event, event]).json() == {"stored": 0, "known": 2}
    assert service.counted() == 2


def test_two_events_of_one_batch_under_one_identifier_are_refused_and_nothing_is_stored(service: Harness) -> None:
    event = exposure("ann")
    for other in ({**event, "variant": "treatment"}, {**event, "unit": "bob"}, {**event, "at": START + 11}):
        refused = service.send([exposure("eve"), event, other])
        assert refused.status_code == 422
        assert [error["pointer"] for error in refused.json()["errors"]] == ["/events/2/id"]
    assert service.counted() == 0


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


def test_a_units_events_are_stored_in_order_though_the_store_throttles_one_of_them(
    service: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: Any = service.parts.events._client  # pyright: ignore[reportPrivateUsage]: the fault is put in below the store
    put, order, throttled = client.put_item, list[str](), set[str]()

    def put_item(**request: Any) -> Any:
        identifier = request["Item"]["id"]["S"]
        if identifier[0] in "01234567" and identifier not in throttled:
            throttled.add(identifier)
            response = {"Error": {"Code": "ThrottlingException", "Message": "slow down"}}
            raise ClientError(response, "PutItem")  # pyright: ignore[reportArgumentType]: botocore's own form
        answer = put(**request)
        order.append(identifier)
        return answer

    monkeypatch.setattr(client, "put_item", put_item)
    monkeypatch.setattr(event_store, "ROUNDS", 20)
    monkeypatch.setattr(event_store, "PAUSE_SECONDS", 0.0)
    batch = [(exposure if i < 3 else outcome)(f"u{i % 3}", id=f"event-number-{i}") for i in range(18)]
    assert service.send(batch).json() == {"stored": 18, "known": 0}
    assert throttled
    sent = [service.parts.pseudonyms.event("checkout-button", event["id"]) for event in batch]
    for unit in range(3):
        assert [identifier for identifier in order if identifier in sent[unit::3]] == sent[unit::3]


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


def test_a_deletion_that_the_store_interrupts_is_counted_before_anything_is_gone(
    service: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.send([exposure("ann"), outcome("ann")])
    service.now[0] += 10
    client: Any = service.parts.events._client  # pyright: ignore[reportPrivateUsage]: the fault is put in below the store

    def throttled(**_: Any) -> Any:
        response = {"Error": {"Code": "ThrottlingException", "Message": "slow down"}}
        raise ClientError(response, "DeleteItem")  # pyright: ignore[reportArgumentType]: botocore's own form

    with monkeypatch.context() as patch:
        patch.setattr(client, "delete_item", throttled)
        assert service.call("POST", "/v1/deletions", json={"unit": "ann"}).status_code == 503
    assert service.call("GET", "/v1/experiments/checkout-button/reproduction").json()["deletions"] == 1
    assert service.parts.deletions.sweep() == 2  # it is remembered
    assert service.counted() == 0


def test_what_a_person_does_after_a_deletion_stays(service: Harness) -> None:
    service.send([exposure("ann")])
    service.now[0] += 10
    service.call("POST", "/v1/deletions", json={"unit": "ann"})
    service.now[0] += 10
    service.send([exposure("ann", at=service.now[0])])
    assert service.parts.deletions.sweep() == 0
    assert service.counted() == 1


def test_events_of_a_deleted_person_do_not_count_before_the_sweep(service: Harness) -> None:
    late = [exposure("ann")]
    assert service.call("POST", "/v1/deletions", json={"unit": "ann"}).status_code == 200
    service.send([*late, *[exposure(f"u{i}", ("control", "treatment")[i % 2]) for i in range(20)]])
    service.now[0] += 60
    service.call("POST", "/v1/experiments/checkout-button/looks")
    standing = service.call("GET", "/v1/experiments/checkout-button").json()["experiment"]
    assert sum(standing["ledger"]["looks"][0]["units"].values()) == 20


class Unsure(InMemoryEventStream):
    """Of some units it has every publication's first event, and the rest not, and is unsure of all of them."""

    def __init__(self, units: Callable[[str], bool] = lambda _: False) -> None:
        super().__init__()
        self.units: Callable[[str], bool] = units
        self.publications = list[list[Event]]()

    def publish(self, events: Sequence[Event]) -> Mapping[str, str]:
        self.publications.append(list(events))
        unsure = [event for event in events if self.units(event.unit)]
        first = {event.unit: event for event in reversed(unsure)}
        super().publish([event for event in events if event not in unsure or event is first[event.unit]])
        return {event.id: "no answer in time" for event in unsure}

    @property
    def published(self) -> list[str]:
        return [event.id for events in self.publications for event in events]


@contextmanager
def relaying(stream: Unsure) -> Generator[tuple[Harness, DurableEventStream]]:
    with harness(stream) as service:
        service.start()
        service.now[0] = START + 30
        assert service.parts.outbox is not None
        yield service, service.parts.outbox


def stored_in_turn(service: Harness, units: Sequence[str]) -> list[str]:
    """Identifiers, as stored, of an exposure and then outcomes of each unit, a second between one and the next."""
    found, seen = list[str](), set[str]()
    for unit in units:
        event = outcome(unit) if unit in seen else exposure(unit)
        assert service.send([event]).status_code == 200
        seen.add(unit)
        service.now[0] += 1
        found.append(service.parts.pseudonyms.event("checkout-button", event["id"]))
    service.now[0] += OUTBOX_LAG_SECONDS
    return found


def test_the_relay_brings_every_acknowledged_event_to_the_stream_and_keeps_asking_until_it_is_sure() -> None:
    stream = Unsure(lambda unit: int(unit[1], 16) % 3 == 0)
    with relaying(stream) as (service, outbox):
        assert service.send([exposure(f"u{i}") for i in range(30)]).status_code == 200
        service.now[0] += OUTBOX_LAG_SECONDS
        done = outbox.drain()
        assert 0 < done < 30
        assert outbox.drain() == 0
        assert len(stream.publications[1]) == 30 - done
        stream.units = lambda _: False
        assert outbox.drain() == 30 - done
        assert {event.unit for event in stream} == {service.parts.pseudonyms.unit(f"u{i}") for i in range(30)}
        assert len(list(stream)) == 30
        assert outbox.drain() == 0
        assert len(stream.publications) == 3


def test_a_units_events_reach_the_stream_in_the_order_they_were_stored_page_after_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_store, "PAGE", 3)
    stream = Unsure()
    with relaying(stream) as (service, outbox):
        sent = stored_in_turn(service, ["ann"] * 8)
        assert outbox.drain() == 8
        assert stream.published == sent


def test_one_unit_that_the_stream_refuses_holds_up_its_own_events_and_nobody_elses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_store, "PAGE", 2)
    stream = Unsure()
    with relaying(stream) as (service, outbox):
        poisoned = service.parts.pseudonyms.unit("ann")
        stream.units = poisoned.__eq__
        others = [f"u{i}" for i in range(12)]
        sent = stored_in_turn(service, ["ann", *others, "ann", "ann", *others])
        assert outbox.drain() == 24
        hers = [event.id for event in stream if event.unit == poisoned]
        assert hers == sent[:1]  # it has it, and is not sure
        stream.units = lambda _: False
        assert outbox.drain() == 3
        assert [event.id for event in stream if event.unit == poisoned] == [sent[0], sent[13], sent[14]]


def test_a_stream_that_takes_nothing_is_asked_once_and_not_page_after_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_store, "PAGE", 1)
    stream = Unsure(lambda _: True)
    with relaying(stream) as (service, outbox):
        stored_in_turn(service, [f"u{i}" for i in range(20)])
        assert outbox.drain() == 0
        assert len(stream.publications) == 1


def test_what_the_outbox_still_shows_though_it_was_published_is_not_published_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = Unsure()
    with relaying(stream) as (service, outbox):
        sent = stored_in_turn(service, ["ann", "bob"])
        with monkeypatch.context() as patch:
            patch.setattr(service.parts.events, "relayed", list[object])
            assert outbox.drain() == 2
        assert any(service.parts.events.waiting())
        assert outbox.drain() == 0
        assert sorted(stream.published) == sorted(sent)
        assert [page for page in service.parts.events.waiting() if page] == []


def test_what_was_stored_a_moment_ago_waits_for_what_was_stored_before_it() -> None:
    stream = Unsure()
    with relaying(stream) as (service, outbox):
        service.send([exposure("ann")])
        assert outbox.drain() == 0
        service.now[0] += OUTBOX_LAG_SECONDS
        assert outbox.drain() == 1


def test_late_events_of_a_person_whose_data_were_deleted_do_not_reach_the_stream() -> None:
    stream = Unsure()
    with relaying(stream) as (service, outbox):
        assert service.call("POST", "/v1/deletions", json={"unit": "ann"}).status_code == 200
        service.send([exposure("ann"), exposure("bob")])
        service.now[0] += 100
        service.send([outcome("ann", at=START + 120)])
        service.now[0] += OUTBOX_LAG_SECONDS
        assert outbox.drain() == 2
        assert sorted(event.at for event in stream) == [START + 10, START + 120]
        service.parts.deletions.sweep()
        assert [page for page in service.parts.events.waiting() if page] == []


def test_one_replica_relays_at_a_time() -> None:
    stream = Unsure()
    with relaying(stream) as (service, outbox):
        stored_in_turn(service, ["ann"])
        other = Lease(service.client, service.parts.settings.state_table, "relay", lambda: service.now[0])
        assert other.take()
        assert outbox.drain() == 0
        assert stream.publications == []
        other.give_back()
        assert outbox.drain() == 1


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
