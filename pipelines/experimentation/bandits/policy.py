"""What a bandit's policy is, and the parts that policies without context share."""

from dataclasses import asdict
from typing import Any, ClassVar, Protocol

import numpy as np

from pipelines.experimentation.bandits.errors import BanditError
from pipelines.experimentation.bandits.memory import ArmStatistics, Floats, Integers, Memory


class Policy(Protocol):
    """Chooses arms by number. State changes only in `issued` and `update`; randomness comes from the caller."""

    kind: ClassVar[str]
    arms: int
    features: int
    """Length of the context vector; 0 for a policy that takes none."""
    unit_rewards: bool
    """Whether rewards must lie in [0, 1]."""
    version: int
    """Grows whenever the probabilities may have changed."""

    @property
    def steady(self) -> bool:
        """Whether `issued` changes nothing now."""
        ...

    def choose(self, context: Floats | None, generator: np.random.Generator) -> int:
        """The arm to play."""
        ...

    def choose_many(self, count: int, contexts: Floats | None, generator: np.random.Generator) -> Integers:
        """Arms of independent choices, one per row of `contexts` where there are any; the policy must be `steady`."""
        ...

    def probabilities(self, context: Floats | None) -> tuple[Floats, float]:
        """Probability that `choose` would return each arm, and their numerical error as measured (0 when exact)."""
        ...

    def probabilities_many(self, contexts: Floats) -> tuple[Floats, float]:
        """`probabilities` for each row of `contexts`, shape (contexts, arms), and the largest error."""
        ...

    def issued(self, arm: int) -> None:
        """An arm was played; its reward may come later, or never."""
        ...

    def update(self, arm: int, reward: float, context: Floats | None) -> None:
        """Learn from one reward."""
        ...

    def update_many(self, arms: Integers, rewards: Floats, contexts: Floats | None) -> None:
        """Learn from rewards in this order."""
        ...

    def settings(self) -> dict[str, Any]:
        """Constructor arguments, as JSON."""
        ...

    def state(self) -> dict[str, Any]:
        """What was learnt, as JSON."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state()`."""
        ...


def check_arms(arms: int) -> None:
    """Raise BanditError for fewer than two arms."""
    if arms < 2:
        raise BanditError(f"arms: there must be at least 2, got {arms}")


class ArmPolicy:
    """Base of the policies without context: statistics per arm, and each arm tried once before any is compared.

    While rewards are outstanding, an untried arm that was issued least is next, so a delay does not send all traffic
    to the first arm.
    """

    features = 0
    unit_rewards = True

    def __init__(self, arms: int, memory: Memory) -> None:
        check_arms(arms)
        self.arms = arms
        self.memory = memory
        self.version = 0
        self.statistics = ArmStatistics(arms, memory)
        self._issued = np.zeros(arms)
        self._untried = True
        self._cumulative: Floats = np.empty(0)
        self._cumulative_version = -1

    @property
    def steady(self) -> bool:
        """Whether every arm has a reward in memory."""
        return not self._untried

    def choose_many(self, count: int, contexts: Floats | None, generator: np.random.Generator) -> Integers:  # noqa: ARG002 - the protocol's signature
        """Draw from the probabilities, which are the same until the next reward."""
        if self._cumulative_version != self.version:
            self._cumulative, self._cumulative_version = self.probabilities(None)[0].cumsum(), self.version
        return draw_many(self._cumulative, count, generator)

    def issued(self, arm: int) -> None:
        """Count the play, which matters only while some arm has no reward yet."""
        if self._untried:
            self._issued[arm] += 1
            self.version += 1

    def probabilities(self, context: Floats | None) -> tuple[Floats, float]:
        """Probability of each arm, and their numerical error."""
        raise NotImplementedError

    def probabilities_many(self, contexts: Floats) -> tuple[Floats, float]:
        """The same for every context."""
        probabilities, error = self.probabilities(None)
        return np.tile(probabilities, (len(contexts), 1)), error

    def update(self, arm: int, reward: float, context: Floats | None) -> None:  # noqa: ARG002 - the protocol's signature
        """Learn from one reward."""
        self.statistics.add(arm, reward)
        self._learnt()

    def update_many(self, arms: Integers, rewards: Floats, contexts: Floats | None) -> None:
        """Learn from rewards in this order."""
        if self.memory.forgets:
            for arm, reward in zip(arms.tolist(), rewards.tolist(), strict=True):
                self.update(arm, reward, contexts)
            return
        self.statistics.add_many(arms, rewards)
        self._learnt()

    def _learnt(self) -> None:
        self.version += 1
        if not (self._untried or self.memory.forgets):
            return
        untried = bool((self.statistics.counts <= 0).any())
        if untried and not self._untried:
            # A window forgot an arm wholly: start counting plays anew.
            self._issued[:] = 0
        self._untried = untried

    def untried(self) -> Floats | None:
        """Uniform probabilities over the arms to try first; None once every arm has a reward in memory."""
        if not self._untried:
            return None
        waiting = self.statistics.counts <= 0
        fewest = self._issued[waiting].min()
        mask = (waiting & (self._issued == fewest)).astype(np.float64)
        return mask / mask.sum()

    def settings(self) -> dict[str, Any]:
        """Constructor arguments, as JSON."""
        return {"arms": self.arms, "memory": asdict(self.memory)}

    def state(self) -> dict[str, Any]:
        """What was learnt, as JSON."""
        return {"statistics": self.statistics.state(), "issued": self._issued.tolist(), "version": self.version}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state()`."""
        self.statistics.restore(state["statistics"])
        self._issued = np.array(state["issued"], dtype=np.float64)
        self._untried = bool((self.statistics.counts <= 0).any())
        self.version = int(state["version"])


def argmax(indices: list[float], generator: np.random.Generator) -> int:
    """Position of the largest; ties fall to any of them alike."""
    largest = max(indices)
    if indices.count(largest) == 1:
        return indices.index(largest)
    return int(generator.choice([arm for arm, index in enumerate(indices) if index == largest]))


def argmax_many(indices: Floats, generator: np.random.Generator) -> Integers:
    """`argmax` of each row."""
    best = np.equal(indices, indices.max(axis=1, keepdims=True))
    if np.count_nonzero(best) > len(best):
        return np.where(best, generator.random(best.shape), -1.0).argmax(axis=1)
    return best.argmax(axis=1)


def argmax_probabilities(indices: Floats) -> Floats:
    """Probabilities with which `argmax` returns each position of the last axis."""
    best = np.equal(indices, indices.max(axis=-1, keepdims=True)).astype(np.float64)
    return best / best.sum(axis=-1, keepdims=True)


def draw_many(cumulative: Floats, count: int, generator: np.random.Generator) -> Integers:
    """Positions drawn from cumulative probabilities, of whatever sum; one of probability 0 is never drawn."""
    # A uniform number below 1 times the sum rounds to less than the sum, so no position is past the end.
    thresholds = generator.random(count) * cumulative[-1]
    return np.asarray(cumulative.searchsorted(thresholds, side="right"), dtype=np.intp)


def draw_rows(probabilities: Floats, generator: np.random.Generator) -> Integers:
    """A position for each row, drawn from that row's probabilities; one of probability 0 is never drawn."""
    cumulative = probabilities.cumsum(axis=1)
    passed = cumulative <= generator.random((len(cumulative), 1)) * cumulative[:, -1:]
    return np.count_nonzero(passed, axis=1)


def draw(probabilities: Floats, generator: np.random.Generator) -> int:
    """A position drawn from these probabilities."""
    return int(draw_many(probabilities.cumsum(), 1, generator)[0])
