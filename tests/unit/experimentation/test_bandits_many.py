"""Many decisions and rewards in one call: the same as one by one."""

from math import nan

import numpy as np
import pytest
from scipy import stats

from pipelines.experimentation.bandits import (
    UCB1,
    Bandit,
    BanditError,
    BetaThompson,
    Decision,
    LinearRandUCB,
    LinUCB,
    Memory,
)
from tests.unit.experimentation.bandit_policies import ARMS, MAKERS, MEMORIES, context_for, play


def _taught(name: str, memory: Memory, batch_size: int = 1) -> Bandit:
    bandit = Bandit(ARMS, MAKERS[name](memory), seed=1, floor=0.2, batch_size=batch_size)
    play(bandit, 30, np.random.default_rng(2))
    bandit.flush()
    return bandit


@pytest.mark.parametrize("propensities", [True, False])
@pytest.mark.parametrize("memory", MEMORIES, ids=str)
@pytest.mark.parametrize("name", MAKERS)
def test_many_decisions_have_the_distribution_of_one(name: str, memory: Memory, propensities: bool) -> None:
    expected = _taught(name, memory)
    context = context_for(expected.policy, np.random.default_rng(3))
    probabilities = np.array(expected.decide(context).probabilities)
    bandit = Bandit.from_state({**_taught(name, memory).state(), "propensities": propensities})
    many = bandit.decide_many(4000, None if context is None else [context] * 4000)
    single = [bandit.arms.index(bandit.decide(context).arm) for _ in range(4000)]
    for chosen in (many.choices, single):
        counts = np.bincount(chosen, minlength=3)
        assert stats.chisquare(counts, 4000 * probabilities).pvalue > 1e-4
    if propensities:
        assert many.probabilities is not None
        assert np.abs(many.probabilities - probabilities).max() < 1e-9
    else:
        assert many.probabilities is None


@pytest.mark.parametrize("name", ["linucb", "linear thompson", "linear randucb"])
def test_each_row_of_contexts_has_its_own_probabilities_and_arm(name: str) -> None:
    bandit = _taught(name, Memory())
    contexts = np.random.default_rng(4).normal(size=(3000, 2))[np.arange(3000) // 100]
    many = bandit.decide_many(3000, contexts)
    assert many.probabilities is not None
    played = np.array([np.bincount(rows, minlength=3) for rows in many.choices.reshape(30, 100)])
    for row in range(30):
        alone = bandit.decide(contexts[100 * row])
        assert many[100 * row].probabilities == pytest.approx(alone.probabilities, abs=1e-9)
        assert many[100 * row].context == alone.context
        assert many[100 * row].propensity_error >= alone.propensity_error - 1e-12
        assert stats.chisquare(played[row], 100 * np.array(alone.probabilities)).pvalue > 1e-5


def test_untried_arms_are_issued_in_turn_within_one_call_and_logged_so() -> None:
    many = Bandit(ARMS, UCB1(3), seed=1).decide_many(9)
    assert all(set(many.arms[i : i + 3]) == set(ARMS) for i in (0, 3, 6))
    assert many.propensities == pytest.approx([1 / 3, 1 / 2, 1] * 3)
    assert many.probabilities is not None
    assert many.probabilities.shape == (9, 3)


@pytest.mark.parametrize("batch_size", [1, 3, 50])
@pytest.mark.parametrize("memory", MEMORIES, ids=str)
@pytest.mark.parametrize("name", MAKERS)
def test_many_rewards_teach_what_they_teach_one_by_one(name: str, memory: Memory, batch_size: int) -> None:
    one, many = (_taught(name, memory, batch_size) for _ in range(2))
    generator = np.random.default_rng(5)
    contexts = generator.normal(size=(40, 2)) if one.policy.features else None
    ids = generator.permutation(list(one.decide_many(40, contexts).ids)).tolist()
    many.decide_many(40, contexts)
    values = generator.integers(2, size=40).astype(float)
    for decision, value in zip(ids, values.tolist(), strict=True):
        one.reward(decision, value)
    many.reward_many(ids[:11], values[:11].tolist())
    many.reward_many(ids[11:], values[11:])
    assert many.outstanding == one.outstanding
    assert many.state()["batch"] == one.state()["batch"]
    for _ in range(5):
        context = context_for(one.policy, generator)
        found, expected = many.decide(context), one.decide(context)
        assert found.learned == expected.learned
        assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-8)


def test_a_large_batch_teaches_linear_models_what_single_rewards_do() -> None:
    one, many = (Bandit(ARMS, LinUCB(3, features=4), seed=1) for _ in range(2))
    contexts = np.random.default_rng(6).normal(size=(500, 4))
    values = np.random.default_rng(7).normal(size=500)
    for bandit in (one, many):
        bandit.decide_many(500, contexts)
    many.reward_many(range(500), values)
    for decision, value in enumerate(values.tolist()):
        one.reward(decision, value)
    learnt = [bandit.state()["policy"]["learnt"]["models"] for bandit in (one, many)]
    assert learnt[1]["updates"] == learnt[0]["updates"] == 500
    for part in ("gram", "moment", "inverse", "weights"):
        assert np.array(learnt[1][part]) == pytest.approx(np.array(learnt[0][part]), abs=1e-9)


@pytest.mark.parametrize(
    ("decisions", "values", "message"),
    [
        ([0, 1, 2], [1.0, 0.5], "got 3 decisions and 2 values"),
        ([0, 1, 2], [1.0, nan, 0.5], "reward of decision 1: beta_thompson takes rewards from 0 to 1, got nan"),
        ([0, 1, 2], [1.0, 0.5, 1.5], "reward of decision 2: beta_thompson takes rewards from 0 to 1, got 1.5"),
        ([0, 1, 0], [1.0, 1.0, 1.0], "reward of decision 0: it is given twice"),
        ([1, 0, 99], [1.0, 1.0, 1.0], "reward of decision 99: no such decision was made"),
        ([1, 3, 0], [1.0, 1.0, 1.0], "reward of decision 3: it was rewarded or expired before"),
    ],
)
@pytest.mark.parametrize("batch_size", [1, 2, 10])
def test_when_one_reward_of_many_is_refused_none_is_accepted(
    decisions: list[int], values: list[float], message: str, batch_size: int
) -> None:
    bandit = Bandit(ARMS, BetaThompson(3), seed=1, batch_size=batch_size)
    bandit.decide_many(5)
    bandit.reward(3, 1.0)
    before = bandit.state()
    with pytest.raises(BanditError, match=message):
        bandit.reward_many(decisions, values)
    assert bandit.state() == before
    bandit.reward_many([0, 1, 2], [1.0, 1.0, 1.0])
    assert bandit.outstanding == (4,)


def test_no_rewards_at_all_change_nothing() -> None:
    for policy in (BetaThompson(3), LinUCB(3, features=1)):
        bandit = Bandit(ARMS, policy, seed=1)
        before = bandit.state()
        bandit.reward_many([], [])
        assert bandit.state() == before


def test_decisions_of_one_call_are_a_sequence_of_single_ones() -> None:
    bandit = Bandit(ARMS, LinearRandUCB(3, features=2), seed=1)
    bandit.decide([0.0, 1.0])
    contexts = np.random.default_rng(8).normal(size=(6, 2))
    many = bandit.decide_many(6, contexts)
    assert len(many) == 6
    assert list(many.ids) == [1, 2, 3, 4, 5, 6]
    listed = list(many)
    assert all(isinstance(decision, Decision) for decision in listed)
    assert [decision.id for decision in listed] == list(many.ids)
    assert [decision.arm for decision in listed] == many.arms
    assert many.propensities is not None
    assert [decision.propensity for decision in listed] == many.propensities.tolist()
    assert [decision.context for decision in listed] == [tuple(row) for row in contexts.tolist()]
    assert many[-1] == listed[5]
    assert many[1:4] == listed[1:4]
    assert listed[2] in many
    with pytest.raises(IndexError):
        many[6]


def test_decisions_without_propensities_say_so() -> None:
    for name in ("ucb1", "beta", "linucb"):
        bandit = Bandit(ARMS, MAKERS[name](Memory()), seed=1, propensities=False)
        many = bandit.decide_many(4, np.ones((4, 2)) if bandit.policy.features else None)
        assert many.probabilities is None
        assert many.propensities is None
        assert many[0].probabilities is None
        assert many[0].propensity is None


def test_decisions_do_not_change_with_the_callers_contexts() -> None:
    bandit = Bandit(ARMS, LinUCB(3, features=2), seed=1)
    contexts = np.ones((4, 2))
    many = bandit.decide_many(4, contexts)
    contexts[:] = 7.0
    bandit.reward_many(many.ids, [1.0] * 4)
    assert many[0].context == (1.0, 1.0)
    assert sum(map(sum, bandit.state()["policy"]["learnt"]["models"]["moment"])) == pytest.approx(8.0)


@pytest.mark.parametrize(
    ("count", "contexts", "message"),
    [
        (0, None, "count: must be at least 1, got 0"),
        (2, None, "context: linucb needs 2 numbers, got none"),
        (2, [[1.0, 2.0]], r"needs 2 rows of 2 numbers, got shape \(1, 2\)"),
        (2, [[1.0, 2.0], [1.0]], "needs 2 rows of 2 numbers: .*inhomogeneous"),
        (2, [[1.0, 2.0], [nan, 0.0]], "row 1: all numbers must be finite"),
        (2, [[1e7, 2.0], [0.0, 0.0]], "row 0: its length may be 100000 at most"),
    ],
)
def test_contexts_that_do_not_fit_are_refused_and_no_decision_is_made(
    count: int, contexts: list[list[float]] | None, message: str
) -> None:
    bandit = Bandit(ARMS, LinUCB(3, features=2), seed=1)
    with pytest.raises(BanditError, match=message):
        bandit.decide_many(count, contexts)
    assert bandit.outstanding == ()
    with pytest.raises(BanditError, match="contexts: beta_thompson takes none, got 2; leave them out"):
        Bandit(ARMS, BetaThompson(3), seed=1).decide_many(2, [[1.0], [2.0]])
