"""What a policy remembers: how fast the past is forgotten, and the sums over rewards that remain."""

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.experimentation.bandits.errors import BanditError

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

# A discounted count that falls on to the smallest floats stays there, and so does its sum: their ratio is no mean.
_FADED = 1e-100


@dataclass(frozen=True, slots=True)
class Memory:
    """How much of the past counts: all of it by default.

    Discounting and sliding windows for changing rewards are those of Garivier and Moulines (ALT 2011). Time is counted
    in observed rewards, whichever arm they are of.
    """

    discount: float = 1.0
    """Each new reward multiplies the weight of all earlier ones by this; about 1 / (1 - discount) rewards count."""
    window: int | None = None
    """Only this many latest rewards count; None for no limit."""

    def __post_init__(self) -> None:
        if not 0 < self.discount <= 1:
            raise BanditError(f"discount: must be above 0 and at most 1, got {self.discount}")
        if self.window is not None and self.window < 1:
            raise BanditError(f"window: must be at least 1, got {self.window}")
        if self.window is not None and self.discount < 1:
            raise BanditError("memory: takes a discount or a window, got both; leave one out")

    @property
    def forgets(self) -> bool:
        """Whether anything is ever forgotten."""
        return self.discount < 1 or self.window is not None


class ArmStatistics:
    """Weighted count and sum of rewards of each arm."""

    def __init__(self, arms: int, memory: Memory) -> None:
        self.counts: Floats = np.zeros(arms)
        self.sums: Floats = np.zeros(arms)
        self._memory = memory
        self._recent: deque[tuple[int, float]] = deque()
        self._since_rebuilt = 0

    def add(self, arm: int, reward: float) -> None:
        """Count one reward and forget what is due."""
        if self._memory.discount < 1:
            self.counts *= self._memory.discount
            self.sums *= self._memory.discount
            faded = self.counts < _FADED
            self.counts[faded] = self.sums[faded] = 0.0
        self.counts[arm] += 1
        self.sums[arm] += reward
        if self._memory.window is not None:
            self._recent.append((arm, reward))
            self._slide(self._memory.window)

    def add_many(self, arms: Integers, rewards: Floats) -> None:
        """Count rewards of which none is ever forgotten."""
        self.counts += np.bincount(arms, minlength=len(self.counts))
        self.sums += np.bincount(arms, rewards, minlength=len(self.sums))

    def _slide(self, window: int) -> None:
        if len(self._recent) > window:
            arm, reward = self._recent.popleft()
            self.counts[arm] -= 1
            self.sums[arm] -= reward
        self._since_rebuilt += 1
        if self._since_rebuilt > window:
            # Adding and subtracting leaves rounding behind; starting over once per window keeps it from growing.
            self._since_rebuilt = 0
            self.counts[:] = 0
            self.sums[:] = 0
            for arm, reward in self._recent:
                self.counts[arm] += 1
                self.sums[arm] += reward

    def state(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "counts": self.counts.tolist(),
            "sums": self.sums.tolist(),
            "recent": [list(entry) for entry in self._recent],
            "since_rebuilt": self._since_rebuilt,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state()`."""
        self.counts = np.array(state["counts"], dtype=np.float64)
        self.sums = np.array(state["sums"], dtype=np.float64)
        self._recent = deque((int(arm), float(reward)) for arm, reward in state["recent"])
        self._since_rebuilt = int(state["since_rebuilt"])
