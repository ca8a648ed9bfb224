"""Canaries that the service steers: by plan, within the guardrails, through crashes, and never twice at once."""

from collections.abc import Callable, Generator, Mapping
from typing import Any

import httpx
import numpy as np
import pytest

from pipelines.experimentation.decision.declaration import Canary, Declaration
from pipelines.experimentation.decision.rollout import Rollout
from pipelines.experimentation.decision.serving import InMemoryServingWeights, NotInForceError
from pipelines.experimentation.service.canaries import Canaries
from pipelines.experimentation.service.columns import ReceivedEvents
from pipelines.experimentation.service.experiment_store import Standing
from pipelines.experimentation.service.lease import LEASE_SECONDS, Lease
from pipelines.experimentation.service.services import assemble
from tests.unit.experimentation.service_harness import DECLARATION, START, Harness, exposure, harness, outcome

NAME = "model-v2"
PATH = f"/v1/experiments/{NAME}"
SHARES = (0.3, 0.6)
CANARY: dict[str, Any] = {
    **DECLARATION,
    "name": NAME,
    "unit": "request",
    "variants": {"v1": 0.5, "v2": 0.5},
    "control": "v1",
    "primary": "errors",
    "minimum_effect": 0.01,
    "design": {"kind": "canary", "shares": SHARES, "minutes": 3, "units": 3},
    "guardrails": [{"kind": "rare-event", "metric": "errors", "level": 0.01}],
}
SERVING = {"endpoint": "flights", "variants": {"v2": "challenger"}, "seconds": 30}


class Killed(BaseException):
    """The process was killed here."""


class Endpoint:
    """An endpoint's weights, which outlive every service; `strike` is called before and after each update."""

    def __init__(self) -> None:
        self.weights = InMemoryServingWeights({"v1": 1.0, "v2": 0.0})
        self.strike: Callable[[], None] = lambda: None
        self.slow = 0

    def read(self) -> dict[str, float]:
        return self.weights.read()

    def apply(self, shares: Mapping[str, float]) -> None:
        self.strike()
        if dict(shares) != self.read():
            self.weights.apply(shares)
        if self.slow:
            self.slow -= 1
            raise NotInForceError("endpoint flights did not return to service in 5 s: it is Updating")
        self.strike()

    @property
    def shares(self) -> list[float]:
        return [shares["v2"] for shares in self.weights.history]


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
def service(endpoint: Endpoint) -> Generator[Harness]:
    with harness(serving=lambda _declaration, _rollout: endpoint) as found:
        yield found


def begin(service: Harness, **changes: Any) -> httpx.Response:
    document = {**CANARY, **changes}
    path = f"/v1/experiments/{document['name']}"
    assert service.call("PUT", path, json=document, headers={"If-None-Match": "*"}).status_code == 200
    return service.call("POST", f"{path}/start", json={"serving": SERVING})


def state(service: Harness) -> dict[str, Any]:
    return service.call("GET", PATH).json()


def rollout(service: Harness) -> Rollout:
    found = service.parts.experiments.read(NAME)
    assert found is not None
    assert found[0].rollout is not None
    return found[0].rollout


def requests(service: Harness, endpoint: Endpoint, failing: float, count: int = 20) -> None:
    """A minute of requests, dealt by the weights in force; of v2's a share fails."""
    generator = np.random.default_rng(round(service.now[0]))
    share = endpoint.read()["v2"]
    events = list[dict[str, Any]]()
    for second in generator.uniform(0, 60, count):
        at, unit = service.now[0] + second, f"{service.now[0]}-{second}"
        treated = generator.random() < share
        events.append(exposure(unit, "v2" if treated else "v1", at, experiment=NAME))
        if generator.random() < (failing if treated else 0.0):
            events.append(outcome(unit, "error", at + 0.1, experiment=NAME))
    service.now[0] += 61
    assert service.send(events).status_code == 200


def minutes(service: Harness, endpoint: Endpoint, count: int, failing: float = 0.0) -> None:
    for _ in range(count):
        requests(service, endpoint, failing)
        service.parts.canaries.drive()


def test_a_healthy_canary_takes_every_step_by_itself_and_ends_shipped(service: Harness, endpoint: Endpoint) -> None:
    started = begin(service)
    assert started.status_code == 200, started.text
    assert started.json()["canary"]["action"] == "start"
    assert endpoint.shares == [0.0]
    service.parts.canaries.drive()
    assert endpoint.shares == [0.0, 0.3]
    minutes(service, endpoint, 12)
    assert endpoint.shares == [0.0, 0.3, 0.6, 1.0]
    found = state(service)
    assert (found["state"], found["verdict"], found["winner"]) == ("concluded", "ship", "v2")
    assert [move.action for move in rollout(service).moves] == ["start", "advance", "finish"]
    assert service.call("POST", f"{PATH}/decision").json()["state"] == "decided"
    assert service.call("GET", f"{PATH}/reproduction").json()["reproduced"]
    page = service.call("GET", f"{PATH}/report").text
    assert "Shipped v2: it took every step of its plan." in page
    assert "traffic of v2: 30%, then 60%, then 100%" in page


def test_no_step_is_left_before_its_time(service: Harness, endpoint: Endpoint) -> None:
    begin(service)
    service.parts.canaries.drive()
    minutes(service, endpoint, 2)
    assert endpoint.shares == [0.0, 0.3]
    assert state(service)["looks"] >= 1
    minutes(service, endpoint, 2)
    assert endpoint.shares == [0.0, 0.3, 0.6]


def test_a_failing_canary_is_rolled_back_by_itself_and_says_why(service: Harness, endpoint: Endpoint) -> None:
    begin(service)
    service.parts.canaries.drive()
    minutes(service, endpoint, 3, failing=0.9)
    assert endpoint.read() == {"v1": 1.0, "v2": 0.0}
    assert max(endpoint.shares) == 0.3
    found = state(service)
    assert (found["state"], found["verdict"], found["winner"]) == ("concluded", "roll back", None)
    assert "guardrail errors of v2" in found["canary"]["reason"]
    closed = service.call("POST", f"{PATH}/decision")
    assert (closed.json()["state"], closed.json()["verdict"]) == ("decided", "roll back")
    assert service.call("GET", f"{PATH}/reproduction").json()["reproduced"]


def test_a_canary_without_an_endpoint_and_an_endpoint_without_a_canary_are_refused(service: Harness) -> None:
    assert service.call("PUT", PATH, json=CANARY, headers={"If-None-Match": "*"}).status_code == 200
    refused = service.call("POST", f"{PATH}/start")
    assert refused.status_code == 409
    assert "serving: missing" in refused.json()["detail"]
    assert service.declare().status_code == 200
    other = service.call("POST", "/v1/experiments/checkout-button/start", json={"serving": SERVING})
    assert other.status_code == 409
    assert "not a canary" in other.json()["detail"]


@pytest.mark.parametrize(
    ("serving", "status", "said"),
    [
        ({"endpoint": "no spaces"}, 422, "pattern"),
        ({"endpoint": "flights", "seconds": 0}, 422, "greater than or equal"),
        ({"endpoint": "flights", "variants": {"v3": "x"}}, 409, "not declared"),
        ({"endpoint": "flights", "variants": {"v1": "v2"}}, 409, "of its own"),
    ],
)
def test_steering_that_does_not_fit_is_refused(
    service: Harness, serving: dict[str, Any], status: int, said: str
) -> None:
    assert service.call("PUT", PATH, json=CANARY, headers={"If-None-Match": "*"}).status_code == 200
    refused = service.call("POST", f"{PATH}/start", json={"serving": serving})
    assert refused.status_code == status
    assert said in refused.text


def test_one_endpoint_is_steered_by_one_canary_at_a_time(service: Harness, endpoint: Endpoint) -> None:
    begin(service)
    refused = begin(service, name="other")
    assert refused.status_code == 409
    assert f"{NAME} steers flights" in refused.json()["detail"]
    assert service.call("GET", "/v1/experiments/other").json()["state"] == "declared"
    assert service.call("POST", f"{PATH}/rollback", json={"reason": "not today"}).status_code == 200
    service.parts.canaries.drive()
    assert service.call("POST", "/v1/experiments/other/start", json={"serving": SERVING}).status_code == 200
    service.parts.canaries.drive()
    assert endpoint.shares == [0.0, 0.3]


def test_a_person_ends_a_canary_at_once_and_is_named(service: Harness, endpoint: Endpoint) -> None:
    begin(service)
    service.parts.canaries.drive()
    assert service.call("POST", f"{PATH}/rollback", "viewer", json={"reason": "looks odd"}).status_code == 403
    assert service.call("POST", f"{PATH}/rollback", json={"reason": "looks odd"}).status_code == 200
    assert state(service)["state"] == "running"
    service.parts.canaries.drive()
    assert endpoint.shares == [0.0, 0.3, 0.0]
    last = rollout(service).moves[-1]
    assert (last.action, last.by, last.reason) == ("roll back", "eve", "looks odd")
    assert state(service)["state"] == "concluded"
    assert service.call("POST", f"{PATH}/rollback", json={"reason": "looks odd"}).status_code == 409


def test_weights_that_somebody_else_changed_stop_the_plan_until_a_person_resumes(
    service: Harness, endpoint: Endpoint
) -> None:
    begin(service)
    service.parts.canaries.drive()
    minutes(service, endpoint, 2)
    endpoint.weights.apply({"v1": 0.6, "v2": 0.4})
    minutes(service, endpoint, 6)
    assert endpoint.shares[-1] == 0.4
    found = state(service)
    assert found["canary"]["action"] == "stop"
    assert "somebody else changed the weights" in found["canary"]["reason"]
    assert "somebody else changed the weights" in service.call("GET", f"{PATH}/report").text
    assert service.call("POST", f"{PATH}/resume", json={"reason": "it was us"}).status_code == 200
    service.parts.canaries.drive()
    assert endpoint.shares[-1] == 0.3
    assert service.call("POST", f"{PATH}/resume", json={"reason": "again"}).status_code == 409
    minutes(service, endpoint, 12)
    assert endpoint.shares[-1] == 1.0


def test_harm_is_answered_even_after_somebody_else_changed_the_weights(service: Harness, endpoint: Endpoint) -> None:
    begin(service)
    service.parts.canaries.drive()
    at = service.now[0] + 20
    service.now[0] += 60
    units = {f"v2-{i}": "v2" for i in range(12)} | {f"v1-{i}": "v1" for i in range(28)}
    service.send([exposure(unit, variant, at, experiment=NAME) for unit, variant in units.items()])
    service.now[0] += 60
    service.parts.canaries.drive()
    endpoint.weights.apply({"v1": 0.6, "v2": 0.4})
    service.parts.canaries.drive()
    assert rollout(service).stopped
    assert endpoint.shares[-1] == 0.4
    service.send(
        [outcome(unit, "error", at + 1, experiment=NAME) for unit, variant in units.items() if variant == "v2"]
    )
    service.now[0] += 60
    service.parts.canaries.drive()
    assert endpoint.shares[-1] == 0.0
    assert "guardrail errors of v2" in state(service)["canary"]["reason"]


def test_an_endpoint_that_takes_its_time_is_waited_for_and_said(service: Harness, endpoint: Endpoint) -> None:
    endpoint.slow = 2
    begin(service)
    service.parts.canaries.drive()
    assert "did not return to service" in state(service)["canary"]["problem"]
    assert not state(service)["canary"]["in_force"]
    service.parts.canaries.drive()
    service.parts.canaries.drive()
    assert state(service)["canary"]["in_force"]
    assert state(service)["canary"]["problem"] is None
    assert endpoint.shares == [0.0, 0.3]


def test_a_canary_nobody_uses_ends_with_its_declared_days(service: Harness, endpoint: Endpoint) -> None:
    begin(service, stop={"maximum_days": 1})
    service.parts.canaries.drive()
    service.now[0] += 3600
    for _ in range(3):
        service.parts.canaries.drive()
        assert "no look can be taken" in state(service)["canary"]["problem"]
    service.now[0] = START + 86_500
    service.parts.canaries.drive()
    assert endpoint.shares == [0.0, 0.3, 0.0]
    assert "the declared days are over" in state(service)["canary"]["reason"]


def test_a_fault_of_ours_in_a_look_is_said_and_keeps_the_canary_where_it_is(
    service: Harness, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(service, stop={"maximum_days": 1})
    service.parts.canaries.drive()

    def broken(*_: object) -> ReceivedEvents:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(service.parts.canaries, "events", broken)
        minutes(service, endpoint, 6)
        assert endpoint.shares == [0.0, 0.3]
        assert "a fault of the service" in state(service)["canary"]["problem"]
    minutes(service, endpoint, 2)
    assert state(service)["canary"]["problem"] is None
    assert endpoint.shares[:3] == [0.0, 0.3, 0.6]


def test_exposures_around_a_change_of_weights_belong_to_no_step(service: Harness) -> None:
    begin(service)
    service.parts.canaries.drive()
    plan = Declaration.model_validate(CANARY).design
    assert isinstance(plan, Canary)
    moved = rollout(service).moves[0].in_force_at
    assert moved is not None
    margin = 0.05 * 180
    moments = np.array([moved - 1, moved + margin - 1, moved + margin + 1, moved + 500])
    assert rollout(service).steps(plan, moments, moved + 1000).tolist() == [-1, -1, 0, 0]
    assert rollout(service).steps(plan, moments, moved - 1).tolist() == [-1] * 4


def another(service: Harness, endpoint: Endpoint) -> Canaries:
    """The driver of a replica on the same tables."""
    parts = assemble(
        service.parts.settings,
        service.client,
        serving=lambda _declaration, _rollout: endpoint,
        clock=lambda: service.now[0],
    )
    return parts.canaries


def to_its_end(service: Harness, endpoint: Endpoint, failing: float) -> bool:
    """Traffic and rounds until the canary is over, by another replica after a kill; whether there was one."""
    driver, killed = service.parts.canaries, False
    while not rollout(service).over:
        assert service.now[0] < START + 3600
        requests(service, endpoint, failing)
        try:
            driver.drive()
        except Killed:
            killed = True
            service.now[0] += LEASE_SECONDS + 1
            driver = another(service, endpoint)
    return killed


def strike_at(number: int) -> Callable[[], None]:
    """Kills at the given call, counted from 0."""
    calls = iter(range(10_000))

    def strike() -> None:
        if next(calls) == number:
            raise Killed

    return strike


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("failing", [0.0, 0.9], ids=["healthy", "failing"])
def test_killed_before_or_after_any_change_of_weights_another_replica_goes_on(
    service: Harness, endpoint: Endpoint, number: int, failing: float
) -> None:
    begin(service)
    endpoint.strike = strike_at(number)
    assert to_its_end(service, endpoint, failing) == (number < (4 if failing else 6))
    assert endpoint.shares == ([0.0, 0.3, 0.0] if failing else [0.0, 0.3, 0.6, 1.0])
    assert service.call("GET", f"{PATH}/reproduction").json()["reproduced"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(6))
def test_killed_around_any_write_of_the_record_another_replica_goes_on(
    service: Harness, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, number: int, after: bool
) -> None:
    begin(service)
    strike, real = strike_at(number), service.parts.experiments.write

    def write(standing: Standing, revision: int) -> int:
        if after:
            found = real(standing, revision)
            strike()
            return found
        strike()
        return real(standing, revision)

    monkeypatch.setattr(service.parts.experiments, "write", write)
    assert to_its_end(service, endpoint, failing=0.0)
    assert endpoint.shares == [0.0, 0.3, 0.6, 1.0]
    assert service.call("GET", f"{PATH}/reproduction").json()["reproduced"]


def test_only_the_replica_that_holds_the_lease_moves_anything(service: Harness, endpoint: Endpoint) -> None:
    begin(service)
    assert service.parts.canaries.lease.take()
    assert another(service, endpoint).drive() == 0
    assert endpoint.shares == [0.0]
    service.parts.canaries.lease.give_back()
    assert another(service, endpoint).drive() > 0
    assert endpoint.shares == [0.0, 0.3]


def test_a_lease_passes_on_only_after_its_time_and_is_known_lost_by_its_holder(service: Harness) -> None:
    client, table = service.client, service.parts.settings.state_table
    timer = [0.0]
    leases = [Lease(client, table, "work", lambda: service.now[0], lambda: timer[0]) for _ in range(2)]
    assert leases[0].take()
    assert not leases[1].take()
    service.now[0] += LEASE_SECONDS - 1
    timer[0] += LEASE_SECONDS - 1
    assert not leases[1].take()
    assert leases[0].take()
    assert leases[0].left == LEASE_SECONDS
    service.now[0] += LEASE_SECONDS + 1
    timer[0] += LEASE_SECONDS + 1
    assert leases[0].left < 0
    assert leases[1].take()
    assert not leases[0].take()
    leases[0].give_back()
    assert not leases[0].take()
    leases[1].give_back()
    assert leases[0].take()


def test_weights_are_not_changed_with_a_lease_about_to_end(service: Harness, endpoint: Endpoint) -> None:
    timer = [0.0]
    lease = Lease(
        service.client,
        service.parts.settings.state_table,
        "canaries",
        lambda: service.now[0],
        lambda: timer[0],
    )
    service.parts.canaries.lease = lease
    begin(service)
    assert lease.take()
    timer[0] += LEASE_SECONDS / 2 - 1
    late = endpoint.read

    def slow_read() -> dict[str, float]:
        timer[0] += 10
        return late()

    endpoint.read = slow_read
    service.parts.canaries.drive()
    assert endpoint.shares == [0.0]
    endpoint.read = late
    timer[0] += LEASE_SECONDS
    service.parts.canaries.drive()
    assert endpoint.shares == [0.0, 0.3]
