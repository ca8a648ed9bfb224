"""Contextual policy between the two: optimistic by a random amount."""

from math import inf
from typing import Any, ClassVar

import numpy as np

from pipelines.experimentation.bandits.errors import BanditError
from pipelines.experimentation.bandits.linear import LinearPolicy, required
from pipelines.experimentation.bandits.memory import Floats, Integers, Memory
from pipelines.experimentation.bandits.policy import argmax, argmax_many, argmax_probabilities, draw_many


class LinearRandUCB(LinearPolicy):
    """RandUCB with disjoint models (Vaswani, Mehrabian, Durand, Kveton, *Old Dog Learns New Tricks*, AISTATS 2020).

    The largest mean + Z * noise * deviation is played. Z is drawn for every decision and shared by all arms, the
    paper's coupled variant: never pessimistic, yet random. Here it is half-normal on `points` values from 0 to
    `largest`. It explores less than Thompson sampling, whose draws are independent: the best of many is far up.
    Propensities are exact sums over the values of Z, without quadrature.
    """

    kind: ClassVar[str] = "linear_rand_ucb"

    def __init__(
        self,
        arms: int,
        *,
        features: int,
        noise: float = 1.0,
        largest: float = 3.0,
        points: int = 20,
        ridge: float = 1.0,
        memory: Memory | None = None,
    ) -> None:
        for name, value in (("noise", noise), ("largest", largest)):
            if not 0 < value < inf:
                raise BanditError(f"{name}: must be a positive number, got {value}")
        if points < 2:
            raise BanditError(f"points: must be at least 2, got {points}")
        super().__init__(arms, features, ridge, memory)
        self.noise, self.largest, self.points = noise, largest, points
        self._bonuses = np.linspace(0.0, largest, points)
        weights = np.exp(-0.5 * self._bonuses**2)
        self._weights = weights / weights.sum()
        self._cumulative = self._weights.cumsum()

    def choose(self, context: Floats | None, generator: np.random.Generator) -> int:
        """The arm of the largest bound."""
        mean, deviation = self.models.predict(required(context))
        bonus = self.noise * self._bonuses[draw_many(self._cumulative, 1, generator)]
        return argmax((mean + bonus * deviation).tolist(), generator)

    def choose_many(self, count: int, contexts: Floats | None, generator: np.random.Generator) -> Integers:
        """The arms of the largest bound, with a Z for each context."""
        mean, deviation = self.models.predict_many(required(contexts))
        bonus = self.noise * self._bonuses[draw_many(self._cumulative, count, generator)]
        return argmax_many(mean + bonus[:, None] * deviation, generator)

    def probabilities(self, context: Floats | None) -> tuple[Floats, float]:
        """Exact: what each value of Z would choose, by that value's probability."""
        mean, deviation = self.models.predict(required(context))
        return self._of_bounds(mean, deviation), 0.0

    def probabilities_many(self, contexts: Floats) -> tuple[Floats, float]:
        """Exact, for each row of `contexts`."""
        mean, deviation = self.models.predict_many(contexts)
        return self._of_bounds(mean, deviation), 0.0

    def _of_bounds(self, mean: Floats, deviation: Floats) -> Floats:
        """Probabilities of arms along the last axis."""
        bonuses = self.noise * self._bonuses[:, None]
        chosen = argmax_probabilities(mean[..., None, :] + bonuses * deviation[..., None, :])
        return np.einsum("z,...zk->...k", self._weights, chosen)

    def settings(self) -> dict[str, Any]:
        """Constructor arguments, as JSON."""
        return {**super().settings(), "noise": self.noise, "largest": self.largest, "points": self.points}
