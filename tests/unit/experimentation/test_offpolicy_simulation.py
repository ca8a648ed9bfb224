"""Off-policy estimates in simulation: unbiased within three standard errors, and SWITCH's two rules at work."""

from math import sqrt
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from pipelines.experimentation.offpolicy import Estimator, Flag, LogError, LoggedDecisions, evaluate

ACTIONS = ["x", "y", "z"]
LOGGING = np.array([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]])
TARGET = np.array([[0.2, 0.2, 0.6], [0.7, 0.0, 0.3]])
REWARDS = np.array([[0.3, 0.8, 0.5], [0.9, 0.1, 0.4]])
MODEL = np.array([[0.5, 0.1, 0.9], [0.2, 0.7, 0.3]])  # deliberately wrong
VALUE = float((np.array([0.4, 0.6])[:, None] * TARGET * REWARDS).sum())


def log_of(actions: np.ndarray, rewards: np.ndarray, propensities: np.ndarray) -> LoggedDecisions:
    frame = pd.DataFrame({"decision": [str(i) for i in range(len(actions))]})
    frame["action"] = [ACTIONS[action] for action in actions]
    frame["propensity"] = propensities
    frame["reward"] = rewards
    return LoggedDecisions.from_pandas(frame, ACTIONS)


def drawn(generator: np.random.Generator, rows: int, logging: np.ndarray) -> tuple[LoggedDecisions, np.ndarray]:
    contexts = (generator.random(rows) < 0.6).astype(int)
    actions = (generator.random((rows, 1)) > logging[contexts].cumsum(axis=1)).sum(axis=1)
    rewards = (generator.random(rows) < REWARDS[contexts, actions]).astype(float)
    return log_of(actions, rewards, logging[contexts, actions]), contexts


@pytest.mark.parametrize("rows", [40, 400])
def test_estimates_average_to_the_true_value_and_the_models_word_does_not(rows: int) -> None:
    generator, runs = np.random.default_rng(31), 400
    found = {estimator: np.empty(runs) for estimator in Estimator}
    for i in range(runs):
        log, contexts = drawn(generator, rows, LOGGING)
        estimates = evaluate(log, TARGET[contexts], model=MODEL[contexts], switch=2.0).estimates
        for estimator, estimate in estimates.items():
            found[estimator][i] = estimate.value
    off = {e: abs(values.mean() - VALUE) / (values.std(ddof=1) / sqrt(runs)) for e, values in found.items()}
    assert off[Estimator.IPS] < 3
    assert off[Estimator.DR] < 3
    # SNIPS is biased by about 1 / rows.
    assert abs(found[Estimator.SNIPS].mean() - VALUE) < 1 / rows + 3 * found[Estimator.SNIPS].std() / sqrt(runs)
    assert off[Estimator.DM] > 10
    assert off[Estimator.SWITCH] > 3


def test_without_support_the_missing_mass_is_said_and_ips_falls_short_by_it() -> None:
    generator, never_z = np.random.default_rng(32), np.array([[0.6, 0.4, 0.0], [0.4, 0.6, 0.0]])
    log, contexts = drawn(generator, 4_000, never_z)
    found = evaluate(log, TARGET[contexts])
    assert found.diagnostics.unsupported_actions == ("z",)
    assert found.diagnostics.unsupported_mass == pytest.approx(TARGET[contexts, 2].mean())
    assert Flag.NO_SUPPORT in found[Estimator.IPS].flags
    supported = float((TARGET * REWARDS)[contexts][:, :2].sum() / 4_000)
    assert found[Estimator.IPS].value == pytest.approx(supported, abs=4 * found[Estimator.IPS].standard_error)


def heavy(generator: np.random.Generator, model: float) -> tuple[LoggedDecisions, np.ndarray]:
    """Two hundred decisions, of which few took z although the target mostly would: weights of 45 on them."""
    actions = np.where(generator.random(200) < 0.02, 2, 0)
    rewards = np.where(actions == 2, generator.normal(1.0, 0.5, 200), generator.normal(0.0, 0.5, 200))
    return log_of(actions, rewards, np.where(actions == 2, 0.02, 0.98)), np.full((200, 3), [0.0, 0.0, model])


def test_slope_drops_huge_weights_where_the_model_is_right_and_keeps_them_where_they_contradict_it() -> None:
    generator, target, truth = np.random.default_rng(33), np.array([0.1, 0.0, 0.9]), 0.9
    errors = {"slope": np.empty(100), "dr": np.empty(100)}
    for i in range(100):
        log, right = heavy(generator, 1.0)
        chosen = evaluate(log, target, model=right, switch="slope")
        errors["slope"][i] = chosen[Estimator.SWITCH].value - truth
        errors["dr"][i] = chosen[Estimator.DR].value - truth
    assert np.square(errors["slope"]).mean() < 0.5 * np.square(errors["dr"]).mean()
    log, wrong = heavy(np.random.default_rng(34), 20.0)
    kept = evaluate(log, target, model=wrong, switch="slope")[Estimator.SWITCH]
    assert kept.threshold is not None
    assert kept.threshold >= 45
    assert abs(kept.value - truth) < 4 * kept.standard_error


@pytest.mark.parametrize("rule", ["slope", "least-risk"])
def test_a_rule_chooses_among_the_declared_thresholds_alone(rule: Literal["slope", "least-risk"]) -> None:
    log, right = heavy(np.random.default_rng(36), 1.0)
    for among in ([3.0], [60.0], [3.0, 60.0]):
        found = evaluate(log, np.array([0.1, 0.0, 0.9]), model=right, switch=rule, switch_among=among)
        assert found[Estimator.SWITCH].threshold in among


def test_an_unknown_rule_for_the_threshold_is_an_error() -> None:
    log, right = heavy(np.random.default_rng(35), 1.0)
    with pytest.raises(LogError, match="must be a number, 'least-risk' or 'slope', got 'guess'"):
        evaluate(log, np.full(3, 1 / 3), model=right, switch="guess")  # pyright: ignore[reportArgumentType]: refused
