"""Balanced interleaving: one coin decides who leads, then both rankings are merged as evenly as they allow."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf

import numpy as np

from pipelines.experimentation.interleaving.rankings import Credit, Interleaved, Side, checked, checked_clicks


@dataclass(frozen=True, slots=True)
class Balanced:
    """Balanced interleaving (Joachims, 2002 and 2003), credited as Radlinski, Kurup and Joachims do (CIKM 2008).

    Exchangeable rankers win half the time, but for some *pairs of lists* users who click at random favour one side
    (one list being the other shifted by a place): `bias_under_blind_clicks` computes by how much. Prefer team draft
    unless the lists are known not to be of that kind.
    """

    length: int | None = None
    """Items to show; by default as many as the shorter ranking has."""

    def draw(self, a: Sequence[str], b: Sequence[str], generator: np.random.Generator) -> Interleaved:
        """One fair coin per list, drawn from `generator`."""
        a, b, length = checked(a, b, self.length)
        return _merge(a, b, length, "a" if generator.random() < 0.5 else "b")

    def outcomes(self, a: Sequence[str], b: Sequence[str]) -> list[tuple[Interleaved, Fraction]]:
        """One outcome for either side of the coin."""
        a, b, length = checked(a, b, self.length)
        return [(_merge(a, b, length, "a"), Fraction(1, 2)), (_merge(a, b, length, "b"), Fraction(1, 2))]

    def credit(self, shown: Interleaved, clicks: Iterable[int]) -> Credit:
        """Clicks within the top k of each ranking, k being the depth at which one of them had the lowest click."""
        positions = checked_clicks(shown, clicks)
        if not positions:
            return Credit(0.0, 0.0)
        lowest = shown.items[positions[-1]]
        depth = int(min(_rank(shown.a, lowest), _rank(shown.b, lowest)))
        clicked = {shown.items[position] for position in positions}
        return Credit(float(len(clicked & set(shown.a[:depth]))), float(len(clicked & set(shown.b[:depth]))))


def _merge(a: tuple[str, ...], b: tuple[str, ...], length: int, first: Side) -> Interleaved:
    items: list[str] = []
    taken: set[str] = set()
    from_a = from_b = 0
    while len(items) < length:
        if from_a < from_b or (from_a == from_b and first == "a"):
            item, from_a = a[from_a], from_a + 1
        else:
            item, from_b = b[from_b], from_b + 1
        if item not in taken:
            taken.add(item)
            items.append(item)
    return Interleaved(tuple(items), a, b, first, ())


def _rank(ranking: tuple[str, ...], item: str) -> float:
    """Rank from 1; infinite for an item that the ranking lacks."""
    return ranking.index(item) + 1 if item in ranking else inf
