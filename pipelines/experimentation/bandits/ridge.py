"""A ridge regression for each arm: what the contextual policies know."""

from collections import deque
from math import sqrt
from typing import Any

import numpy as np

from pipelines.experimentation.bandits.memory import Floats, Integers, Memory

# Rank-one updates of an inverse lose digits slowly; inverting exactly once in so many keeps 1e-10.
_REFRESH = 2048
# One that shrinks the inverse by more than this in some direction loses as many digits at once.
_SHARPEST = 10.0


class RidgeModels:
    """Ridge regression of reward on context for each arm, updated one reward at a time.

    Without forgetting an update costs O(features**2). With a discount or a window all arms change, and the next
    prediction inverts every arm's matrix: O(arms * features**3). The ridge itself is never discounted (Russac,
    Vernade, Cappé, NeurIPS 2019).
    """

    def __init__(self, arms: int, features: int, ridge: float, memory: Memory) -> None:
        self._ridge = ridge * np.eye(features)
        self._memory = memory
        self._gram: Floats = np.zeros((arms, features, features))
        self._moment: Floats = np.zeros((arms, features))
        self._inverse: Floats = _inverse(self._gram + self._ridge)
        self._weights: Floats = np.zeros((arms, features))
        self._recent: deque[tuple[int, float, Floats]] = deque()
        self._updates = 0
        self._stale = False

    def predict(self, context: Floats) -> tuple[Floats, Floats]:
        """Per arm the expected reward and its standard deviation for noise of deviation one."""
        if self._stale:
            self._refresh()
        spread = self._inverse.dot(context).dot(context)
        return self._weights.dot(context), np.sqrt(np.maximum(spread, 0.0))

    def predict_many(self, contexts: Floats) -> tuple[Floats, Floats]:
        """`predict` for each row of `contexts`: two arrays of shape (contexts, arms)."""
        if self._stale:
            self._refresh()
        spread = np.einsum("knd,nd->nk", np.matmul(contexts, self._inverse), contexts)
        return contexts.dot(self._weights.T), np.sqrt(np.maximum(spread, 0.0))

    def add(self, arm: int, reward: float, context: Floats) -> None:
        """Learn from one reward and forget what is due."""
        if self._memory.discount < 1:
            self._gram *= self._memory.discount
            self._moment *= self._memory.discount
        self._gram[arm] += np.outer(context, context)
        self._moment[arm] += reward * context
        self._updates += 1
        if self._memory.window is not None:
            self._recent.append((arm, reward, context))
            self._slide(self._memory.window)
        if self._memory.forgets:
            self._stale = True
        elif self._updates % _REFRESH == 0:
            self._refresh()
        else:
            self._update_inverse(arm, context)
            self._weights[arm] = self._inverse[arm].dot(self._moment[arm])

    def _update_inverse(self, arm: int, context: Floats) -> None:
        """By the formula of Sherman and Morrison (1950) where it keeps its digits, else anew."""
        direction = self._inverse[arm].dot(context)
        shrinking = 1.0 + float(context.dot(direction))
        if not 1.0 <= shrinking <= _SHARPEST:
            self._inverse[arm] = _inverse(self._gram[arm] + self._ridge)
            return
        direction /= sqrt(shrinking)
        self._inverse[arm] -= np.outer(direction, direction)

    def add_many(self, arms: Integers, rewards: Floats, contexts: Floats) -> None:
        """Learn from rewards in this order; where nothing is forgotten the order is indifferent but for rounding."""
        count, features = contexts.shape
        if self._memory.forgets or count < len(self._gram) * max(2, features // 8):
            for arm, reward, context in zip(arms.tolist(), rewards.tolist(), contexts, strict=True):
                self.add(arm, reward, context)
            return
        # So many rewards at once are learnt faster by inverting every arm's matrix anew.
        for arm in np.unique(arms).tolist():
            mine = contexts[arms == arm]
            self._gram[arm] += mine.T.dot(mine)
            self._moment[arm] += rewards[arms == arm].dot(mine)
        self._updates += count
        self._refresh()

    def _slide(self, window: int) -> None:
        if len(self._recent) > window:
            arm, reward, context = self._recent.popleft()
            self._gram[arm] -= np.outer(context, context)
            self._moment[arm] -= reward * context
        if self._updates % (window + 1) == 0:
            # As in ArmStatistics: start over once per window, so rounding does not pile up.
            self._gram[:] = 0
            self._moment[:] = 0
            for arm, reward, context in self._recent:
                self._gram[arm] += np.outer(context, context)
                self._moment[arm] += reward * context

    def _refresh(self) -> None:
        self._inverse = _inverse(self._gram + self._ridge)
        self._weights = np.einsum("kij,kj->ki", self._inverse, self._moment)
        self._stale = False

    def state(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "gram": self._gram.tolist(),
            "moment": self._moment.tolist(),
            "inverse": self._inverse.tolist(),
            "weights": self._weights.tolist(),
            "recent": [[arm, reward, context.tolist()] for arm, reward, context in self._recent],
            "updates": self._updates,
            "stale": self._stale,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state()`, to the last bit."""
        self._gram, self._moment = np.array(state["gram"]), np.array(state["moment"])
        self._inverse, self._weights = np.array(state["inverse"]), np.array(state["weights"])
        self._recent = deque((int(arm), float(reward), np.array(context)) for arm, reward, context in state["recent"])
        self._updates, self._stale = int(state["updates"]), bool(state["stale"])


def _inverse(matrices: Floats) -> Floats:
    return np.asarray(np.linalg.inv(matrices), dtype=np.float64)
