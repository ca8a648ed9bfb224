"""Regret of the shape that theory demands, on problems of the papers."""

from collections.abc import Callable
from math import log, sqrt

import numpy as np
import pytest

from pipelines.experimentation.bandits import (
    KLUCB,
    UCB1,
    Bandit,
    BetaThompson,
    EpsilonGreedy,
    GaussianThompson,
    LinearRandUCB,
    LinearThompson,
    LinUCB,
    Memory,
    Policy,
)
from pipelines.experimentation.bandits.upper_bounds import kl

# Garivier and Cappé (2011), section 6: ten arms of low reward.
LOW_REWARDS = [0.1, 0.05, 0.05, 0.05, 0.02, 0.02, 0.02, 0.01, 0.01, 0.01]


def _regrets(
    make: Callable[[], Policy], means: np.ndarray, runs: int, delay: int = 0, batch_size: int = 1
) -> np.ndarray:
    """Pseudo-regret after each step, shape (runs, steps); `means` has shape (steps, arms)."""
    steps, arms = means.shape
    gaps = means.max(axis=1, keepdims=True) - means
    regrets = np.empty((runs, steps))
    for run in range(runs):
        bandit = Bandit([str(i) for i in range(arms)], make(), seed=run, propensities=False, batch_size=batch_size)
        draws = np.random.default_rng(1000 + run).random((steps, arms)) < means
        arrivals: list[tuple[int, float]] = []
        played = np.empty(steps, dtype=int)
        for step in range(steps):
            decision = bandit.decide()
            arm = played[step] = int(decision.arm)
            arrivals.append((decision.id, float(draws[step, arm])))
            if step >= delay:
                bandit.reward(*arrivals[step - delay])
        regrets[run] = gaps[np.arange(steps), played].cumsum()
    return regrets


def _constant(means: list[float], steps: int) -> np.ndarray:
    return np.tile(means, (steps, 1))


@pytest.mark.parametrize("make", [lambda: KLUCB(2), lambda: BetaThompson(2)], ids=["kl-ucb", "beta"])
def test_regret_grows_near_the_rate_of_lai_and_robbins(make: Callable[[], Policy]) -> None:
    """Between the horizons regret must grow by the bound's slope times the change of ln t, within a factor of two.

    The bound is asymptotic, so the growth is compared, which leaves the constant term out.
    """
    regrets = _regrets(make, _constant([0.9, 0.8], 6000), runs=20)
    growth = (regrets[:, 5999] - regrets[:, 999]).mean()
    bound = 0.1 / kl(0.8, 0.9) * (log(6000) - log(1000))
    assert bound / 2 < growth < 2 * bound


def test_kl_ucb_and_thompson_beat_ucb1_on_rewards_near_zero() -> None:
    means = _constant(LOW_REWARDS, 3000)
    final = {
        name: _regrets(make, means, runs=4)[:, -1].mean()
        for name, make in {
            "ucb1": lambda: UCB1(10),
            "kl-ucb": lambda: KLUCB(10),
            "beta": lambda: BetaThompson(10),
        }.items()
    }
    assert final["beta"] < final["ucb1"] * 0.75
    assert final["kl-ucb"] < final["ucb1"] * 0.85


def test_ucb1_stays_below_the_bound_of_its_theorem() -> None:
    # Theorem 1 of Auer et al.: 8 sum(ln n / gap) + (1 + pi**2 / 3) sum(gap).
    regret = _regrets(lambda: UCB1(2), _constant([0.9, 0.6], 2000), runs=6)[:, -1].mean()
    assert regret < 8 * log(2000) / 0.3 + (1 + np.pi**2 / 3) * 0.3
    assert regret > 0.3 / kl(0.6, 0.9) * log(2000) / 2


def test_epsilon_greedy_pays_for_its_epsilon_forever_unless_it_decays() -> None:
    means = _constant([0.9, 0.6], 3000)
    constant = _regrets(lambda: EpsilonGreedy(2, epsilon=0.1), means, runs=6)
    decaying = _regrets(lambda: EpsilonGreedy(2, epsilon=0.1, decay=20), means, runs=6)
    slope = (constant[:, 2999] - constant[:, 1999]).mean() / 1000
    assert slope == pytest.approx(0.1 * 0.3 / 2, rel=0.3)
    assert (decaying[:, 2999] - decaying[:, 1999]).mean() / 1000 < slope / 3


def test_delayed_and_batched_rewards_cost_about_the_plays_made_meanwhile() -> None:
    # Joulani, György, Szepesvári (2013): delay adds regret of the order of the delay, not a factor.
    means = _constant([0.9, 0.6], 1500)
    at_once = _regrets(lambda: BetaThompson(2), means, runs=10)[:, -1].mean()
    delayed = _regrets(lambda: BetaThompson(2), means, runs=10, delay=100)[:, -1].mean()
    batched = _regrets(lambda: BetaThompson(2), means, runs=10, batch_size=100)[:, -1].mean()
    assert delayed < at_once + 100 * 0.3
    assert batched < at_once + 100 * 0.3


def _beta(memory: Memory) -> Policy:
    return BetaThompson(3, memory=memory)


def _ucb1(memory: Memory) -> Policy:
    return UCB1(3, exploration=0.5, memory=memory)


def _klucb(memory: Memory) -> Policy:
    return KLUCB(3, memory=memory)


@pytest.mark.parametrize("make", [_beta, _ucb1, _klucb])
@pytest.mark.parametrize("memory", [Memory(discount=0.99), Memory(window=250)], ids=["discount", "window"])
def test_a_policy_that_forgets_recovers_from_a_change_that_traps_one_that_does_not(
    make: Callable[[Memory], Policy], memory: Memory
) -> None:
    # The best arm turns bad halfway; its good record of 1500 plays misleads for as long.
    means = np.vstack([_constant([0.8, 0.5, 0.4], 1500), _constant([0.1, 0.5, 0.4], 1500)])
    remembering = _regrets(lambda: make(Memory()), means, runs=3)
    forgetting = _regrets(lambda: make(memory), means, runs=3)
    after = slice(1500, 3000)

    def paid(regrets: np.ndarray) -> float:
        return float((regrets[:, after][:, -1] - regrets[:, after][:, 0]).mean())

    assert paid(forgetting) < paid(remembering)
    late = (forgetting[:, 2999] - forgetting[:, 2499]).mean() / 500
    assert late < 0.5 * (1 / 3) * (0.4 + 0.1)  # under half the rate of choosing at random


@pytest.mark.parametrize(
    "make",
    [
        lambda: LinUCB(4, features=5, exploration=0.6),
        lambda: LinearThompson(4, features=5, noise=0.3),
        lambda: LinearRandUCB(4, features=5, noise=0.3),
    ],
    ids=["linucb", "linear thompson", "linear randucb"],
)
def test_linear_policies_learn_which_arm_suits_which_context(make: Callable[[], Policy]) -> None:
    generator = np.random.default_rng(5)
    weights = generator.normal(size=(4, 5)) / sqrt(5)
    steps = 1500
    regrets = np.zeros(steps)
    bandit = Bandit(list("abcd"), make(), seed=1, propensities=False)
    for step in range(steps):
        context = generator.normal(size=5)
        decision = bandit.decide(context)
        expected = weights @ context
        arm = bandit.arms.index(decision.arm)
        regrets[step] = expected.max() - expected[arm]
        bandit.reward(decision.id, float(expected[arm] + 0.3 * generator.normal()))
    # Random play costs about the spread of the best of four; the last third must cost under a twentieth of the start.
    assert regrets[1000:].mean() < 0.1 * regrets[:20].mean()


def test_gaussian_thompson_has_logarithmic_regret_on_gaussian_rewards() -> None:
    finals: list[tuple[float, float]] = []
    for run in range(6):
        generator = np.random.default_rng(run)
        bandit = Bandit(["a", "b"], GaussianThompson(2, noise=0.5), seed=run, propensities=False)
        regret: list[float] = []
        for _ in range(3000):
            decision = bandit.decide()
            mean = 1.0 if decision.arm == "a" else 0.7
            regret.append(1.0 - mean)
            bandit.reward(decision.id, float(generator.normal(mean, 0.5)))
        finals.append((sum(regret[:500]), sum(regret[500:])))
    early, late = np.mean(finals, axis=0)
    # The bound: gap times 2 noise**2 / gap**2 * ln t. From 500 to 3000 that is ln 6 of it.
    slope = 2 * 0.5**2 / 0.3
    assert late < 4 * slope * log(6)
    assert early > late / 4


def test_a_policy_told_the_wrong_arm_is_rewarded_is_caught_by_its_regret() -> None:
    """A broken ledger, crediting the previous decision, must not pass for learning."""
    bandit = Bandit(["0", "1"], BetaThompson(2), seed=3, propensities=False)
    generator = np.random.default_rng(3)
    means = [0.9, 0.3]
    wrong, previous = 0.0, None
    for _ in range(1500):
        decision = bandit.decide()
        value = float(generator.random() < means[int(decision.arm)])
        wrong += 0.9 - means[int(decision.arm)]
        if previous is not None:
            bandit.policy.update(previous, value, None)
        previous = 1 - int(decision.arm)
    right = _regrets(lambda: BetaThompson(2), _constant(means, 1500), runs=2)[:, -1].mean()
    assert wrong > 10 * right
