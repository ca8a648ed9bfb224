"""Policies that play the arm with the highest upper confidence bound."""

from math import exp, inf, log, sqrt
from typing import Any, ClassVar

import numpy as np

from pipelines.experimentation.bandits.errors import BanditError
from pipelines.experimentation.bandits.memory import Floats, Integers, Memory
from pipelines.experimentation.bandits.policy import ArmPolicy, argmax, argmax_probabilities, draw


class _IndexPolicy(ArmPolicy):
    """Plays an arm of the largest index. Deterministic but for ties, so its log supports no other policy's evaluation.

    The index uses the rewards seen so far and is unchanged until the next one: between two batches one arm is played.
    """

    def __init__(self, arms: int, memory: Memory) -> None:
        super().__init__(arms, memory)
        self._indices: list[float] = []
        self._of_version = -1

    def indices(self) -> list[float]:
        """Upper bound of each arm's mean; every arm must have been tried."""
        raise NotImplementedError

    def choose(self, context: Floats | None, generator: np.random.Generator) -> int:  # noqa: ARG002 - the protocol's signature
        """The arm to play."""
        if self._untried and (untried := self.untried()) is not None:
            return draw(untried, generator)
        return argmax(self._current(), generator)

    def choose_many(self, count: int, contexts: Floats | None, generator: np.random.Generator) -> Integers:
        """The arm to play, so many times; ties fall anew each time."""
        indices = self._current()
        largest = max(indices)
        if indices.count(largest) == 1:
            return np.full(count, indices.index(largest))
        return super().choose_many(count, contexts, generator)

    def probabilities(self, context: Floats | None) -> tuple[Floats, float]:  # noqa: ARG002 - the protocol's signature
        """Exact: all on the largest index, shared among ties."""
        untried = self.untried()
        return (untried if untried is not None else argmax_probabilities(np.array(self._current()))), 0.0

    def _current(self) -> list[float]:
        if self._of_version != self.version:
            self._indices, self._of_version = self.indices(), self.version
        return self._indices


class UCB1(_IndexPolicy):
    """UCB1 (Auer, Cesa-Bianchi, Fischer, 2002) for rewards in [0, 1]; with a memory, D-UCB or SW-UCB.

    `exploration` multiplies ln t under the root, 2 in the paper. Smaller values play better on most problems and
    prove less.
    """

    kind: ClassVar[str] = "ucb1"

    def __init__(self, arms: int, *, exploration: float = 2.0, memory: Memory | None = None) -> None:
        if not 0 < exploration < inf:
            raise BanditError(f"exploration: must be a positive number, got {exploration}")
        super().__init__(arms, memory or Memory())
        self.exploration = exploration

    def indices(self) -> list[float]:
        """Mean + sqrt(exploration * ln t / n)."""
        counts = self.statistics.counts
        scale = self.exploration * log(max(float(counts.sum()), 1.0))
        return (self.statistics.sums / counts + np.sqrt(scale / counts)).tolist()

    def settings(self) -> dict[str, Any]:
        """Constructor arguments, as JSON."""
        return {**super().settings(), "exploration": self.exploration}


class KLUCB(_IndexPolicy):
    """KL-UCB (Garivier and Cappé, COLT 2011) for rewards in [0, 1], with their recommended c = 0.

    For Bernoulli rewards its regret reaches the lower bound of Lai and Robbins (1985) as the horizon grows.
    """

    kind: ClassVar[str] = "klucb"

    def __init__(self, arms: int, *, memory: Memory | None = None) -> None:
        super().__init__(arms, memory or Memory())

    def indices(self) -> list[float]:
        """Largest q with n * kl(mean, q) <= ln t."""
        counts = self.statistics.counts
        level = log(max(float(counts.sum()), 1.0))
        means = np.clip(self.statistics.sums / counts, 0.0, 1.0).tolist()
        return [kl_upper_bound(mean, level / count) for mean, count in zip(means, counts.tolist(), strict=True)]


def kl(p: float, q: float) -> float:
    """Kullback-Leibler divergence of Bernoulli(p) from Bernoulli(q), in nats."""
    first = p * log(p / q) if p > 0 else 0.0
    return first + ((1 - p) * log((1 - p) / (1 - q)) if p < 1 else 0.0)


def kl_upper_bound(mean: float, divergence: float) -> float:
    """Largest q in [mean, 1] with kl(mean, q) <= divergence, to 1e-10.

    kl(mean, .) is convex and rising above the mean, so Newton's method from a bound above falls to the root without
    overshooting. The start is the smaller of two such bounds: Pinsker's, and the one that drops the term of q itself.
    """
    if mean >= 1 or divergence <= 0:
        return min(mean, 1.0)
    if mean <= 0:
        return 1 - exp(-divergence)
    entropy = -mean * log(mean) - (1 - mean) * log(1 - mean)
    bound = min(mean + sqrt(divergence / 2), 1 - exp(-(divergence + entropy) / (1 - mean)))
    for _ in range(50):
        if bound >= 1:
            return 1.0
        if bound <= mean:
            return mean  # the divergence is below the resolution of floats
        step = (kl(mean, bound) - divergence) * bound * (1 - bound) / (bound - mean)
        bound -= step
        if step < 1e-10:
            break
    return bound
