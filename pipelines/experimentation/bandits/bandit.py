"""A bandit in service: decisions with ids and propensities, rewards that come late, state that survives a restart."""

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from pipelines.experimentation.bandits.errors import BanditError
from pipelines.experimentation.bandits.greedy import EpsilonGreedy
from pipelines.experimentation.bandits.linear import LinearThompson, LinUCB
from pipelines.experimentation.bandits.memory import Floats, Memory
from pipelines.experimentation.bandits.policy import Policy
from pipelines.experimentation.bandits.thompson import BetaThompson, GaussianThompson
from pipelines.experimentation.bandits.upper_bounds import KLUCB, UCB1

_FORMAT = 1
_KINDS: dict[str, Callable[..., Policy]] = {
    kind.kind: kind for kind in (EpsilonGreedy, UCB1, KLUCB, BetaThompson, GaussianThompson, LinUCB, LinearThompson)
}


class Decision(NamedTuple):
    """One decision as it must be logged for off-policy evaluation."""

    id: int
    """Counts up from 0 within one bandit."""
    arm: str
    probabilities: tuple[float, ...] | None
    """Probability of each arm, in the bandit's order; None when the bandit does not log propensities."""
    propensity: float | None
    """Probability of the arm that was played."""
    propensity_error: float
    """Bound of the propensity's numerical error: 0 where it is exact."""
    context: tuple[float, ...] | None
    learned: int
    """Rewards that the policy had learnt from."""


class Bandit:
    """A policy with names for its arms, a seed, outstanding decisions and batches.

    Rewards may arrive in any order and any time later; each is accepted once. The policy learns whenever `batch_size`
    rewards have come in (1: at once), in the order of arrival. With `floor`, every arm keeps at least
    floor / arms of the traffic, so any other policy can be evaluated from the log. Not thread-safe.
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
        self.arms = tuple(arms)
        self.policy = policy
        self.batch_size, self.floor, self.propensities = batch_size, floor, propensities
        self._generator = np.random.default_rng(seed)
        self._next = 0
        self._learned = 0
        self._pending: dict[int, tuple[int, Floats | None]] = {}
        self._batch: list[tuple[int, float, Floats | None]] = []
        self._cached: tuple[tuple[float, ...], float] = ((), 0.0)
        self._cached_version = -1

    def decide(self, context: Sequence[float] | Floats | None = None) -> Decision:
        """Choose an arm; give the reward to `reward` under the decision's id. Raises BanditError for a bad context."""
        vector = self._checked_context(context)
        probabilities, error = self._probabilities(vector) if self.propensities else (None, 0.0)
        if self.floor and self._generator.random() < self.floor:
            arm = int(self._generator.integers(self.policy.arms))
        else:
            arm = self.policy.choose(vector, self._generator)
        self.policy.issued(arm)
        decision = Decision(
            self._next,
            self.arms[arm],
            probabilities,
            None if probabilities is None else probabilities[arm],
            error,
            None if vector is None else tuple(vector.tolist()),
            self._learned,
        )
        self._pending[self._next] = (arm, vector)
        self._next += 1
        return decision

    def reward(self, decision: int, value: float) -> None:
        """Accept the reward of a decision. Raises BanditError for one never made, settled before, or a bad value."""
        if not isfinite(value):
            raise BanditError(f"reward of decision {decision}: must be a finite number, got {value}")
        if self.policy.unit_rewards and not 0 <= value <= 1:
            raise BanditError(
                f"reward of decision {decision}: {self.policy.kind} takes rewards from 0 to 1, got {value}; rescale it"
            )
        if decision not in self._pending:
            raise BanditError(
                f"reward of decision {decision}: "
                + ("it was rewarded or expired before" if 0 <= decision < self._next else "no such decision was made")
            )
        arm, context = self._pending.pop(decision)
        self._batch.append((arm, value, context))
        if len(self._batch) >= self.batch_size:
            self.flush()

    def flush(self) -> int:
        """Learn from the rewards that wait for their batch to fill; returns how many there were."""
        batch, self._batch = self._batch, []
        for arm, value, context in batch:
            self.policy.update(arm, value, context)
        self._learned += len(batch)
        return len(batch)

    def expire(self, before: int) -> list[int]:
        """Give up decisions with an id below `before`, unlearnt; returns them.

        Where silence means failure (no click), reward them 0 instead: giving up only the unrewarded would teach the
        policy from successes alone.
        """
        expired = [decision for decision in self._pending if decision < before]
        for decision in expired:
            del self._pending[decision]
        return expired

    @property
    def outstanding(self) -> tuple[int, ...]:
        """Decisions that wait for their reward, oldest first."""
        return tuple(self._pending)

    def state(self) -> dict[str, Any]:
        """Everything, as JSON: a bandit restored from it makes the same decisions as this one."""
        return {
            "format": _FORMAT,
            "arms": list(self.arms),
            "policy": {
                "kind": self.policy.kind,
                "settings": self.policy.settings(),
                "learnt": self.policy.state(),
            },
            "batch_size": self.batch_size,
            "floor": self.floor,
            "propensities": self.propensities,
            "generator": self._generator.bit_generator.state,
            "next": self._next,
            "learned": self._learned,
            "pending": [[decision, arm, _listed(context)] for decision, (arm, context) in self._pending.items()],
            "batch": [[arm, value, _listed(context)] for arm, value, context in self._batch],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Bandit":
        """The bandit that `state()` described. Raises BanditError for a format or kind that this version lacks."""
        if state.get("format") != _FORMAT:
            raise BanditError(f"state: format must be {_FORMAT}, got {state.get('format')!r}")
        kind = state["policy"]["kind"]
        if kind not in _KINDS:
            raise BanditError(f"state: policy kind must be one of {sorted(_KINDS)}, got {kind!r}")
        settings = dict(state["policy"]["settings"])
        policy = _KINDS[kind](**{**settings, "memory": Memory(**settings["memory"])})
        policy.restore(state["policy"]["learnt"])
        bandit = cls(
            state["arms"],
            policy,
            seed=0,
            batch_size=state["batch_size"],
            floor=state["floor"],
            propensities=state["propensities"],
        )
        bandit._generator.bit_generator.state = state["generator"]
        bandit._next, bandit._learned = state["next"], state["learned"]
        bandit._pending = {decision: (arm, _vector(context)) for decision, arm, context in state["pending"]}
        bandit._batch = [(arm, value, _vector(context)) for arm, value, context in state["batch"]]
        return bandit

    def _probabilities(self, context: Floats | None) -> tuple[tuple[float, ...], float]:
        if context is None and self._cached_version == self.policy.version:
            return self._cached
        probabilities, error = self.policy.probabilities(context)
        if self.floor:
            probabilities = (1 - self.floor) * probabilities + self.floor / self.policy.arms
            error *= 1 - self.floor
        found = (tuple(probabilities.tolist()), error)
        if context is None:
            self._cached, self._cached_version = found, self.policy.version
        return found

    def _checked_context(self, context: Sequence[float] | Floats | None) -> Floats | None:
        features = self.policy.features
        if context is None:
            if features:
                raise BanditError(f"context: {self.policy.kind} needs {features} numbers, got none")
            return None
        if not features:
            raise BanditError(f"context: {self.policy.kind} takes none, got {len(context)} numbers; leave it out")
        vector = np.array(context, dtype=np.float64)
        if vector.shape != (features,):
            raise BanditError(f"context: {self.policy.kind} needs {features} numbers, got shape {vector.shape}")
        if not isfinite(vector.sum()):
            raise BanditError(f"context: all numbers must be finite, got {vector.tolist()}")
        return vector


def _listed(context: Floats | None) -> list[float] | None:
    return None if context is None else context.tolist()


def _vector(context: list[float] | None) -> Floats | None:
    return None if context is None else np.array(context, dtype=np.float64)
