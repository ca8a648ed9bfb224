from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.backends.sagemaker.rollout import Plan, RolloutError, Step, plan, retained


def routing(kind: str, **more: Any) -> dict[str, Any]:
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": kind, **more}}}


def percent(value: int) -> dict[str, object]:
    return {"Type": "CAPACITY_PERCENT", "Value": value}


def test_without_a_deployment_configuration_traffic_moves_at_once() -> None:
    assert plan(None, 1) == Plan((Step(1.0, 0.0),), 0.0)


def test_a_canary_bakes_a_share_and_then_the_whole() -> None:
    document = routing("CANARY", CanarySize=percent(10), WaitIntervalInSeconds=300)
    document["BlueGreenUpdatePolicy"]["TerminationWaitInSeconds"] = 120
    document["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": "a"}, {"AlarmName": "b"}]}

    found = plan(document, 10)

    assert found.steps == (Step(0.1, 300.0), Step(1.0, 300.0))
    assert (found.termination_wait, found.alarms) == (120.0, ("a", "b"))


@given(st.integers(10, 50), st.integers(1, 20))
def test_linear_steps_grow_to_the_whole_and_none_is_larger_than_the_step(size: int, instances: int) -> None:
    steps = plan(routing("LINEAR", LinearStepSize=percent(size), WaitIntervalInSeconds=1), instances).steps
    shares = [step.share for step in steps]
    assert shares[-1] == 1.0
    assert all(0 < later - earlier <= size / 100 + 1e-9 for earlier, later in zip([0.0, *shares], shares, strict=False))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"RollingUpdatePolicy": {"MaximumBatchSize": {}}}, "RollingUpdatePolicy"),
        (routing("CANARY"), "CanarySize is required"),
        (routing("CANARY", CanarySize=percent(80)), "at most 50%"),
        (routing("LINEAR", LinearStepSize=percent(5)), "at least 10 %"),
        (routing("SIDEWAYS"), "got SIDEWAYS"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_its_member(document: dict[str, object], said: str) -> None:
    with pytest.raises(RolloutError, match=said):
        plan(document, 4)


def test_live_weights_and_counts_are_kept_only_where_asked() -> None:
    new = {"InitialVariantWeight": 1.0, "InitialInstanceCount": 1}
    live = {"CurrentWeight": 7.0, "CurrentInstanceCount": 3}
    nothing: frozenset[str] = frozenset()
    assert retained(new, live, retain=True, excluded=nothing) == (7.0, 3)
    assert retained(new, live, retain=True, excluded=frozenset({"DesiredWeight"})) == (1.0, 3)
    assert retained(new, live, retain=False, excluded=nothing) == (1.0, 1)
    assert retained(new, None, retain=True, excluded=nothing) == (1.0, 1)
