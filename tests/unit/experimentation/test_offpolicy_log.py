from math import inf, isnan, nan
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest

from pipelines.experimentation.offpolicy import (
    SCHEMA,
    Estimator,
    Flag,
    Interval,
    LogError,
    LoggedDecisions,
    evaluate,
)

ACTIONS = ["x", "y"]


def _frame(**columns: list[Any]) -> pd.DataFrame:
    base: dict[str, list[Any]] = {
        "decision": ["1", "2", "3"],
        "action": ["x", "y", "x"],
        "propensity": [0.5, 0.5, 0.25],
        "reward": [1.0, 0.0, 1.0],
    }
    return pd.DataFrame({**base, **columns})


def test_a_table_of_the_schema_is_read() -> None:
    arrow: Any = pyarrow
    rows = [
        {
            "decision": "1",
            "action": "y",
            "propensity": 0.4,
            "reward": 2.0,
            "context": [1.0],
            "probabilities": [0.6, 0.4],
        }
    ]
    log = LoggedDecisions.from_arrow(arrow.Table.from_pylist(rows, schema=SCHEMA), ACTIONS)
    assert log.actions == ("x", "y")
    assert log.action.tolist() == [1]
    assert log.context is not None
    assert log.context.tolist() == [[1.0]]
    assert log.probabilities is not None
    assert log.probabilities.tolist() == [[0.6, 0.4]]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"propensity": [0.5, 0.0, 0.5]}, "propensity: must be above 0 and at most 1; got 0.0 in decision '2'"),
        ({"propensity": [0.5, 1.2, 0.5]}, "propensity: must be above 0 and at most 1; got 1.2 in decision '2'"),
        ({"propensity": [nan, 0.5, nan]}, r"propensity: must be above 0 .* got nan in decision '1' \(2 such rows\)"),
        ({"reward": [1.0, nan, 1.0]}, "reward: must be a finite number.* got nan in decision '2'"),
        ({"reward": [1.0, inf, 1.0]}, "reward: must be a finite number.* got inf in decision '2'"),
        ({"reward": [1.0, None, "many"]}, r"reward: must be a finite number.* \(2 such rows\)"),
        ({"action": ["x", "w", "x"]}, r"action: must be one of \['x', 'y'\]; got w in decision '2'"),
        ({"decision": ["1", None, "3"]}, "decision: must be named; got None in decision None"),
        ({"decision": ["1", "2", "1"]}, "decision: appears twice; log each once; got 1 in decision '1'"),
        (
            {"probabilities": [[0.5, 0.5], [0.5, 0.4], [0.25, 0.75]]},
            "probabilities: each row must sum to 1; got 0.9 in decision '2'",
        ),
        (
            {"probabilities": [[0.5, 0.5], [1.5, -0.5], [0.25, 0.75]]},
            "probabilities: must not be negative; got -0.5 in decision '2'",
        ),
        (
            {"probabilities": [[0.5, 0.5], [0.3, 0.7], [0.25, 0.75]]},
            "propensity: must be the action's entry in probabilities; got 0.5 in decision '2'",
        ),
        ({"probabilities": [[0.5, 0.5], [0.5, nan], [0.25, 0.75]]}, "probabilities: all numbers must be finite"),
        ({"probabilities": [[1.0], [1.0], [1.0]]}, "probabilities: every row must hold 2 numbers"),
        ({"context": [[1.0], [1.0, 2.0], [1.0]]}, "context: every row must hold a list of numbers, all of one length"),
        ({"propensities": [1, 1, 1]}, "column 'propensities' is unknown"),
    ],
)
def test_a_log_with_a_bad_row_is_refused_naming_it(columns: dict[str, list[Any]], message: str) -> None:
    with pytest.raises(LogError, match=message):
        LoggedDecisions.from_pandas(_frame(**columns), ACTIONS)


def test_all_problems_of_a_log_are_reported_at_once() -> None:
    with pytest.raises(LogError) as caught:
        LoggedDecisions.from_pandas(_frame(reward=[nan, 1.0, 1.0], propensity=[0.5, -1.0, 0.5]), ACTIONS)
    assert len(caught.value.problems) == 2


def test_empty_and_misshapen_logs_are_refused() -> None:
    with pytest.raises(LogError, match="has no rows"):
        LoggedDecisions.from_pandas(_frame().iloc[:0], ACTIONS)
    with pytest.raises(LogError, match="column 'reward' is missing"):
        LoggedDecisions.from_pandas(_frame().drop(columns="reward"), ACTIONS)
    with pytest.raises(LogError, match="at least two different names"):
        LoggedDecisions.from_pandas(_frame(), ["x", "x"])


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ([0.5, 0.4], "target: each row must sum to 1; got 0.9"),
        ([nan, 1.0], "target: each row must sum to 1; got nan"),
        ([-0.5, 1.5], "target: must not be negative; got -0.5"),
        ([0.2, 0.3, 0.5], r"target: shape must be \(3, 2\)"),
    ],
)
def test_a_target_that_is_no_distribution_is_refused(target: list[float], message: str) -> None:
    log = LoggedDecisions.from_pandas(_frame(), ACTIONS)
    with pytest.raises(LogError, match=message):
        evaluate(log, np.array(target))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"estimators": [Estimator.DR]}, r"model: dr need predicted rewards of shape \(3, 2\)"),
        ({"model": np.zeros((3, 3))}, r"model: shape must be \(3, 2\)"),
        ({"model": np.full((3, 2), nan)}, "model: all predicted rewards must be finite"),
        ({"clip": 0.0}, "clip: must be above 0"),
        ({"clip": nan}, "clip: must be above 0"),
        ({"level": 1.0}, "level: must be between 0 and 1"),
        ({"interval": Interval.BERNSTEIN}, "reward_range: the Bernstein interval needs"),
        ({"interval": Interval.BERNSTEIN, "reward_range": (0.0, 1.0)}, "weight_bound: the Bernstein interval needs"),
        ({"interval": Interval.BERNSTEIN, "estimators": [Estimator.SNIPS]}, "snips is a ratio"),
        ({"switch_among": []}, r"switch_among: must be thresholds above 0, at least one; got \(\)"),
        ({"switch_among": [1.0, nan]}, "switch_among: must be thresholds above 0"),
        ({"weight_bound": 1.5}, "weight_bound: no weight may exceed it; got 1.5, the log holds 2"),
        (
            {
                "interval": Interval.BERNSTEIN,
                "reward_range": (0.0, 1.0),
                "weight_bound": 2.0,
                "model": np.full((3, 2), -0.1),
            },
            r"model: the Bernstein interval needs predictions within reward_range \(0.0, 1.0\); got -0.1 to -0.1",
        ),
        ({"reward_range": (0.0, 0.5)}, "the log holds rewards from 0.0 to 1.0, outside"),
        ({"reward_range": (1.0, 0.0)}, "reward_range: must be two finite numbers"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments: dict[str, Any], message: str) -> None:
    log = LoggedDecisions.from_pandas(_frame(), ACTIONS)
    with pytest.raises(LogError, match=message):
        evaluate(log, np.array([0.5, 0.5]), **arguments)


def test_a_target_that_never_agrees_with_the_log_is_a_flagged_state_without_a_value() -> None:
    log = LoggedDecisions.from_pandas(_frame(action=["x", "x", "x"]), ACTIONS)
    found = evaluate(log, np.array([0.0, 1.0]))
    assert {Flag.NO_OVERLAP, Flag.NO_SUPPORT} <= found.diagnostics.flags
    assert found.diagnostics.unsupported_actions == ("y",)
    for estimate in found.estimates.values():
        assert isnan(estimate.value)
        assert estimate.interval == (-inf, inf)


def test_missing_support_is_exact_where_all_probabilities_are_logged() -> None:
    probabilities = [[1.0, 0.0], [0.5, 0.5], [0.25, 0.75]]
    frame = _frame(action=["x", "y", "x"], propensity=[1.0, 0.5, 0.25], probabilities=probabilities)
    found = evaluate(LoggedDecisions.from_pandas(frame, ACTIONS), np.array([0.4, 0.6]))
    # Only the first row lacks support for y, where the target puts .6.
    assert found.diagnostics.unsupported_mass == pytest.approx(0.2)
    assert Flag.NO_SUPPORT in found[Estimator.IPS].flags


def test_effective_sample_and_largest_weight_are_those_of_their_formulas() -> None:
    found = evaluate(LoggedDecisions.from_pandas(_frame(), ACTIONS), np.array([0.5, 0.5])).diagnostics
    # Weights 1, 1, 2.
    assert found.effective_sample == pytest.approx(16 / 6)
    assert found.max_weight == pytest.approx(2.0)
    assert found.max_weight_share == pytest.approx(0.5)
    assert found.mean_weight == pytest.approx(4 / 3)
    assert Flag.LOW_EFFECTIVE_SAMPLE in found.flags


def test_one_row_has_an_estimate_and_no_bounds() -> None:
    log = LoggedDecisions.from_pandas(_frame().iloc[:1], ACTIONS)
    estimate = evaluate(log, np.array([0.5, 0.5]))[Estimator.IPS]
    assert estimate.value == 1.0
    assert estimate.interval == (-inf, inf)
    assert estimate.standard_error == inf


def test_the_bootstrap_is_reproducible_by_its_seed() -> None:
    log = LoggedDecisions.from_pandas(_frame(), ACTIONS)

    def interval(seed: int) -> tuple[float, float]:
        return evaluate(log, np.array([0.3, 0.7]), interval=Interval.BOOTSTRAP, seed=seed)[Estimator.IPS].interval

    assert interval(1) == interval(1)
