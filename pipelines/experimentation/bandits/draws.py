"""Where a bandit's decisions are drawn: from the policy, or from the very probabilities that are logged."""

from bisect import bisect_right
from itertools import accumulate

import numpy as np

from pipelines.experimentation.bandits.memory import Floats, Integers
from pipelines.experimentation.bandits.policy import Policy, draw_many, draw_rows

Logged = tuple[tuple[float, ...], float]
"""Probabilities in the order of the arms, and their numerical error."""


class Draws:
    """Arms of one policy with its floor. With `propensities` they come from the computed probabilities themselves."""

    def __init__(self, policy: Policy, generator: np.random.Generator, floor: float, *, propensities: bool) -> None:
        self._policy, self._generator = policy, generator
        self._floor, self._propensities = floor, propensities
        self._logged: Logged = ((), 0.0)
        self._cumulative: list[float] = []
        self._version = -1

    def logged(self) -> Logged | None:
        """Of a policy without context, computed once for each version of it; None where they are not logged."""
        if not self._propensities:
            return None
        if self._version != self._policy.version:
            found, error = self._floored(*self._policy.probabilities(None))
            probabilities = tuple(found.tolist())
            self._logged, self._cumulative = (probabilities, error), list(accumulate(probabilities))
            self._version = self._policy.version
        return self._logged

    def one(self) -> int:
        """An arm without context."""
        return self._chosen(None) if self.logged() is None else self._draw(self._cumulative)

    def many(self, count: int) -> Integers:
        """Independent arms without context."""
        if self.logged() is None:
            return self._chosen_many(count, None)
        return draw_many(np.array(self._cumulative), count, self._generator)

    def one_for(self, context: Floats) -> tuple[int, Logged | None]:
        """An arm for this context, with its probabilities where they are logged."""
        if not self._propensities:
            return self._chosen(context), None
        found, error = self._floored(*self._policy.probabilities(context))
        probabilities = tuple(found.tolist())
        return self._draw(list(accumulate(probabilities))), (probabilities, error)

    def many_for(self, contexts: Floats) -> tuple[Integers, Floats | None, float]:
        """An arm for each row, with the probabilities by row where they are logged, and their largest error."""
        if not self._propensities:
            return self._chosen_many(len(contexts), contexts), None, 0.0
        probabilities, error = self._floored(*self._policy.probabilities_many(contexts))
        return draw_rows(probabilities, self._generator), probabilities, error

    def _chosen(self, context: Floats | None) -> int:
        if self._floor and self._generator.random() < self._floor:
            return int(self._generator.integers(self._policy.arms))
        return self._policy.choose(context, self._generator)

    def _chosen_many(self, count: int, contexts: Floats | None) -> Integers:
        choices = self._policy.choose_many(count, contexts, self._generator)
        if self._floor:
            exploring = self._generator.random(count) < self._floor
            choices[exploring] = self._generator.integers(self._policy.arms, size=np.count_nonzero(exploring))
        return choices

    def _draw(self, cumulative: list[float]) -> int:
        return bisect_right(cumulative, self._generator.random() * cumulative[-1])

    def _floored(self, probabilities: Floats, error: float) -> tuple[Floats, float]:
        if not self._floor:
            return probabilities, error
        return (1 - self._floor) * probabilities + self._floor / self._policy.arms, (1 - self._floor) * error
