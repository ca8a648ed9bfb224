"""Decisions without context, drawn ahead of their use."""

from typing import Any

from pipelines.experimentation.bandits.draws import Draws
from pipelines.experimentation.bandits.policy import Policy

_LARGEST = 256

Tail = tuple[Any, ...]
"""The fields of a decision that follow its id."""


class Block:
    """What is left of the arms drawn ahead, and the rest of their decisions.

    Between two rewards learnt, a policy without context draws all its decisions from the same probabilities; in blocks
    of 1, 4, 16, … to 256 that is cheap. What is left of a block when something is learnt is dropped: the draws are
    independent of one another and of the rewards, so each decision handed out still has its logged probabilities.
    """

    def __init__(self, policy: Policy, draws: Draws, names: tuple[str, ...]) -> None:
        self.arms: list[int] = []
        """Still to be handed out, last first; out of date unless `version` is the policy's."""
        self.tails: dict[int, Tail] = {}
        """By arm, of the arms in this block."""
        self.version = -1
        self._size = 0
        self._policy, self._draws, self._names = policy, draws, names

    def begin(self, learned: int) -> tuple[int, Tail]:
        """The first decision of a block drawn now; larger than the last one if nothing was learnt since."""
        policy = self._policy
        size = self._size if self.version == policy.version else 0
        size = min(4 * size or 1, _LARGEST) if policy.steady else 1
        if size == 1:
            arm = self._draws.one()
            self._keep([], size)
            tail = self._tail(arm, learned)
            # This may raise the policy's version, which ends the block; larger ones are only drawn where it cannot.
            policy.issued(arm)
            return arm, tail
        self._keep(self._draws.many(size).tolist(), size)
        self._make_tails(learned)
        arm = self.arms.pop()
        return arm, self.tails[arm]

    def state(self) -> dict[str, Any]:
        """As JSON."""
        current = self.version == self._policy.version
        return {"arms": self.arms[:] if current else [], "size": self._size if current else 0}

    def restore(self, state: dict[str, Any], learned: int) -> None:
        """Continue from `state()`, with the policy as it was then."""
        if state["size"]:
            self._keep([int(arm) for arm in state["arms"]], int(state["size"]))
            self._make_tails(learned)

    def _keep(self, arms: list[int], size: int) -> None:
        self.arms, self._size, self.version = arms, size, self._policy.version

    def _make_tails(self, learned: int) -> None:
        self.tails = {arm: self._tail(arm, learned) for arm in set(self.arms)}

    def _tail(self, arm: int, learned: int) -> Tail:
        logged = self._draws.logged()
        if logged is None:
            return (self._names[arm], None, None, 0.0, None, learned)
        probabilities, error = logged
        return (self._names[arm], probabilities, probabilities[arm], error, None, learned)
