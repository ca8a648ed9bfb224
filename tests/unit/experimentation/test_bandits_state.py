"""State as JSON: exact, and readable by later versions."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines.experimentation.bandits import Bandit, BanditError, BetaThompson, LinearRandUCB, LinUCB
from tests.unit.experimentation.bandit_policies import ARMS, MAKERS, MEMORIES, Memory, play

GOLDEN = Path(__file__).parents[2] / "golden/experimentation/bandit_states_format_1.json"
FIRST_FORMAT = json.loads(GOLDEN.read_text())


@pytest.mark.parametrize("memory", MEMORIES, ids=str)
@pytest.mark.parametrize("name", MAKERS)
def test_a_bandit_restored_from_its_json_continues_exactly(name: str, memory: Memory) -> None:
    bandit = Bandit(ARMS, MAKERS[name](memory), seed=1, batch_size=4, floor=0.1)
    play(bandit, 30, np.random.default_rng(2))
    restored = Bandit.from_state(json.loads(json.dumps(bandit.state())))
    assert restored.state() == bandit.state()
    assert play(restored, 60, np.random.default_rng(3)) == play(bandit, 60, np.random.default_rng(3))
    assert restored.state() == bandit.state()


@pytest.mark.parametrize("name", FIRST_FORMAT)
def test_a_state_of_the_first_format_continues_with_its_probabilities_decisions_and_batch(name: str) -> None:
    stored = FIRST_FORMAT[name]
    state = stored["state"]
    bandit = Bandit.from_state(state)
    decision = bandit.decide(stored["context"])
    assert decision.id == state["next"]
    assert decision.learned == state["learned"]
    assert decision.probabilities == pytest.approx(stored["probabilities"], abs=1e-9)
    assert bandit.outstanding == (*(number for number, _, _ in state["pending"]), decision.id)
    for number, _, _ in state["pending"]:
        bandit.reward(number, 1.0)
    bandit.flush()
    assert bandit.decide(stored["context"]).learned == state["learned"] + len(state["batch"]) + len(state["pending"])
    assert Bandit.from_state(json.loads(json.dumps(bandit.state()))).state() == bandit.state()


def test_a_state_is_json_whatever_kind_of_number_was_given() -> None:
    for policy in (BetaThompson(3), LinUCB(3, features=2)):
        bandit = Bandit(ARMS, policy, seed=1, batch_size=10)
        context = [np.float32(1), np.int64(2)] if policy.features else None
        ids = [bandit.decide(context).id for _ in range(4)]  # pyright: ignore[reportArgumentType] - as below
        for decision, value in zip(np.array(ids), (np.float32(0.5), np.int64(1), np.bool_(True), 1), strict=True):
            bandit.reward(decision, value)  # pyright: ignore[reportArgumentType] - numbers of NumPy are given in practice
        state = bandit.state()
        assert json.loads(json.dumps(state)) == state
        assert [value for _, value, _ in state["batch"]] == [0.5, 1.0, 1.0, 1.0]


def test_a_restored_bandit_has_the_settings_of_its_policy() -> None:
    policy = LinearRandUCB(3, features=2, noise=0.3, largest=2.0, points=7, ridge=0.5, memory=Memory(window=9))
    restored = Bandit.from_state(Bandit(ARMS, policy, seed=1).state()).policy
    assert isinstance(restored, LinearRandUCB)
    assert restored.settings() == policy.settings()


def test_a_state_of_another_format_or_policy_is_refused() -> None:
    state = Bandit(ARMS, BetaThompson(3), seed=1).state()
    with pytest.raises(BanditError, match=r"format must be one of \[1, 2\], got 7"):
        Bandit.from_state({**state, "format": 7})
    with pytest.raises(BanditError, match=r"policy kind must be one of .*'ucb1'.*, got 'oracle'"):
        Bandit.from_state({**state, "policy": {**state["policy"], "kind": "oracle"}})


def test_expiring_stops_at_the_first_decision_that_is_young_enough() -> None:
    bandit = Bandit(ARMS, LinUCB(3, features=2), seed=1)
    bandit.decide_many(6, np.ones((6, 2)))
    bandit.reward(2, 1.0)
    assert bandit.expire(before=4) == [0, 1, 3]
    assert bandit.outstanding == (4, 5)
    assert bandit.expire(before=4) == []
    assert [number for number, _, _ in bandit.state()["pending"]] == [4, 5]
    bandit.reward_many([5, 4], [1.0, 0.0])
    assert bandit.outstanding == ()
