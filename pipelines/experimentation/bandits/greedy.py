"""The simplest policy: mostly the best arm so far, sometimes any."""

from math import inf
from typing import Any, ClassVar

import numpy as np

from pipelines.experimentation.bandits.errors import BanditError
from pipelines.experimentation.bandits.memory import Floats, Memory
from pipelines.experimentation.bandits.policy import ArmPolicy, argmax, argmax_probabilities, draw


class EpsilonGreedy(ArmPolicy):
    """Plays any arm alike with probability epsilon, else the best mean so far.

    With `decay`, epsilon falls as decay / t once that is smaller: the schedule of Auer, Cesa-Bianchi and Fischer
    (2002), whose decay is c K / d**2. By default epsilon is constant and regret grows linearly.
    """

    kind: ClassVar[str] = "epsilon_greedy"
    unit_rewards = False

    def __init__(
        self, arms: int, *, epsilon: float = 0.1, decay: float | None = None, memory: Memory | None = None
    ) -> None:
        if not 0 <= epsilon <= 1:
            raise BanditError(f"epsilon: must be between 0 and 1, got {epsilon}")
        if decay is not None and not 0 < decay < inf:
            raise BanditError(f"decay: must be a positive number, got {decay}")
        super().__init__(arms, memory or Memory())
        self.epsilon, self.decay = epsilon, decay
        self._means: list[float] = []
        self._of_version = -1

    def choose(self, context: Floats | None, generator: np.random.Generator) -> int:  # noqa: ARG002 - the protocol's signature
        """The arm to play."""
        if generator.random() < self._current_epsilon():
            return int(generator.integers(self.arms))
        if self._untried and (untried := self.untried()) is not None:
            return draw(untried, generator)
        return argmax(self._current(), generator)

    def probabilities(self, context: Floats | None) -> tuple[Floats, float]:  # noqa: ARG002 - the protocol's signature
        """Exact: epsilon spread evenly, the rest on the best mean, shared among ties."""
        untried = self.untried()
        greedy = untried if untried is not None else argmax_probabilities(np.array(self._current()))
        epsilon = self._current_epsilon()
        return (1 - epsilon) * greedy + epsilon / self.arms, 0.0

    def _current(self) -> list[float]:
        if self._of_version != self.version:
            self._means = (self.statistics.sums / self.statistics.counts).tolist()
            self._of_version = self.version
        return self._means

    def _current_epsilon(self) -> float:
        if self.decay is None:
            return self.epsilon
        return min(self.epsilon, self.decay / max(float(self.statistics.counts.sum()), 1.0))

    def settings(self) -> dict[str, Any]:
        """Constructor arguments, as JSON."""
        return {**super().settings(), "epsilon": self.epsilon, "decay": self.decay}
