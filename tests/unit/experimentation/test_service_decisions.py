from collections.abc import Generator
from pathlib import Path

import pytest

from tests.unit.experimentation.service_harness import DAY, DECLARATION, START, Harness, exposure, harness, traffic

PATH = "/v1/experiments/checkout-button"


@pytest.fixture
def service() -> Generator[Harness]:
    with harness() as found:
        yield found


def run(service: Harness, rates: dict[str, float], units: int = 400, day: int = 1) -> None:
    service.now[0] = START + day * DAY
    events = traffic(units, rates, service.now[0] - 100, prefix=f"day{day}")
    for i in range(0, len(events), 500):
        assert service.send(events[i : i + 500]).status_code == 200
    service.now[0] += 60


def test_an_experiment_goes_from_declaration_to_an_approved_decision(service: Harness, tmp_path: Path) -> None:
    service.start()
    run(service, {"control": 0.2, "treatment": 0.55})
    taken = service.call("POST", f"{PATH}/looks")
    assert taken.status_code == 200, taken.text
    assert taken.json()["verdict"] == "ship"
    assert taken.json()["winner"] == "treatment"

    early = service.call("POST", f"{PATH}/decision")
    assert early.status_code == 409
    assert "approval" in early.json()["detail"]
    digest = {"record_digest": taken.json()["record_digest"]}
    assert service.call("POST", f"{PATH}/approvals", "approver", json={"record_digest": "0"}).status_code == 409
    assert "may not approve" in service.call("POST", f"{PATH}/approvals", "stranger", json=digest).json()["detail"]
    assert service.call("POST", f"{PATH}/approvals", "approver", json=digest).json()["may_ship"]
    assert service.call("POST", f"{PATH}/decision").json()["state"] == "decided"
    assert service.call("POST", f"{PATH}/decision").status_code == 409

    again = service.call("GET", f"{PATH}/reproduction", "viewer").json()
    assert again == {"reproduced": True, "differences": [], "deletions": 0}
    report = service.call("GET", f"{PATH}/report", "viewer")
    assert "Ship treatment." in report.text
    assert "Approved by ann" in report.text
    (tmp_path / "report.html").write_text(report.text)


def test_what_arrives_after_a_look_does_not_change_it(service: Harness) -> None:
    service.start()
    run(service, {"control": 0.2, "treatment": 0.22}, units=200)
    assert service.call("POST", f"{PATH}/looks").json()["verdict"] == "continue"
    happened_before = START + DAY - 50
    assert service.send([exposure(f"late-{i}", "treatment", happened_before) for i in range(20)]).status_code == 200
    service.now[0] += DAY
    assert service.call("POST", f"{PATH}/looks").status_code == 200
    assert service.call("GET", f"{PATH}/reproduction").json()["reproduced"]


def test_a_changed_declaration_is_refused_after_the_start_and_accepted_before(service: Harness) -> None:
    first = service.declare()
    changed = {**DECLARATION, "minimum_effect": 0.2}
    assert service.call("PUT", PATH, json=changed).status_code == 428
    assert service.call("PUT", PATH, json=changed, headers={"If-Match": '"9"'}).status_code == 412
    second = service.call("PUT", PATH, json=changed, headers={"If-Match": first.headers["ETag"]})
    assert second.status_code == 200
    assert service.call("POST", f"{PATH}/start").status_code == 200
    etag = service.call("GET", PATH).headers["ETag"]
    refused = service.call("PUT", PATH, json=DECLARATION, headers={"If-Match": etag})
    assert refused.status_code == 409
    assert "another experiment" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"variants": {"control": 0.7, "treatment": 0.7}}, "add up to 1"),
        ({"control": "nobody"}, "not among the variants"),
        ({"primary": "joy"}, "unknown metric"),
        ({"minimum_effect": "NaN"}, "finite"),
        ({"surprise": 1}, "Extra inputs"),
        ({"design": {"kind": "group-sequential", "looks": []}}, "at least one"),
    ],
)
def test_a_declaration_that_cannot_be_is_refused_with_its_reason(
    service: Harness, changes: dict[str, object], said: str
) -> None:
    refused = service.declare(**changes)
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert said in refused.text


def test_no_events_and_no_variance_give_no_verdict(service: Harness) -> None:
    service.start()
    service.now[0] += DAY
    empty = service.call("POST", f"{PATH}/looks")
    assert empty.status_code == 409
    assert "no exposure" in empty.json()["detail"]
    run(service, {"control": 0.0, "treatment": 0.0}, units=100, day=2)
    assert service.call("POST", f"{PATH}/looks").json()["verdict"] == "continue"
    service.now[0] += DAY
    last = service.call("POST", f"{PATH}/looks").json()
    assert last["verdict"] == "invalid"
    assert "no variance" in last["reasons"][0]
    assert service.call("POST", f"{PATH}/decision").status_code == 409


def test_a_skewed_split_is_never_a_verdict(service: Harness) -> None:
    service.start()
    service.now[0] = START + DAY
    events = [exposure(f"u{i}", "control" if i % 5 else "treatment", service.now[0] - 50) for i in range(400)]
    assert service.send(events).status_code == 200
    service.now[0] += 60
    assert service.call("POST", f"{PATH}/looks").json()["verdict"] == "invalid"
    assert "cannot be trusted" in service.call("GET", f"{PATH}/report").text


@pytest.mark.parametrize("path", ["", "/report", "/reproduction"])
def test_an_experiment_that_is_not_there_is_404(service: Harness, path: str) -> None:
    assert service.call("GET", f"/v1/experiments/nothing{path}").status_code == 404


def test_advice_to_stop_for_futility_may_be_ignored_until_it_is_decided_on(service: Harness) -> None:
    design = {"kind": "group-sequential", "looks": [0.4, 0.7, 1.0], "futility": {"spending": {"kind": "pocock"}}}
    assert service.declare(design=design).status_code == 200
    assert service.call("POST", f"{PATH}/start").status_code == 200
    run(service, {"control": 0.3, "treatment": 0.27}, units=260)
    advised = service.call("POST", f"{PATH}/looks").json()
    assert (advised["verdict"], advised["state"]) == ("keep control", "concluded")
    assert "advised, not required" in advised["reasons"][0]
    assert "Better stop and keep control." in service.call("GET", f"{PATH}/report").text
    run(service, {"control": 0.3, "treatment": 0.3}, units=100, day=2)
    assert service.call("POST", f"{PATH}/looks").json()["looks"] == 2
    assert service.call("GET", f"{PATH}/reproduction").json()["reproduced"]
    assert service.call("POST", f"{PATH}/decision").json()["state"] == "decided"
    refused = service.call("POST", f"{PATH}/looks")
    assert refused.status_code == 409
    assert "was decided by" in refused.json()["detail"]
