import base64
import json
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.experimentation.assignment import Configuration, Experiment, Variant, sign
from pipelines.experimentation.service.settings import Settings
from tests.unit.experimentation.service_harness import DAY, ISSUER, START, Harness, harness

CONFIGURATION = "/v1/configurations/shop"
EXPERIMENT = "/v1/experiments/checkout-button"


@pytest.fixture(scope="module")
def shared() -> Generator[Harness]:
    with harness() as found:
        yield found


@pytest.fixture
def service() -> Generator[Harness]:
    with harness() as found:
        yield found


def envelope(version: int, coverage: float = 0.5, key: Ed25519PrivateKey = ISSUER, **more: Any) -> dict[str, Any]:
    moment = datetime.fromtimestamp(START, UTC)
    experiment = Experiment(
        key="button",
        variants=(Variant(name="control", weight=0.5), Variant(name="treatment", weight=0.5)),
        coverage=coverage,
    )
    document: dict[str, Any] = {
        "issued_at": moment,
        "expires_at": moment + timedelta(days=7),
        "experiments": (experiment,),
        **more,
    }
    return sign(Configuration(namespace="shop", version=version, **document), key).model_dump()


ALLOWED = [
    ("GET", "/v1/experiments", {"viewer", "editor", "approver"}),
    ("GET", EXPERIMENT, {"viewer", "editor", "approver"}),
    ("GET", f"{EXPERIMENT}/report", {"viewer", "editor", "approver"}),
    ("GET", f"{EXPERIMENT}/reproduction", {"viewer", "editor", "approver"}),
    ("PUT", EXPERIMENT, {"editor"}),
    ("POST", f"{EXPERIMENT}/start", {"editor"}),
    ("POST", f"{EXPERIMENT}/looks", {"editor"}),
    ("POST", f"{EXPERIMENT}/decision", {"editor"}),
    ("POST", f"{EXPERIMENT}/rollback", {"editor"}),
    ("POST", f"{EXPERIMENT}/resume", {"editor"}),
    ("POST", f"{EXPERIMENT}/approvals", {"approver"}),
    ("GET", CONFIGURATION, {"sender", "viewer", "editor", "approver"}),
    ("PUT", CONFIGURATION, {"editor"}),
    ("POST", "/v1/events", {"sender"}),
    ("POST", "/v1/deletions", {"editor"}),
]


@pytest.mark.parametrize(("method", "path", "allowed"), ALLOWED)
def test_only_the_named_roles_get_in(shared: Harness, method: str, path: str, allowed: set[str]) -> None:
    for role in ("sender", "viewer", "editor", "approver"):
        refused = shared.call(method, path, role).status_code == 403
        assert refused == (role not in allowed)
    for header in ({}, {"Authorization": "Bearer nothing"}, {"Authorization": f"Bearer mlp_{'0' * 16}_{'A' * 43}"}):
        answer = shared.http.request(method, path, headers=header)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_every_endpoint_is_guarded_and_listed_above(shared: Harness) -> None:
    paths = shared.http.get("/openapi.json").json()["paths"]
    found = {
        (method.upper(), path.format(name="checkout-button", namespace="shop"))
        for path, methods in paths.items()
        for method in methods
    }
    assert found == {(method, path) for method, path, _ in ALLOWED} | {("GET", "/health")}


def test_an_expired_or_revoked_token_is_refused(service: Harness) -> None:
    assert service.call("GET", "/v1/experiments", "viewer").status_code == 200
    assert service.parts.tokens.revoke(service.tokens["viewer"].split("_")[1])
    service.now[0] += 11
    assert service.call("GET", "/v1/experiments", "viewer").status_code == 401
    service.now[0] += 91 * DAY
    assert service.call("GET", "/v1/experiments").status_code == 401


def test_a_configuration_is_replaced_only_by_whoever_has_seen_it(service: Harness) -> None:
    assert service.call("PUT", CONFIGURATION, json=envelope(1)).status_code == 428
    first = service.call("PUT", CONFIGURATION, json=envelope(1), headers={"If-None-Match": "*"})
    assert first.status_code == 200
    assert service.call("PUT", CONFIGURATION, json=envelope(2), headers={"If-None-Match": "*"}).status_code == 412
    seen = {"If-Match": first.headers["ETag"]}
    assert service.call("PUT", CONFIGURATION, json=envelope(2), headers=seen).status_code == 200
    assert service.call("PUT", CONFIGURATION, json=envelope(3), headers=seen).status_code == 412
    fetched = service.call("GET", CONFIGURATION, "sender")
    assert fetched.json() == envelope(2)
    known = {"If-None-Match": fetched.headers["ETag"]}
    assert service.call("GET", CONFIGURATION, "sender", headers=known).status_code == 304


def test_a_stale_tampered_foreign_or_reshuffling_configuration_is_refused(service: Harness) -> None:
    first = service.call("PUT", CONFIGURATION, json=envelope(5), headers={"If-None-Match": "*"})
    seen = {"If-Match": first.headers["ETag"]}
    good = envelope(6)
    tampered = {**good, "payload": good["payload"].replace("0.5", "0.6")}
    foreign = envelope(6, key=Ed25519PrivateKey.generate())
    past = datetime.fromtimestamp(START - DAY, UTC)
    expired = envelope(6, issued_at=past, expires_at=past + timedelta(hours=1))
    for refused, status in ((tampered, 422), (foreign, 422), (expired, 422), (envelope(5), 409), (envelope(4), 409)):
        assert service.call("PUT", CONFIGURATION, json=refused, headers=seen).status_code == status
    shrunk = service.call("PUT", CONFIGURATION, json=envelope(6, coverage=0.4), headers=seen)
    assert shrunk.status_code == 409
    assert "coverage fell" in shrunk.json()["reasons"][0]
    assert service.call("PUT", "/v1/configurations/other", json=good, headers={"If-None-Match": "*"}).status_code == 422
    assert service.call("GET", CONFIGURATION).json() == envelope(5)


def test_two_writers_with_the_same_etag_leave_one_whole_configuration(service: Harness) -> None:
    store = service.parts.configurations
    service.call("PUT", CONFIGURATION, json=envelope(1), headers={"If-None-Match": "*"})
    before = store.read("shop")
    assert before is not None
    seen = {"If-Match": service.call("GET", CONFIGURATION).headers["ETag"]}
    assert service.call("PUT", CONFIGURATION, json=envelope(2, 0.6), headers=seen).status_code == 200
    late = service.call("PUT", CONFIGURATION, json=envelope(3, 0.7), headers=seen)
    assert late.status_code == 412
    assert service.call("GET", CONFIGURATION).json() == envelope(2, 0.6)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
EVENT = st.fixed_dictionaries(
    {},
    optional={
        "id": st.text(max_size=12) | JSON,
        "kind": st.sampled_from(["exposure", "outcome", "other"]),
        "experiment": st.just("checkout-button") | st.text(max_size=5),
        "unit": st.text(max_size=5) | JSON,
        "at": st.floats() | JSON,
        "variant": st.sampled_from(["control", "x", None]),
        "outcome": st.sampled_from(["purchase", "joy", None]),
        "value": st.floats() | JSON,
        "stage": st.integers(),
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=JSON | st.fixed_dictionaries({"events": st.lists(EVENT, max_size=3)}), target=st.sampled_from(ALLOWED))
def test_no_input_makes_a_fault_of_ours(shared: Harness, body: Any, target: tuple[str, str, set[str]]) -> None:
    method, path, roles = target
    content = json.dumps(body).encode()  # with NaN, which callers send and the client's own encoder refuses
    headers = {"Content-Type": "application/json", "If-None-Match": "*"}
    answer = shared.call(method, path, min(roles), content=content, headers=headers)
    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code


def test_a_missing_or_wrong_setting_is_named() -> None:
    whole = {"STATE_TABLE": "s", "EVENTS_TABLE": "e", "UNIT_KEY": base64.b64encode(b"k" * 32).decode()}
    for environment, said in (
        ({**whole, "KAFKA_SETTINGS": "acks=all"}, "KAFKA_SETTINGS must be a JSON object"),
        ({**whole, "SETTLE_SECONDS": "soon"}, "SETTLE_SECONDS must be a number, got 'soon'"),
        ({}, "STATE_TABLE and EVENTS_TABLE"),
        ({"STATE_TABLE": "s", "EVENTS_TABLE": "e"}, "UNIT_KEY"),
        ({"STATE_TABLE": "s", "EVENTS_TABLE": "e", "UNIT_KEY": "?"}, "base64"),
    ):
        with pytest.raises(ValueError, match=said):
            Settings.from_environment(environment)


def test_a_known_bearer_costs_no_read_of_the_store(shared: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    token = shared.tokens["viewer"]
    assert shared.parts.tokens.caller(token) is not None

    def read(*_: Any, **__: Any) -> None:
        raise AssertionError("the store was read")

    monkeypatch.setattr(shared.parts.tokens, "_read", read)
    assert shared.parts.tokens.caller(token) is not None
