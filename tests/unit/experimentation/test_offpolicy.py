"""Estimators against expectations enumerated by brute force, and against closed forms."""

from itertools import product
from math import isnan, sqrt

import numpy as np
import pandas as pd
import pytest

from pipelines.experimentation.bandits import Bandit, BetaThompson, EpsilonGreedy
from pipelines.experimentation.offpolicy import (
    Estimate,
    Estimator,
    Flag,
    Interval,
    LoggedDecisions,
    cross_fitted,
    evaluate,
)

ACTIONS = ["x", "y", "z"]
# A problem small enough to enumerate: two contexts, three actions, Bernoulli rewards.
CONTEXTS = np.array([0.4, 0.6])
LOGGING = np.array([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]])
TARGET = np.array([[0.2, 0.2, 0.6], [0.7, 0.0, 0.3]])
REWARDS = np.array([[0.3, 0.8, 0.5], [0.9, 0.1, 0.4]])
MODEL = np.array([[0.5, 0.1, 0.9], [0.2, 0.7, 0.3]])  # deliberately wrong
VALUE = float((CONTEXTS[:, None] * TARGET * REWARDS).sum())


def _log(contexts: np.ndarray, actions: np.ndarray, rewards: np.ndarray, propensities: np.ndarray) -> LoggedDecisions:
    frame = pd.DataFrame({"decision": [str(i) for i in range(len(actions))]})
    frame["action"] = [ACTIONS[action] for action in actions]
    frame["propensity"] = propensities
    frame["reward"] = rewards
    frame["context"] = [[float(context)] for context in contexts]
    return LoggedDecisions.from_pandas(frame, ACTIONS)


def _simulate(rows: int, seed: int, logging: np.ndarray = LOGGING) -> tuple[LoggedDecisions, np.ndarray]:
    """A log of the small problem and its contexts."""
    generator = np.random.default_rng(seed)
    contexts = generator.choice(2, size=rows, p=CONTEXTS)
    actions = (generator.random((rows, 1)) > logging[contexts].cumsum(axis=1)).sum(axis=1)
    rewards = (generator.random(rows) < REWARDS[contexts, actions]).astype(float)
    return _log(contexts, actions, rewards, logging[contexts, actions]), contexts


def _expectation(rows: int, switch: float) -> dict[Estimator, float]:
    """Exact expectation of every estimator: all logs of that many rows, weighted by their probability."""
    cells = list(product(range(2), range(3), range(2)))
    probability = {
        (x, a, r): CONTEXTS[x] * LOGGING[x, a] * (REWARDS[x, a] if r else 1 - REWARDS[x, a]) for x, a, r in cells
    }
    expected = dict.fromkeys(Estimator, 0.0)
    for drawn in product(cells, repeat=rows):
        contexts, actions, rewards = (np.array(column) for column in zip(*drawn, strict=True))
        log = _log(contexts, actions, rewards.astype(float), LOGGING[contexts, actions])
        found = evaluate(log, TARGET[contexts], model=MODEL[contexts], switch=switch)
        for estimator in Estimator:
            value = found[estimator].value
            weight = float(np.prod([probability[cell] for cell in drawn]))
            expected[estimator] += weight * (0.0 if isnan(value) else value)
    return expected


def test_expectations_enumerated_over_all_logs_are_those_of_the_definitions() -> None:
    for rows in (1, 2):
        expected = _expectation(rows, switch=1.5)
        # Where nothing was observed IPS is reported as NaN, which stands for a sum of nothing: zero.
        assert expected[Estimator.IPS] == pytest.approx(VALUE, abs=1e-12)
        assert expected[Estimator.DR] == pytest.approx(VALUE, abs=1e-12)
        kept = np.where(TARGET / LOGGING <= 1.5, TARGET * (REWARDS - MODEL), 0.0)
        switched = float((CONTEXTS[:, None] * (TARGET * MODEL + kept)).sum())
        assert expected[Estimator.SWITCH] == pytest.approx(switched, abs=1e-12)
        direct = float((CONTEXTS[:, None] * TARGET * MODEL).sum())
        assert expected[Estimator.DM] == pytest.approx(direct, abs=1e-12)
        assert abs(direct - VALUE) > 0.01


def test_dr_adds_the_weighted_residual_to_the_models_value_row_by_row() -> None:
    log, contexts = _simulate(500, seed=1)
    scores = [
        float(TARGET[x] @ MODEL[x]) + TARGET[x, a] / LOGGING[x, a] * (r - MODEL[x, a])
        for x, a, r in zip(contexts, log.action, log.reward, strict=True)
    ]
    estimate = evaluate(log, TARGET[contexts], model=MODEL[contexts])[Estimator.DR]
    assert estimate.value == pytest.approx(np.mean(scores))
    assert estimate.standard_error == pytest.approx(np.std(scores, ddof=1) / sqrt(500))


def test_switch_with_a_threshold_above_all_weights_is_dr_and_below_all_is_the_direct_method() -> None:
    log, contexts = _simulate(300, seed=2)
    for threshold, same in ((1e9, Estimator.DR), (1e-9, Estimator.DM)):
        found = evaluate(log, TARGET[contexts], model=MODEL[contexts], switch=threshold)
        assert found[Estimator.SWITCH].value == pytest.approx(found[same].value, abs=1e-12)


def test_switch_chooses_a_threshold_where_few_rows_have_huge_weights_and_none_where_weights_are_tame() -> None:
    tame, contexts = _simulate(3000, seed=3)
    found = evaluate(tame, TARGET[contexts], model=REWARDS[contexts])[Estimator.SWITCH]
    assert found.value == pytest.approx(VALUE, abs=0.05)
    assert found.threshold is not None
    assert found.threshold >= (TARGET / LOGGING).max() - 1e-9
    # One row of fifty chose z, at a propensity of .001 where the target's is .5: a weight of 500.
    generator = np.random.default_rng(4)
    huge = np.arange(50) == 0
    rewards = (generator.random(50) < 0.5) * 10.0
    log = _log(np.zeros(50), np.where(huge, 2, 0), rewards, np.where(huge, 0.001, 0.999))
    target, right = np.array([0.5, 0.0, 0.5]), np.full((50, 3), 5.0)
    found = evaluate(log, target, model=right)
    assert found[Estimator.SWITCH].threshold == pytest.approx(0.5 / 0.999)
    assert abs(found[Estimator.SWITCH].value - 5.0) < 2
    assert abs(found[Estimator.DR].value - 5.0) > 20


def test_snips_of_a_constant_reward_is_that_constant_and_ips_is_not() -> None:
    log, contexts = _simulate(200, seed=5)
    constant = _log(contexts, log.action, np.full(200, 7.0), log.propensity)
    found = evaluate(constant, TARGET[contexts])
    assert found[Estimator.SNIPS].value == pytest.approx(7.0)
    assert found[Estimator.SNIPS].standard_error == pytest.approx(0.0, abs=1e-12)
    assert abs(found[Estimator.IPS].value - 7.0) > 0.05


def test_evaluating_the_logging_policy_itself_gives_the_mean_reward() -> None:
    log, contexts = _simulate(400, seed=6)
    found = evaluate(log, LOGGING[contexts])
    assert found[Estimator.IPS].value == pytest.approx(log.reward.mean())
    assert found[Estimator.SNIPS].value == pytest.approx(log.reward.mean())
    assert found[Estimator.IPS].standard_error == pytest.approx(log.reward.std(ddof=1) / 20)
    assert found.diagnostics.effective_sample == pytest.approx(400)


@pytest.mark.parametrize("interval", [Interval.NORMAL, Interval.BOOTSTRAP])
def test_intervals_cover_the_true_value_as_often_as_they_say(interval: Interval) -> None:
    runs = 250 if interval is Interval.NORMAL else 40
    covered = dict.fromkeys(Estimator, 0)
    for seed in range(runs):
        log, contexts = _simulate(600, seed=100 + seed)
        found = evaluate(log, TARGET[contexts], model=MODEL[contexts], switch=1e9, interval=interval)
        for estimator, estimate in found.estimates.items():
            low, high = estimate.interval
            covered[estimator] += low <= VALUE <= high
    allowance = 3 * sqrt(0.95 * 0.05 / runs) + 0.005
    for estimator in (Estimator.IPS, Estimator.SNIPS, Estimator.DR, Estimator.SWITCH):
        assert abs(covered[estimator] / runs - 0.95) <= allowance, estimator
    # The wrong model's own interval is narrow and wrong, which its flag says.
    assert covered[Estimator.DM] / runs < 0.5


def test_the_bernstein_interval_holds_at_small_samples_where_the_normal_one_fails() -> None:
    # Rare rewards with large weights: of 20 rows most hold none, and a normal interval collapses to zero.
    truth = 0.05
    missed = dict.fromkeys((Interval.NORMAL, Interval.BERNSTEIN), 0)
    runs = 200
    for seed in range(runs):
        generator = np.random.default_rng(seed)
        actions = (generator.random(20) < 0.9).astype(int)
        rewards = (generator.random(20) < truth).astype(float)
        log = _log(np.zeros(20), actions, rewards, np.where(actions == 1, 0.9, 0.1))
        for interval in missed:
            found = evaluate(
                log,
                np.array([1.0, 0.0, 0.0]),
                estimators=[Estimator.IPS],
                interval=interval,
                reward_range=(0.0, 1.0),
                weight_bound=10.0,
            )
            low, high = found[Estimator.IPS].interval
            missed[interval] += not low <= truth <= high
    assert missed[Interval.BERNSTEIN] / runs <= 0.05
    assert missed[Interval.NORMAL] / runs > 0.3


def test_clipping_is_always_said_and_its_bias_is_downward() -> None:
    log, contexts = _simulate(2000, seed=7)
    plain, clipped = evaluate(log, TARGET[contexts]), evaluate(log, TARGET[contexts], clip=1.2)
    assert Flag.CLIPPED not in plain[Estimator.IPS].flags
    estimate: Estimate = clipped[Estimator.IPS]
    assert Flag.CLIPPED in estimate.flags
    assert estimate.clip == 1.2
    assert estimate.clipped_rows > 0
    assert 0 < estimate.clipped_weight < 1
    assert estimate.value < plain[Estimator.IPS].value
    untouched = evaluate(log, TARGET[contexts], clip=1e6)[Estimator.IPS]
    assert Flag.CLIPPED not in untouched.flags
    assert untouched.clip is None


def test_weights_clipped_behind_the_evaluations_back_are_caught() -> None:
    """Raising small propensities before logging is clipping without saying so; inverse propensities betray it."""
    log, contexts = _simulate(4000, seed=8)
    quiet = _log(contexts, log.action, log.reward, np.maximum(log.propensity, 0.3))
    found = evaluate(quiet, TARGET[contexts])
    low, high = found[Estimator.IPS].interval
    assert not low <= VALUE <= high
    assert Flag.WRONG_PROPENSITIES in found[Estimator.IPS].flags


def test_propensities_of_another_policy_are_caught() -> None:
    log, contexts = _simulate(4000, seed=9)
    for others in (TARGET[contexts, log.action].clip(0.05), np.full(4000, 1 / 3)):
        found = evaluate(_log(contexts, log.action, log.reward, others), TARGET[contexts])
        assert Flag.WRONG_PROPENSITIES in found.diagnostics.flags
        assert found.diagnostics.suspicious_actions


def test_right_propensities_are_not_accused() -> None:
    for seed in range(40):
        log, contexts = _simulate(500, seed=200 + seed)
        assert evaluate(log, TARGET[contexts]).diagnostics.flags == frozenset()


def test_cross_fitting_keeps_dr_honest_where_a_model_that_memorises_its_rows_does_not() -> None:
    class Memory:
        """Remembers each row's reward by its features and knows nothing else."""

        def __init__(self) -> None:
            self.known: dict[tuple[float, ...], float] = {}

        def fit(self, features: np.ndarray, reward: np.ndarray) -> object:
            rows: list[list[float]] = features.tolist()
            self.known = {tuple(row): value for row, value in zip(rows, reward.tolist(), strict=True)}
            return self

        def predict(self, features: np.ndarray) -> np.ndarray:
            rows: list[list[float]] = features.tolist()
            return np.array([self.known.get(tuple(row), 0.0) for row in rows])

    generator = np.random.default_rng(10)
    rows = 600
    contexts = np.arange(rows)  # every context occurs once
    actions = generator.integers(3, size=rows)
    rewards = (generator.random(rows) < 0.5).astype(float)
    log = _log(contexts, actions, rewards, np.full(rows, 1 / 3))
    target = np.full(3, 1 / 3)
    memorised = Memory()
    memorised.fit(np.hstack([contexts[:, None], np.eye(3)[actions]]), rewards)
    every = np.hstack([np.repeat(contexts, 3)[:, None], np.tile(np.eye(3), (rows, 1))])
    naive = evaluate(log, target, model=memorised.predict(every).reshape(rows, 3))[Estimator.DR]
    honest = evaluate(log, target, model=cross_fitted(log, Memory))[Estimator.DR]
    assert not naive.interval[0] <= 0.5 <= naive.interval[1]
    assert honest.interval[0] <= 0.5 <= honest.interval[1]


def test_cross_fitting_with_groups_fits_a_model_for_each() -> None:
    class Mean:
        def __init__(self) -> None:
            self.value = 0.0

        def fit(self, features: np.ndarray, reward: np.ndarray) -> object:  # noqa: ARG002 - the protocol's signature
            self.value = float(reward.mean())
            return self

        def predict(self, features: np.ndarray) -> np.ndarray:
            return np.full(len(features), self.value)

    groups = np.arange(90) % 3
    log = _log(np.zeros(90), np.arange(90) % 2, groups.astype(float), np.full(90, 0.5))
    predicted = cross_fitted(log, Mean, groups=groups)
    assert predicted == pytest.approx(np.repeat(groups[:, None], 3, axis=1))


def test_a_bandits_own_log_evaluates_another_policy() -> None:
    generator = np.random.default_rng(11)
    means = {"x": 0.2, "y": 0.5, "z": 0.7}
    for policy in (EpsilonGreedy(3, epsilon=0.2), BetaThompson(3)):
        bandit = Bandit(ACTIONS, policy, seed=1, floor=0.2, batch_size=50)
        rows: list[dict[str, object]] = []
        for _ in range(3000):
            decision = bandit.decide()
            reward = float(generator.random() < means[decision.arm])
            bandit.reward(decision.id, reward)
            rows.append(
                {
                    "decision": str(decision.id),
                    "action": decision.arm,
                    "propensity": decision.propensity,
                    "reward": reward,
                    "probabilities": decision.probabilities,
                }
            )
        log = LoggedDecisions.from_pandas(pd.DataFrame(rows), ACTIONS)
        found = evaluate(log, np.array([0.5, 0.5, 0.0]))
        assert found.diagnostics.flags == frozenset()
        estimate = found[Estimator.SNIPS]
        assert abs(estimate.value - 0.35) < 4 * estimate.standard_error
