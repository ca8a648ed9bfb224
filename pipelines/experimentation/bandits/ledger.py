"""Which decisions wait for their reward."""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import numpy as np

from pipelines.experimentation.bandits.errors import BanditError
from pipelines.experimentation.bandits.memory import Floats, Integers


class Ledger:
    """Numbers decisions from 0 and lets each be rewarded once."""

    def __init__(self) -> None:
        self._next = 0
        # Arm of each decision without a reward, oldest first; contexts apart, for most bandits have none.
        self._arms: dict[int, int] = {}
        self._contexts: dict[int, Floats] = {}

    @property
    def outstanding(self) -> tuple[int, ...]:
        """Decisions without a reward, oldest first."""
        return tuple(self._arms)

    def open(self, arm: int) -> int:
        """Note a decision; returns its id."""
        number = self._next
        self._next = number + 1
        self._arms[number] = arm
        return number

    def open_for(self, arm: int, context: Floats) -> int:
        """Note a decision made for a context; returns its id."""
        self._contexts[self._next] = context
        return self.open(arm)

    def open_many(self, arms: Integers, contexts: Floats | None) -> int:
        """Note decisions; returns the first id of a run without gaps."""
        first = self._next
        self._next = first + len(arms)
        self._arms.update(zip(range(first, self._next), arms.tolist(), strict=True))
        if contexts is not None:
            self._contexts.update(zip(range(first, self._next), contexts, strict=True))
        return first

    def settle(self, decision: int) -> tuple[int, Floats | None]:
        """Arm and context of a decision, closed now. Raises BanditError for one that is not open."""
        arm = self._arms.pop(decision, None)
        if arm is None:
            raise BanditError(self._not_open(decision))
        return arm, self._contexts.pop(decision, None)

    def settle_many(self, decisions: Sequence[int]) -> tuple[Integers, Floats | None]:
        """Arms and contexts of decisions, closed now. When one of them is refused, none is closed."""
        different = set(decisions)
        if len(different) != len(decisions) or not self._arms.keys() >= different:
            raise BanditError(self._first_refused(decisions))
        arms = np.fromiter(map(self._arms.pop, decisions), dtype=np.intp, count=len(decisions))
        if not self._contexts or not len(decisions):
            return arms, None
        return arms, np.array([self._contexts.pop(decision) for decision in decisions])

    def expire(self, before: int) -> list[int]:
        """Forget open decisions with an id below `before`; returns them."""
        expired = list(takewhile(lambda decision: decision < before, self._arms))
        for decision in expired:
            del self._arms[decision]
            self._contexts.pop(decision, None)
        return expired

    def state(self) -> dict[str, Any]:
        """As JSON."""
        pending = [[number, arm, listed(self._contexts.get(number))] for number, arm in self._arms.items()]
        return {"next": self._next, "pending": pending}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state()`."""
        self._next = int(state["next"])
        self._arms = {int(number): int(arm) for number, arm, _ in state["pending"]}
        self._contexts = {
            int(number): np.array(context, dtype=np.float64)
            for number, _, context in state["pending"]
            if context is not None
        }

    def _first_refused(self, decisions: Sequence[int]) -> str:
        seen: set[int] = set()
        for decision in decisions:
            if decision in seen:
                return f"reward of decision {decision}: it is given twice"
            if decision not in self._arms:
                return self._not_open(decision)
            seen.add(decision)
        raise AssertionError("every decision is open and different")

    def _not_open(self, decision: int) -> str:
        made = 0 <= decision < self._next
        return f"reward of decision {decision}: " + (
            "it was rewarded or expired before" if made else "no such decision was made"
        )


def listed(context: Floats | None) -> list[float] | None:
    """A context as JSON."""
    return None if context is None else context.tolist()
