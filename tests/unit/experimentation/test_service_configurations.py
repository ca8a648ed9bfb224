"""Configurations as large as they may be."""

from pipelines.experimentation.assignment import Experiment, Variant
from pipelines.experimentation.service.configuration_store import ENVELOPE_BYTES
from tests.unit.experimentation.service_harness import harness
from tests.unit.experimentation.test_service_access import CONFIGURATION, envelope


def experiments(count: int) -> tuple[Experiment, ...]:
    """Their JSON is full of quotes, each of which is escaped where the envelope is stored."""
    variants = tuple(Variant(name=f"{i}", weight=0.1) for i in range(10))
    return tuple(Experiment(key=f"{i}", variants=variants) for i in range(count))


def test_a_configuration_is_refused_by_the_size_it_is_stored_with() -> None:
    created = {"If-None-Match": "*"}
    one = len(envelope(1, experiments=experiments(11))["payload"]) - len(
        envelope(1, experiments=experiments(10))["payload"]
    )
    with harness() as service:
        large = envelope(1, experiments=experiments(ENVELOPE_BYTES // one - 20))
        assert len(large["payload"]) < ENVELOPE_BYTES
        refused = service.call("PUT", CONFIGURATION, json=large, headers=created)
        assert refused.status_code == 422
        assert f"{ENVELOPE_BYTES} are allowed" in refused.json()["detail"]
        fits = envelope(1, experiments=experiments(ENVELOPE_BYTES * 7 // 10 // one))
        assert service.call("PUT", CONFIGURATION, json=fits, headers=created).status_code == 200
        assert service.call("GET", CONFIGURATION).json()["payload"] == fits["payload"]
