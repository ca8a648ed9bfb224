"""An interleaving from drawn lists to a decision, through the service."""

from typing import Any

import numpy as np

from pipelines.experimentation.decision.interleaved import clicked, interleaver, shown
from pipelines.experimentation.decision.stream import Event
from pipelines.experimentation.interleaving import Impression
from tests.unit.experimentation.service_harness import DAY, START, harness
from tests.unit.experimentation.test_decision_interleaved import declared

OLD, NEW = [f"film-{i}" for i in range(6)], [f"film-{i}" for i in (7, 8, 0, 1, 9, 2)]
LIKED = {"film-7", "film-8", "film-9"}
PLAN = declared(
    minimum_effect=0.2, design={"kind": "interleaving", "length": 6, "looks": [0.5, 1.0]}, segments=["query"]
)


def as_sent(event: Event) -> dict[str, Any]:
    document = event.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return document | ({"segments": {"query": "home"}} if event.kind == "exposure" else {})


def sessions(users: int) -> list[dict[str, Any]]:
    """One list for each user, who clicks the films that the new ranker alone knows."""
    generator, events, method = np.random.default_rng(3), list[dict[str, Any]](), interleaver(PLAN)
    for number in range(users):
        at = START + DAY - 1000 + number
        drawn = method.draw(OLD, NEW, generator)
        impression = Impression(f"impression-{number}", f"user-{number:012d}", "home", drawn)
        events.append(as_sent(shown(PLAN, impression, at)))
        for position, film in enumerate(drawn.items):
            if film in LIKED and generator.random() < 0.5:
                events.append(as_sent(clicked(PLAN, impression, position, at + 5)))
    return events


def test_an_interleaving_goes_from_lists_and_clicks_to_an_approved_decision() -> None:
    path = "/v1/experiments/new-ranker"
    with harness() as service:
        service.start(**PLAN.model_dump(mode="json"))
        service.now[0] = START + DAY
        events = sessions(120)
        for first in range(0, len(events), 400):
            assert service.send(events[first : first + 400]).status_code == 200
        assert service.send(events[:50]).json() == {"stored": 0, "known": 50}
        service.now[0] += 60
        taken = service.call("POST", f"{path}/looks")
        assert taken.status_code == 200, taken.text
        assert (taken.json()["verdict"], taken.json()["winner"]) == ("ship", "new"), taken.json()["reasons"]
        digest = {"record_digest": taken.json()["record_digest"]}
        assert service.call("POST", f"{path}/approvals", "approver", json=digest).status_code == 200
        assert service.call("POST", f"{path}/decision").json()["state"] == "decided"
        assert service.call("GET", f"{path}/reproduction").json()["reproduced"]
        assert "Ship new." in service.call("GET", f"{path}/report").text
