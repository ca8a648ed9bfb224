"""What a bandit returns: one decision, or many of one call in columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

import numpy as np

from pipelines.experimentation.bandits.memory import Floats, Integers


class Decision(NamedTuple):
    """One decision as it must be logged for off-policy evaluation."""

    id: int
    """Counts up from 0 within one bandit."""
    arm: str
    probabilities: tuple[float, ...] | None
    """Probability of each arm, in the bandit's order; None when the bandit does not log propensities."""
    propensity: float | None
    """Probability of the arm that was played; the arm was drawn from these very probabilities."""
    propensity_error: float
    """Numerical error, as measured, of the probabilities as the policy defines them: 0 where they are closed forms."""
    context: tuple[float, ...] | None
    learned: int
    """Rewards that the policy had learnt from."""


@dataclass(frozen=True, slots=True, eq=False)
class Decisions(Sequence[Decision]):
    """Decisions of one call, with ids from `first` on; an index or a loop gives each as a `Decision`."""

    first: int
    choices: Integers
    """Position of each decision's arm in `names`, shape (decisions,)."""
    names: tuple[str, ...]
    probabilities: Floats | None
    """Shape (arms,) when all decisions share them, else (decisions, arms); None when not logged."""
    propensity_error: float
    """Largest over the decisions."""
    contexts: Floats | None
    """Shape (decisions, features)."""
    learned: int

    @classmethod
    def of(cls, made: Sequence[Decision], names: tuple[str, ...]) -> "Decisions":
        """Decisions made one after another with nothing learnt in between; at least one."""
        position = {name: arm for arm, name in enumerate(names)}
        return cls(
            made[0].id,
            np.array([position[decision.arm] for decision in made], dtype=np.intp),
            names,
            _rows([decision.probabilities for decision in made]),
            max(decision.propensity_error for decision in made),
            _rows([decision.context for decision in made]),
            made[0].learned,
        )

    @property
    def ids(self) -> range:
        """What `Bandit.reward_many` takes."""
        return range(self.first, self.first + len(self.choices))

    @property
    def arms(self) -> list[str]:
        """Name of each decision's arm."""
        names = self.names
        return [names[arm] for arm in self.choices.tolist()]

    @property
    def propensities(self) -> Floats | None:
        """Probability of each arm that was played, shape (decisions,)."""
        if self.probabilities is None:
            return None
        if self.probabilities.ndim == 1:
            return self.probabilities[self.choices]
        return np.take_along_axis(self.probabilities, self.choices[:, None], axis=1)[:, 0]

    def __len__(self) -> int:
        return len(self.choices)

    @overload
    def __getitem__(self, index: int) -> Decision: ...
    @overload
    def __getitem__(self, index: slice) -> list[Decision]: ...
    def __getitem__(self, index: int | slice) -> Decision | list[Decision]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        position = range(len(self))[index]
        arm = int(self.choices[position])
        probabilities = self.probabilities
        if probabilities is not None and probabilities.ndim == 2:
            probabilities = probabilities[position]
        logged = None if probabilities is None else tuple(probabilities.tolist())
        return Decision(
            self.first + position,
            self.names[arm],
            logged,
            None if logged is None else logged[arm],
            self.propensity_error,
            None if self.contexts is None else tuple(self.contexts[position].tolist()),
            self.learned,
        )

    def __iter__(self) -> Iterator[Decision]:
        return (self[position] for position in range(len(self)))


def _rows(values: Sequence[tuple[float, ...] | None]) -> Floats | None:
    return None if values[0] is None else np.array(values, dtype=np.float64)
