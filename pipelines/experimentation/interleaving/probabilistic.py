"""Probabilistic interleaving: both rankings become distributions over items, and every list is possible."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from pipelines.experimentation.interleaving.rankings import (
    Credit,
    Interleaved,
    InterleavingError,
    Side,
    checked,
    checked_clicks,
)


@dataclass(frozen=True, slots=True)
class Probabilistic:
    """Probabilistic interleaving with marginalised credit (Hofmann, Whiteson, de Rijke, CIKM 2011).

    An item at rank r is drawn with weight r**-decay among those left; a fair coin per position says from which ranking.
    A click's credit is shared by the probability, given the list, that either side supplied the item. The coins are
    independent of each other, so this is the expectation over all assignments that could have made the list.

    Credits are fair in expectation, not in sign: with unequal lists, clicks without regard to content can favour one
    side slightly more often and the other by slightly more. Test its outcomes by `PreferenceTest.MEAN`.
    """

    length: int | None = None
    """Items to show; by default as many as the shorter ranking has."""
    decay: int = 3
    """Exponent of the rank's weight, 3 in the paper; 0 would shuffle."""

    def __post_init__(self) -> None:
        if self.decay < 1:
            raise InterleavingError(f"decay: must be a whole number of at least 1, got {self.decay}")

    def draw(self, a: Sequence[str], b: Sequence[str], generator: np.random.Generator) -> Interleaved:
        """A coin and a draw per position from `generator`."""
        a, b, length = checked(a, b, self.length)
        weights: dict[Side, dict[str, float]] = {"a": self._floats(a), "b": self._floats(b)}
        items: list[str] = []
        teams: list[Side] = []
        for coin, draw in generator.random((length, 2)).tolist():
            side: Side = "a" if coin < 0.5 else "b"
            item = _pick(weights[side], draw)
            weights["a"].pop(item, None)
            weights["b"].pop(item, None)
            items.append(item)
            teams.append(side)
        return Interleaved(tuple(items), a, b, teams[0], tuple(teams))

    def outcomes(self, a: Sequence[str], b: Sequence[str]) -> list[tuple[Interleaved, Fraction]]:
        """One outcome for each list and each assignment that could have made it."""
        a, b, length = checked(a, b, self.length)
        weights: dict[Side, dict[str, Fraction]] = {"a": self._exact(a), "b": self._exact(b)}
        branches: list[tuple[tuple[str, ...], tuple[Side, ...], Fraction]] = [((), (), Fraction(1))]
        for _ in range(length):
            branches = [
                ((*items, item), (*teams, side), probability * share / 2)
                for items, teams, probability in branches
                for side, weight in weights.items()
                for item, share in _shares(weight, items).items()
            ]
        return [(Interleaved(items, a, b, teams[0], teams), probability) for items, teams, probability in branches]

    def credit(self, shown: Interleaved, clicks: Iterable[int]) -> Credit:
        """Each click is shared by the odds that either ranking supplied the item; the coin that fell is not used."""
        weights_a, weights_b = self._floats(shown.a), self._floats(shown.b)
        clicked = set(checked_clicks(shown, clicks))
        credit_a = credit_b = 0.0
        for position, item in enumerate(shown.items):
            if position in clicked:
                share_a = weights_a.get(item, 0.0) / sum(weights_a.values())
                share_b = weights_b.get(item, 0.0) / sum(weights_b.values())
                credit_a += share_a / (share_a + share_b)
                credit_b += share_b / (share_a + share_b)
            weights_a.pop(item, None)
            weights_b.pop(item, None)
        return Credit(credit_a, credit_b)

    def _floats(self, ranking: tuple[str, ...]) -> dict[str, float]:
        return {item: rank**-self.decay for rank, item in enumerate(ranking, start=1)}

    def _exact(self, ranking: tuple[str, ...]) -> dict[str, Fraction]:
        return {item: Fraction(1, rank**self.decay) for rank, item in enumerate(ranking, start=1)}


def _pick(weights: dict[str, float], draw: float) -> str:
    remaining = draw * sum(weights.values())
    for item, weight in weights.items():
        remaining -= weight
        if remaining < 0:
            return item
    return next(reversed(weights))  # rounding left a crumb beyond the last item


def _shares(weights: dict[str, Fraction], taken: tuple[str, ...]) -> dict[str, Fraction]:
    left = {item: weight for item, weight in weights.items() if item not in taken}
    total = sum(left.values())
    return {item: weight / total for item, weight in left.items()}
