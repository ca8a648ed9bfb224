"""A bandit in service: decisions with ids and propensities, rewards that come late, state that survives a restart."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, cast

import numpy as np

from pipelines.experimentation.bandits import checks, stored
from pipelines.experimentation.bandits.batch import Batch
from pipelines.experimentation.bandits.block import Block
from pipelines.experimentation.bandits.decisions import Decision, Decisions
from pipelines.experimentation.bandits.draws import Draws
from pipelines.experimentation.bandits.errors import BanditError
from pipelines.experimentation.bandits.ledger import Ledger
from pipelines.experimentation.bandits.memory import Floats, Integers
from pipelines.experimentation.bandits.policy import Policy

# A named tuple's own constructor takes twice as long.
_record = cast("Callable[[type[Decision], Iterable[object]], Decision]", tuple.__new__)  # pyright: ignore[reportUnknownMemberType] - typeshed leaves the items open


class Bandit:
    """A policy with names for its arms, a seed, outstanding decisions and batches.

    Rewards may arrive in any order and any time later; each is accepted once. The policy learns whenever `batch_size`
    rewards have come in (1: at once), in the order of arrival. With `floor`, every arm keeps at least
    floor / arms of the traffic, so any other policy can be evaluated from the log. Not thread-safe: calls from several
    threads need a lock around each.
    """

    def __init__(
        self,
        arms: Sequence[str],
        policy: Policy,
        *,
        seed: int,
        batch_size: int = 1,
        floor: float = 0.0,
        propensities: bool = True,
    ) -> None:
        """`propensities=False` saves their computation where the log will never be evaluated."""
        if len(arms) != policy.arms:
            raise BanditError(f"arms: the policy was made for {policy.arms}, got {len(arms)} names")
        if len(set(arms)) != len(arms):
            raise BanditError(f"arms: names must differ, got {list(arms)}")
        if batch_size < 1:
            raise BanditError(f"batch_size: must be at least 1, got {batch_size}")
        if not 0 <= floor <= 1:
            raise BanditError(f"floor: must be between 0 and 1, got {floor}")
        self.arms: Final = tuple(arms)
        self.policy: Final = policy
        self.batch_size: Final = batch_size
        self.floor: Final = floor
        self.propensities: Final = propensities
        self._generator = np.random.default_rng(seed)
        self._draws = Draws(policy, self._generator, floor, propensities=propensities)
        self._block = Block(policy, self._draws, self.arms)
        self._ledger = Ledger()
        self._batch = Batch()
        self._learned = 0

    def decide(self, context: Sequence[float] | Floats | None = None) -> Decision:
        """Choose an arm; give the reward to `reward` under the decision's id. Raises BanditError for a bad context."""
        block = self._block
        if context is None and block.arms and block.version == self.policy.version:
            # The usual case of a policy without context, kept short. A sum of tuples takes half of what unpacking does.
            arm = block.arms.pop()
            return _record(Decision, (self._ledger.open(arm),) + block.tails[arm])
        vector = checks.context(context, self.policy)
        if vector is None:
            arm, tail = block.begin(self._learned)
            return Decision(self._ledger.open(arm), *tail)
        arm, logged = self._draws.one_for(vector)
        self.policy.issued(arm)
        probabilities, error = logged or (None, 0.0)
        propensity = None if probabilities is None else probabilities[arm]
        number = self._ledger.open_for(arm, vector)
        return Decision(number, self.arms[arm], probabilities, propensity, error, tuple(vector.tolist()), self._learned)

    def decide_many(self, count: int, contexts: Sequence[Sequence[float]] | Floats | None = None) -> Decisions:
        """As `count` calls of `decide` with nothing learnt in between, in one; `contexts` has a row for each.

        The same distribution as the calls one by one, not the same random numbers. Raises BanditError as they do.
        """
        if count < 1:
            raise BanditError(f"count: must be at least 1, got {count}")
        matrix = checks.contexts(contexts, count, self.policy)
        if not self.policy.steady:
            # Each play changes the probabilities of the next.
            rows = [None] * count if matrix is None else matrix
            return Decisions.of([self.decide(row) for row in rows], self.arms)
        if matrix is not None:
            choices, probabilities, error = self._draws.many_for(matrix)
        else:
            choices, logged = self._draws.many(count), self._draws.logged()
            probabilities, error = (None, 0.0) if logged is None else (np.array(logged[0]), logged[1])
        first = self._ledger.open_many(choices, matrix)
        return Decisions(first, choices, self.arms, probabilities, error, matrix, self._learned)

    def reward(self, decision: int, value: float) -> None:
        """Accept the reward of a decision. Raises BanditError for one never made, settled before, or a bad value."""
        value = checks.reward(decision, value, self.policy)
        arm, context = self._ledger.settle(decision)
        if self.batch_size == 1:
            self.policy.update(arm, value, context)
            self._learned += 1
            return
        self._batch.add(arm, value, context)
        if len(self._batch) == self.batch_size:
            self.flush()

    def reward_many(self, decisions: Sequence[int], values: Sequence[float] | Floats) -> None:
        """As a call of `reward` for each, in this order, with nothing decided in between; all are accepted or none."""
        found = checks.rewards(decisions, values, self.policy)
        arms, contexts = self._ledger.settle_many(decisions)
        if len(self._batch) or len(found) % self.batch_size:
            self._batch.add_many(arms, found, contexts)
            waiting = len(self._batch)
            self._learn(*self._batch.take(waiting - waiting % self.batch_size))
        else:
            self._learn(arms, found, contexts)

    def flush(self) -> int:
        """Learn from the rewards that wait for their batch to fill; returns how many there were."""
        return self._learn(*self._batch.take(len(self._batch)))

    def expire(self, before: int) -> list[int]:
        """Give up decisions with an id below `before`, unlearnt; returns them.

        Where silence means failure (no click), reward them 0 instead: giving up only the unrewarded would teach the
        policy from successes alone.
        """
        return self._ledger.expire(before)

    @property
    def outstanding(self) -> tuple[int, ...]:
        """Decisions that wait for their reward, oldest first."""
        return self._ledger.outstanding

    def state(self) -> dict[str, Any]:
        """Everything, as JSON: a bandit restored from it makes the same decisions as this one."""
        return {
            "format": stored.FORMAT,
            "arms": list(self.arms),
            "policy": stored.policy_state(self.policy),
            "batch_size": self.batch_size,
            "floor": self.floor,
            "propensities": self.propensities,
            "generator": self._generator.bit_generator.state,
            "learned": self._learned,
            "block": self._block.state(),
            "batch": self._batch.state(),
            **self._ledger.state(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Bandit":
        """The bandit that `state()` described. Raises BanditError for a format or kind that this version lacks."""
        policy = stored.policy_from(state)
        settings = {name: state[name] for name in ("batch_size", "floor", "propensities")}
        bandit = cls(state["arms"], policy, seed=0, **settings)
        bandit._generator.bit_generator.state = state["generator"]
        bandit._learned = int(state["learned"])
        bandit._ledger.restore(state)
        bandit._batch.restore(state["batch"])
        if state["format"] > 1:  # the first format had no blocks
            bandit._block.restore(state["block"], bandit._learned)
        return bandit

    def _learn(self, arms: Integers, rewards: Floats, contexts: Floats | None) -> int:
        if len(arms):
            self.policy.update_many(arms, rewards, contexts)
            self._learned += len(arms)
        return len(arms)
