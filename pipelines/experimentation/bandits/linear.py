"""Contextual policies: a ridge regression per arm, optimistic (LinUCB) or sampled (linear Thompson)."""

from collections import deque
from dataclasses import asdict
from math import inf
from typing import Any, ClassVar

import numpy as np

from pipelines.experimentation.bandits.best_arm import best_gaussian_probabilities
from pipelines.experimentation.bandits.errors import BanditError
from pipelines.experimentation.bandits.memory import Floats, Memory
from pipelines.experimentation.bandits.policy import argmax, argmax_probabilities, check_arms

# Rank-one updates of an inverse lose digits slowly; this many updates between exact inversions keep 1e-10.
_REFRESH = 2048


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
        if self._memory != Memory():
            self._stale = True
        elif self._updates % _REFRESH == 0:
            self._refresh()
        else:
            inverse = self._inverse[arm]
            direction = inverse.dot(context)
            inverse -= np.outer(direction, direction / (1.0 + context.dot(direction)))
            self._weights[arm] = inverse.dot(self._moment[arm])

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


class _LinearPolicy:
    """What both linear policies share."""

    unit_rewards = False

    def __init__(self, arms: int, features: int, ridge: float, memory: Memory | None) -> None:
        check_arms(arms)
        if features < 1:
            raise BanditError(f"features: must be at least 1, got {features}")
        if not 0 < ridge < inf:
            raise BanditError(f"ridge: must be a positive number, got {ridge}")
        self.arms, self.features, self.ridge = arms, features, ridge
        self.memory = memory or Memory()
        self.version = 0
        self.models = RidgeModels(arms, features, ridge, self.memory)

    def issued(self, arm: int) -> None:
        """The ridge stands in for untried arms, so plays need not be counted."""

    def update(self, arm: int, reward: float, context: Floats | None) -> None:
        """Learn from one reward."""
        self.models.add(arm, reward, _required(context))
        self.version += 1

    def settings(self) -> dict[str, Any]:
        """Constructor arguments, as JSON."""
        return {"arms": self.arms, "features": self.features, "ridge": self.ridge, "memory": asdict(self.memory)}

    def state(self) -> dict[str, Any]:
        """What was learnt, as JSON."""
        return {"models": self.models.state(), "version": self.version}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state()`."""
        self.models.restore(state["models"])
        self.version = int(state["version"])


class LinUCB(_LinearPolicy):
    """LinUCB with disjoint models (Li, Chu, Langford, Schapire, WWW 2010).

    `exploration` is the paper's alpha: how many deviations of the estimate the bound adds. Deterministic but for
    ties, so its log supports no other policy's evaluation.
    """

    kind: ClassVar[str] = "linucb"

    def __init__(
        self, arms: int, *, features: int, exploration: float = 1.0, ridge: float = 1.0, memory: Memory | None = None
    ) -> None:
        if not 0 <= exploration < inf:
            raise BanditError(f"exploration: must not be negative, got {exploration}")
        super().__init__(arms, features, ridge, memory)
        self.exploration = exploration

    def choose(self, context: Floats | None, generator: np.random.Generator) -> int:
        """The arm to play."""
        return argmax(self._indices(context).tolist(), generator)

    def probabilities(self, context: Floats | None) -> tuple[Floats, float]:
        """Exact: all on the largest bound, shared among ties."""
        return argmax_probabilities(self._indices(context)), 0.0

    def _indices(self, context: Floats | None) -> Floats:
        mean, deviation = self.models.predict(_required(context))
        return mean + self.exploration * deviation

    def settings(self) -> dict[str, Any]:
        """Constructor arguments, as JSON."""
        return {**super().settings(), "exploration": self.exploration}


class LinearThompson(_LinearPolicy):
    """Thompson sampling with a Gaussian linear model per arm (Agrawal and Goyal, ICML 2013; disjoint models).

    `noise` scales the posterior's deviation (the paper's v). Only the models' predictions matter for the choice, so
    they are drawn in place of the weights: the same distribution at a fraction of the work.
    """

    kind: ClassVar[str] = "linear_thompson"

    def __init__(
        self, arms: int, *, features: int, noise: float = 1.0, ridge: float = 1.0, memory: Memory | None = None
    ) -> None:
        if not 0 < noise < inf:
            raise BanditError(f"noise: must be a positive number, got {noise}")
        super().__init__(arms, features, ridge, memory)
        self.noise = noise

    def choose(self, context: Floats | None, generator: np.random.Generator) -> int:
        """The best arm of one draw from the posterior."""
        mean, deviation = self.models.predict(_required(context))
        return int((mean + self.noise * deviation * generator.standard_normal(self.arms)).argmax())

    def probabilities(self, context: Floats | None) -> tuple[Floats, float]:
        """Probability of being best, by quadrature, with its measured error."""
        mean, deviation = self.models.predict(_required(context))
        if not deviation.any():
            return argmax_probabilities(mean), 0.0  # the zero context: nothing to draw
        return best_gaussian_probabilities(mean, self.noise * deviation)

    def settings(self) -> dict[str, Any]:
        """Constructor arguments, as JSON."""
        return {**super().settings(), "noise": self.noise}


def _inverse(matrices: Floats) -> Floats:
    return np.asarray(np.linalg.inv(matrices), dtype=np.float64)


def _required(context: Floats | None) -> Floats:
    if context is None:
        raise BanditError("context: this policy needs a context vector, got none")
    return context
