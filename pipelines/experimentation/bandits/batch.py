"""Which rewards wait to be learnt."""

from typing import Any

import numpy as np

from pipelines.experimentation.bandits.ledger import listed
from pipelines.experimentation.bandits.memory import Floats, Integers


class Batch:
    """Rewards that wait to be learnt together, in the order of arrival."""

    def __init__(self) -> None:
        self._arms: list[int] = []
        self._values: list[float] = []
        self._contexts: list[Floats] = []

    def __len__(self) -> int:
        return len(self._arms)

    def add(self, arm: int, value: float, context: Floats | None) -> None:
        """Let one more wait."""
        self._arms.append(arm)
        self._values.append(value)
        if context is not None:
            self._contexts.append(context)

    def add_many(self, arms: Integers, values: Floats, contexts: Floats | None) -> None:
        """Let more of them wait."""
        self._arms.extend(arms.tolist())
        self._values.extend(values.tolist())
        if contexts is not None:
            self._contexts.extend(contexts)

    def take(self, count: int) -> tuple[Integers, Floats, Floats | None]:
        """Arms, values and contexts of those that have waited longest."""
        arms, values = np.array(self._arms[:count], dtype=np.intp), np.array(self._values[:count])
        contexts = np.array(self._contexts[:count]) if self._contexts else None
        del self._arms[:count], self._values[:count], self._contexts[:count]
        return arms, values, contexts

    def state(self) -> list[list[Any]]:
        """As JSON."""
        contexts = self._contexts or [None] * len(self)
        return [
            [arm, value, listed(context)]
            for arm, value, context in zip(self._arms, self._values, contexts, strict=True)
        ]

    def restore(self, state: list[list[Any]]) -> None:
        """Continue from `state()`; of a batch still empty."""
        for arm, value, context in state:
            self.add(int(arm), float(value), None if context is None else np.array(context, dtype=np.float64))
