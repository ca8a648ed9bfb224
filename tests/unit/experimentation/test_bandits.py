from collections.abc import Callable
from math import inf, nan

import numpy as np
import pytest

from pipelines.experimentation.bandits import (
    KLUCB,
    UCB1,
    Bandit,
    BanditError,
    BetaThompson,
    EpsilonGreedy,
    GaussianThompson,
    LinearRandUCB,
    LinearThompson,
    LinUCB,
    Memory,
)
from tests.unit.experimentation.bandit_policies import ARMS, MAKERS, MEMORIES, context_for, play


@pytest.mark.parametrize("name", MAKERS)
def test_the_same_seed_plays_the_same_arms_and_another_seed_does_not(name: str) -> None:
    def played(seed: int) -> list[str]:
        return play(Bandit(ARMS, MAKERS[name](Memory()), seed=seed, floor=0.3), 80, np.random.default_rng(0))

    assert played(7) == played(7)
    assert played(7) != played(8)


@pytest.mark.parametrize("memory", MEMORIES, ids=str)
@pytest.mark.parametrize("name", MAKERS)
def test_logged_propensities_are_the_frequencies_of_the_choices(name: str, memory: Memory) -> None:
    policy = MAKERS[name](memory)
    bandit = Bandit(ARMS, policy, seed=4, floor=0.15)
    play(bandit, 25, np.random.default_rng(5))
    context = context_for(policy, np.random.default_rng(6))
    state = bandit.state()
    decision = bandit.decide(context)
    assert decision.probabilities is not None
    assert sum(decision.probabilities) == pytest.approx(1.0)
    assert decision.propensity == decision.probabilities[ARMS.index(decision.arm)]
    assert decision.propensity_error < 1e-6
    again = Bandit.from_state({**state, "propensities": False})
    vector = None if context is None else np.array(context)
    generator = np.random.default_rng(7)
    draws = 4000
    chosen = np.array([again.policy.choose(vector, generator) for _ in range(draws)])
    for arm, probability in enumerate(decision.probabilities):
        floorless = (probability - 0.15 / 3) / 0.85
        error = max((floorless * (1 - floorless) / draws) ** 0.5, 1e-9)
        assert abs(float((chosen == arm).mean()) - floorless) < 4.5 * error


def test_the_floor_is_the_least_that_any_arm_gets() -> None:
    bandit = Bandit(ARMS, UCB1(3), seed=1, floor=0.3)
    for decision in [bandit.decide() for _ in range(3)]:
        bandit.reward(decision.id, float(decision.arm == "red"))
    for _ in range(300):
        decision = bandit.decide()
        assert decision.probabilities is not None
        assert min(decision.probabilities) == pytest.approx(0.1)
        bandit.reward(decision.id, float(decision.arm == "red"))


def test_while_rewards_are_outstanding_untried_arms_are_issued_in_turn() -> None:
    for name in ("ucb1", "kl-ucb"):
        bandit = Bandit(ARMS, MAKERS[name](Memory()), seed=1)
        arms = [bandit.decide().arm for _ in range(9)]
        assert all(set(arms[i : i + 3]) == set(ARMS) for i in (0, 3, 6))


def test_a_batch_is_learnt_when_it_is_full_or_flushed_and_not_before() -> None:
    bandit = Bandit(ARMS, BetaThompson(3), seed=1, batch_size=3)
    decisions = [bandit.decide() for _ in range(4)]
    bandit.reward(decisions[3].id, 1.0)
    bandit.reward(decisions[0].id, 0.0)
    assert bandit.decide().learned == 0
    bandit.reward(decisions[2].id, 0.0)
    assert bandit.decide().learned == 3
    bandit.reward(decisions[1].id, 1.0)
    assert bandit.flush() == 1
    assert bandit.decide().learned == 4


def test_rewards_in_another_order_teach_the_same() -> None:
    def learn(order: list[int]) -> tuple[float, ...] | None:
        bandit = Bandit(ARMS, BetaThompson(3), seed=1)
        for decision in [bandit.decide() for _ in range(20)]:
            assert decision.learned == 0
        for number in order:
            bandit.reward(number, float(number % 3 == 0))
        return bandit.decide().probabilities

    assert learn(list(range(20))) == pytest.approx(learn(list(reversed(range(20)))))


def test_a_reward_for_a_decision_never_made_given_twice_or_expired_is_refused() -> None:
    bandit = Bandit(ARMS, UCB1(3), seed=1)
    first, second = bandit.decide(), bandit.decide()
    for unknown in (99, -1):
        with pytest.raises(BanditError, match=f"reward of decision {unknown}: no such decision was made"):
            bandit.reward(unknown, 1.0)
    bandit.reward(first.id, 1.0)
    with pytest.raises(BanditError, match="it was rewarded or expired before"):
        bandit.reward(first.id, 1.0)
    assert bandit.expire(second.id + 1) == [second.id]
    with pytest.raises(BanditError, match="it was rewarded or expired before"):
        bandit.reward(second.id, 1.0)
    assert bandit.outstanding == ()


@pytest.mark.parametrize("value", [nan, inf, -0.1, 1.1])
def test_an_unusable_reward_is_refused_and_the_decision_stays_open(value: float) -> None:
    bandit = Bandit(ARMS, KLUCB(3), seed=1)
    decision = bandit.decide()
    with pytest.raises(BanditError, match="reward of decision 0"):
        bandit.reward(decision.id, value)
    assert bandit.outstanding == (0,)
    bandit.reward(decision.id, 1.0)


@pytest.mark.parametrize("value", [nan, inf, -inf, 1e200])
def test_a_reward_that_would_spoil_every_sum_after_it_is_refused(value: float) -> None:
    bandit = Bandit(ARMS, LinUCB(3, features=2), seed=1)
    decision = bandit.decide([1.0, 0.0])
    with pytest.raises(BanditError, match=r"reward of decision 0: must be a finite number of size 1e\+12 at most"):
        bandit.reward(decision.id, value)
    assert bandit.outstanding == (0,)


def test_contexts_that_do_not_fit_are_refused() -> None:
    linear = Bandit(ARMS, LinUCB(3, features=2), seed=1)
    with pytest.raises(BanditError, match="needs 2 numbers, got none"):
        linear.decide()
    with pytest.raises(BanditError, match="its length may be 100000 at most, got 1e\\+06; standardise the features"):
        linear.decide([1e6, 0.0])
    with pytest.raises(BanditError, match="must be finite"):
        linear.decide([inf, 1.0])
    with pytest.raises(BanditError, match=r"needs 2 numbers, got shape \(3,\)"):
        linear.decide([1.0, 2.0, 3.0])
    with pytest.raises(BanditError, match="must be finite"):
        linear.decide([1.0, nan])
    with pytest.raises(BanditError, match="ucb1 takes none, got 1 numbers"):
        Bandit(ARMS, UCB1(3), seed=1).decide([1.0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: UCB1(1), "arms: there must be at least 2, got 1"),
        (lambda: UCB1(3, exploration=0), "exploration: must be a positive number"),
        (lambda: EpsilonGreedy(3, epsilon=1.5), "epsilon: must be between 0 and 1, got 1.5"),
        (lambda: EpsilonGreedy(3, epsilon=nan), "epsilon: must be between 0 and 1"),
        (lambda: BetaThompson(3, prior=(0.5, 1)), "prior: both parameters must be at least 1"),
        (lambda: GaussianThompson(3, noise=0), "noise: must be a positive number"),
        (lambda: LinUCB(3, features=0), "features: must be at least 1"),
        (lambda: LinearThompson(3, features=2, ridge=-1), "ridge: must be a positive number"),
        (lambda: LinearRandUCB(3, features=2, noise=0), "noise: must be a positive number, got 0"),
        (lambda: LinearRandUCB(3, features=2, largest=inf), "largest: must be a positive number, got inf"),
        (lambda: LinearRandUCB(3, features=2, points=1), "points: must be at least 2, got 1"),
        (lambda: Memory(discount=0), "discount: must be above 0"),
        (lambda: Memory(window=0), "window: must be at least 1"),
        (lambda: Memory(discount=0.9, window=5), "takes a discount or a window, got both"),
        (lambda: Bandit(["a", "b"], UCB1(3), seed=1), "the policy was made for 3, got 2 names"),
        (lambda: Bandit(["a", "b", "a"], UCB1(3), seed=1), "names must differ"),
        (lambda: Bandit(ARMS, UCB1(3), seed=1, batch_size=0), "batch_size: must be at least 1"),
        (lambda: Bandit(ARMS, UCB1(3), seed=1, floor=1.2), "floor: must be between 0 and 1"),
    ],
)
def test_unusable_settings_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(BanditError, match=message):
        make()
