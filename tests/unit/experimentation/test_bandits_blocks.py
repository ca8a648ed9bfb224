"""Decisions drawn ahead: what is logged is what they were drawn from, and learning ends them."""

import json
from itertools import pairwise
from math import sqrt

import numpy as np
import pytest

from pipelines.experimentation.bandits import Bandit, BetaThompson, Decision, EpsilonGreedy, Memory
from tests.unit.experimentation.bandit_policies import ARMS, MAKERS, MEMORIES, context_for


def _learning_run(name: str, memory: Memory, batch_size: int, steps: int) -> list[Decision]:
    """Decisions while rewards, which differ by arm, arrive in bursts: blocks of all sizes begin and are cut short."""
    bandit = Bandit(ARMS, MAKERS[name](memory), seed=3, batch_size=batch_size, floor=0.1)
    generator = np.random.default_rng(4)
    made: list[Decision] = []
    for _ in range(steps):
        made.append(bandit.decide(context_for(bandit.policy, generator)))
        if generator.random() < 0.05:
            for waiting in bandit.outstanding[: int(generator.integers(1, 30))]:
                better = {"red": 0.3, "green": 0.5, "blue": 0.7}[made[waiting].arm]
                bandit.reward(waiting, float(generator.random() < better))
    return made


def _deviations(made: list[Decision]) -> list[float]:
    """By arm, plays beyond the logged probabilities, plain and weighted by these: standard normal if they are true.

    Sums of martingale differences. The weighted one sees probabilities that are right on average, but at other moments.
    """
    probabilities = np.array([decision.probabilities for decision in made])
    played = np.array([[decision.arm == arm for arm in ARMS] for decision in made])
    return [
        float(((played - probabilities) * weight).sum(axis=0)[arm])
        / sqrt(float((probabilities * (1 - probabilities) * weight**2).sum(axis=0)[arm]))
        for arm in range(len(ARMS))
        for weight in (np.ones_like(probabilities), probabilities - 1 / 3)
    ]


@pytest.mark.parametrize("memory", MEMORIES, ids=str)
@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("batch_size", [1, 7])
def test_over_a_run_that_learns_each_arm_is_played_as_often_as_was_logged(
    name: str, memory: Memory, batch_size: int
) -> None:
    made = _learning_run(name, memory, batch_size, steps=1500)
    assert len({decision.learned for decision in made}) > 20
    assert max(map(abs, _deviations(made))) < 4


@pytest.mark.parametrize("name", ["beta", "gaussian", "epsilon-greedy", "ucb1"])
def test_probabilities_of_the_wrong_moment_would_be_noticed(name: str) -> None:
    """What the test above sees when decisions are logged with the probabilities after the next lesson."""
    made = _learning_run(name, Memory(discount=0.9), 1, steps=1500)
    next_lesson: dict[int, Decision] = {}
    for one, other in pairwise(made):
        if one.learned != other.learned:
            next_lesson[one.learned] = other
    wrong = [
        decision._replace(probabilities=next_lesson[decision.learned].probabilities)
        for decision in made
        if decision.learned in next_lesson
    ]
    assert max(map(abs, _deviations(wrong))) > 8


@pytest.mark.parametrize("propensities", [True, False])
def test_what_is_left_of_a_block_is_not_handed_out_after_learning(propensities: bool) -> None:
    bandit = Bandit(["a", "b"], EpsilonGreedy(2, epsilon=0.0), seed=1, propensities=propensities)
    for decision in [bandit.decide(), bandit.decide()]:
        bandit.reward(decision.id, float(decision.arm == "a"))
    ahead = [bandit.decide() for _ in range(40)]
    assert {decision.arm for decision in ahead} == {"a"}
    for decision in ahead:
        bandit.reward(decision.id, 0.0)
    bandit.policy.update(1, 1.0, None)
    later = [bandit.decide() for _ in range(40)]
    assert {decision.arm for decision in later} == {"b"}
    assert {decision.learned for decision in later} == {42}


def test_learning_that_goes_past_the_bandit_ends_a_block_too() -> None:
    bandit = Bandit(ARMS, BetaThompson(3), seed=1)
    for _ in range(10):
        bandit.decide()
    before = bandit.decide().probabilities
    for _ in range(50):
        bandit.policy.update(2, 1.0, None)
    after = bandit.decide().probabilities
    assert before == pytest.approx([1 / 3] * 3)
    assert after is not None
    assert after[2] > 0.9


@pytest.mark.parametrize("propensities", [True, False])
@pytest.mark.parametrize("decided", [0, 1, 2, 5, 6, 20, 21, 22, 60])
@pytest.mark.parametrize("name", MAKERS)
def test_a_bandit_restored_within_a_block_continues_exactly(name: str, decided: int, propensities: bool) -> None:
    generator = np.random.default_rng(5)
    bandit = Bandit(ARMS, MAKERS[name](Memory()), seed=2, floor=0.2, propensities=propensities)
    for _ in range(6):
        decision = bandit.decide(context_for(bandit.policy, generator))
        bandit.reward(decision.id, float(decision.arm != "red"))
    for _ in range(decided):
        bandit.decide(context_for(bandit.policy, generator))
    restored = Bandit.from_state(json.loads(json.dumps(bandit.state())))
    assert restored.state() == bandit.state()
    contexts = [context_for(bandit.policy, generator) for _ in range(100)]
    assert [restored.decide(context) for context in contexts] == [bandit.decide(context) for context in contexts]
    for one in (restored, bandit):
        one.reward(10, 1.0)
    assert [restored.decide(context) for context in contexts] == [bandit.decide(context) for context in contexts]
    assert restored.state() == bandit.state()


def test_ids_stay_in_order_when_single_decisions_and_many_alternate() -> None:
    bandit = Bandit(ARMS, BetaThompson(3), seed=1)
    ids: list[int] = []
    for count in (1, 3, 1, 1, 10, 1):
        ids += bandit.decide_many(count).ids if count > 1 else [bandit.decide().id]
    assert ids == list(range(17))
    assert bandit.outstanding == tuple(ids)
