"""What every interleaving method takes and returns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple, Protocol

import numpy as np

Side = Literal["a", "b"]


class InterleavingError(ValueError):
    """A ranking, click or outcome that cannot be used; the sentence says which and what is allowed."""


class Credit(NamedTuple):
    """What the clicks on one list are worth to each ranker; only the difference is compared."""

    a: float
    b: float

    @property
    def difference(self) -> float:
        """Positive when the clicks favour ranker a."""
        return self.a - self.b


@dataclass(frozen=True, slots=True)
class Interleaved:
    """One list as shown, with all that crediting its clicks needs later."""

    items: tuple[str, ...]
    a: tuple[str, ...]
    b: tuple[str, ...]
    first: Side
    """The side that the first coin let choose."""
    teams: tuple[Side | None, ...]
    """Which side supplied each position, None for neither; empty where the method credits by rank instead."""


class Interleaver(Protocol):
    """A method of interleaving. Each is a value: it holds settings and no state."""

    def draw(self, a: Sequence[str], b: Sequence[str], generator: np.random.Generator) -> Interleaved:
        """The list to show for these two rankings, best first."""
        ...

    def outcomes(self, a: Sequence[str], b: Sequence[str]) -> list[tuple[Interleaved, Fraction]]:
        """Every list that `draw` can return with its exact probability; exponential in the length."""
        ...

    def credit(self, shown: Interleaved, clicks: Iterable[int]) -> Credit:
        """The credit for clicks at these positions (0 is the top)."""
        ...


def checked(a: Sequence[str], b: Sequence[str], length: int | None) -> tuple[tuple[str, ...], tuple[str, ...], int]:
    """Both rankings as tuples and the length to show: by default that of the shorter ranking.

    A list longer than the shorter ranking would have to be filled by one side alone, which favours that side under
    every click model, so it is refused.
    """
    for name, ranking in (("a", a), ("b", b)):
        if isinstance(ranking, str):
            raise InterleavingError(f"ranking {name}: must be a sequence of item ids, got the string {ranking!r}")
        if not ranking:
            raise InterleavingError(f"ranking {name}: must hold at least one item, got none; show the other list alone")
        if len(set(ranking)) != len(ranking):
            raise InterleavingError(f"ranking {name}: an item may appear once, got {_repeated(ranking)!r} twice")
    shorter = min(len(a), len(b))
    if length is not None and not 1 <= length <= shorter:
        raise InterleavingError(
            f"length: must be between 1 and {shorter} (the shorter of the two rankings), got {length}; "
            "ask both rankers for at least that many items"
        )
    return tuple(a), tuple(b), length or shorter


def checked_clicks(shown: Interleaved, clicks: Iterable[int]) -> list[int]:
    """The distinct clicked positions in order: a second click on the same result says nothing new."""
    positions = sorted(set(clicks))
    for position in positions:
        if not 0 <= position < len(shown.items):
            raise InterleavingError(f"click: position must be between 0 and {len(shown.items) - 1}, got {position}")
    return positions


def _repeated(ranking: Sequence[str]) -> str:
    seen: set[str] = set()
    return next(item for item in ranking if item in seen or seen.add(item))
