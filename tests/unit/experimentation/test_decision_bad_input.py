"""Data that no verdict can come from: a clear error or a flagged state, whatever the metric."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.experimentation.decision.declaration import Declaration
from pipelines.experimentation.decision.events import Events
from pipelines.experimentation.decision.ledger import Ledger, reproduce
from pipelines.experimentation.errors import ExperimentError
from tests.unit.experimentation.test_decision import DAY, START, after, declared, outcome, recorded

AT_THE_END = 29.0
METRICS: dict[str, dict[str, Any]] = {
    "proportion": {"kind": "proportion", "outcome": "purchase", "direction": "increase"},
    "mean": {"kind": "mean", "outcome": "spend", "direction": "increase"},
    "adjusted": {"kind": "mean", "outcome": "spend", "direction": "increase", "covariates": ["spend_before"]},
    "ratio": {"kind": "ratio", "numerator": "spend", "denominator": "latency", "direction": "increase"},
    "quantile": {"kind": "quantile", "outcome": "latency", "quantile": 0.5, "direction": "decrease"},
}


def alone(metric: str, **changes: Any) -> Declaration:
    """One metric, which decides."""
    fields: dict[str, Any] = {
        "metrics": {metric: METRICS[metric]},
        "primary": metric,
        "guardrails": [],
        "secondary": [],
    }
    return declared(**{**fields, **changes})


def with_covariate(value: float, units: int = 1) -> Events:
    events = recorded()
    column = events.covariates["spend_before"].copy()
    column[:units] = value
    return dataclasses.replace(events, covariates={"spend_before": column})


def without_outcomes() -> Events:
    events = recorded()
    return events.where(np.ones(len(events.unit), dtype=bool), np.zeros(len(events.outcome), dtype=bool))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300])
def test_a_value_that_is_no_measurement_is_invalid_for_every_metric(metric: str, value: float) -> None:
    events = outcome(recorded(), recorded().unit[0], "spend", value, START + 14.5 * DAY)
    look = after(events, 15, declaration=alone(metric)).looks[-1]
    assert (look.verdict, look.comparisons) == ("invalid", ())
    assert look.reasons == ("1 outcome values are NaN, infinite or beyond 1e+100",)


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e300])
def test_a_covariate_that_is_no_measurement_is_invalid_where_a_metric_reads_it(value: float) -> None:
    look = after(with_covariate(value, 3), 15, declaration=alone("adjusted")).looks[-1]
    assert (look.verdict, look.comparisons) == ("invalid", ())
    assert look.reasons == ("spend_before of 3 units is NaN, infinite or beyond 1e+100",)
    unread = after(with_covariate(value, 3), 15, declaration=alone("mean")).looks[-1]
    assert unread.verdict != "invalid"


@pytest.mark.parametrize("metric", ["proportion", "mean", "adjusted", "ratio"])
def test_no_outcome_at_all_is_no_verdict_and_invalid_at_the_end(metric: str) -> None:
    assert after(without_outcomes(), 15, declaration=alone(metric)).verdict == "continue"
    look = after(without_outcomes(), AT_THE_END, declaration=alone(metric)).looks[-1]
    assert look.verdict == "invalid"
    assert "no variance or no events" in look.reasons[0]


@pytest.mark.parametrize("metric", METRICS)
def test_outcomes_without_variance_are_no_verdict_and_invalid_at_the_end(metric: str) -> None:
    events = recorded()
    everybody = np.isin(events.outcome, ["spend", "latency"])
    same = events.where(np.ones(len(events.unit), dtype=bool), everybody)
    bought = dataclasses.replace(same, outcome=np.where(same.outcome == "spend", "purchase", same.outcome))
    same = dataclasses.replace(bought if metric == "proportion" else same, value=np.ones(len(same.value)))
    look = after(same, AT_THE_END, declaration=alone(metric)).looks[-1]
    assert look.verdict == "invalid"
    assert "no variance or no events" in look.reasons[0]
    assert look.comparisons[0].z is None


def test_a_quantile_of_too_few_values_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ExperimentError, match="has fewer than 10 values beyond it; collect more"):
        after(without_outcomes(), 15, declaration=alone("quantile"))


@pytest.mark.parametrize("missing", ["control", "treatment"])
def test_an_arm_that_nobody_was_dealt_is_invalid(missing: str) -> None:
    events = recorded()
    one = events.where(events.variant != missing, np.ones(len(events.outcome), dtype=bool))
    look = after(one, 15).looks[-1]
    assert (look.verdict, look.comparisons) == ("invalid", ())
    assert "sample ratio mismatch" in look.reasons[0]


@pytest.mark.parametrize("metric", ["proportion", "mean", "adjusted", "ratio"])
@pytest.mark.parametrize("units", [1, 2, 3])
def test_a_handful_of_units_is_no_verdict(metric: str, units: int) -> None:
    events = recorded()
    few = events.where(np.arange(len(events.unit)) < units, np.ones(len(events.outcome), dtype=bool))
    assert after(few, 15, declaration=alone(metric)).verdict == "continue"


@pytest.mark.parametrize("metric", ["proportion", "mean", "adjusted", "ratio"])
def test_outcomes_that_all_come_before_their_exposure_count_for_nothing(metric: str) -> None:
    events = recorded(lift=0.5)
    early = dataclasses.replace(events, outcome_at=np.full(len(events.outcome_at), START - DAY))
    look = after(early, AT_THE_END, declaration=alone(metric)).looks[-1]
    assert look.verdict == "invalid"
    assert look.flags["outcomes before exposure"] == len(events.outcome)


def test_an_event_without_a_time_is_an_error() -> None:
    events = recorded()
    for field in ("at", "outcome_at"):
        column = getattr(events, field).copy()
        column[0] = math.nan
        with pytest.raises(ExperimentError, match="every event needs a time"):
            dataclasses.replace(events, **{field: column})


def test_columns_of_different_lengths_are_an_error() -> None:
    events = recorded()
    with pytest.raises(ExperimentError, match="every exposure column must have"):
        dataclasses.replace(events, variant=events.variant[1:])
    with pytest.raises(ExperimentError, match="every outcome column must have"):
        dataclasses.replace(events, value=events.value[1:])


STRANGE = st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-300, 1e99, 1e100, 1e101, math.inf, -math.inf, math.nan])


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 12), st.sampled_from(["purchase", "spend", "zzz"]), STRANGE, st.floats(-3, 40)),
        max_size=20,
    ),
    dealt=st.lists(st.sampled_from(["control", "treatment", "other"]), max_size=12),
    metric=st.sampled_from(["proportion", "mean", "ratio"]),
)
@settings(max_examples=150, deadline=None)
def test_whatever_is_recorded_gives_a_look_that_can_be_taken_again_or_a_clear_error(
    rows: list[tuple[int, str, float, float]], dealt: list[str], metric: str
) -> None:
    events = Events(
        np.array([f"{i:016x}" for i in range(len(dealt))], dtype=np.str_),
        np.array(dealt, dtype=np.str_),
        np.full(len(dealt), START + DAY),
        np.array([f"{unit:016x}" for unit, *_ in rows], dtype=np.str_),
        np.array([name for _, name, *_ in rows], dtype=np.str_),
        np.array([value for *_, value, _ in rows], dtype=np.float64),
        np.array([START + day * DAY for *_, day in rows], dtype=np.float64),
    )
    declaration = alone(metric)
    try:
        ledger = Ledger.start(declaration, START).take_look(declaration, events, START + 20 * DAY)
    except ExperimentError:
        assert not dealt
        return
    assert reproduce(Ledger.model_validate_json(ledger.model_dump_json()), events) == []
    if "other" in dealt:
        assert ledger.verdict == "invalid"
