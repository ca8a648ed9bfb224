"""Competitive pairs: items on which the rankers disagree compete side by side, in an order that a coin decides."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from pipelines.experimentation.interleaving.rankings import Credit, Interleaved, Side, checked, checked_clicks

Round = tuple[str] | tuple[str, str]
"""The item that both rankers pick next, or a's pick and b's."""


@dataclass(frozen=True, slots=True)
class CompetitivePairs:
    """Team draft over competitive pairs (Zhang, Deng, Du, Gao, He, Katariya, KDD 2025, arXiv:2508.00751).

    Each round compares the rankers' best items not yet shown. If they are one item, it is shown and nobody is credited;
    otherwise both are shown, in an order that a fair coin decides, each for the ranker that picked it. A pair that the
    end of the list cuts shows the coin's pick alone, credited all the same.

    What has been shown after a round does not depend on its coin, so neither do the positions without credit. Turning
    every coin over hands each credited position, the cut one too, to the other ranker: for any set of positions
    clicked without regard to content, either side wins and gains alike. In team draft, on the contrary, the coins
    decide at which positions the next picks agree, and leaving those out is biased.
    """

    length: int | None = None
    """Items to show; by default as many as the shorter ranking has."""
    by_rank: bool = False
    """Weigh a pair by how far the rankers disagree on it, so that neighbours swapped count little.

    With 1 / rank as an item's worth, 0 beyond the list's end, it is the mean over both rankers of what they put their
    own item above the other's: over 0 and at most 1. Source of the worth: inverse rank credit in Radlinski and
    Craswell, "Optimized Interleaving for Online Retrieval Evaluation" (WSDM 2013). No coin changes a pair's weight, so
    what is said above holds for both.
    """

    def draw(self, a: Sequence[str], b: Sequence[str], generator: np.random.Generator) -> Interleaved:
        """One fair coin per pair from `generator`, which is drawn from as often whatever the rankings are."""
        a, b, length = checked(a, b, self.length)
        coins = generator.random((length + 1) // 2) < 0.5
        return _shown(a, b, _rounds(a, b, length), length, tuple("a" if heads else "b" for heads in coins))

    def outcomes(self, a: Sequence[str], b: Sequence[str]) -> list[tuple[Interleaved, Fraction]]:
        """One outcome for each sequence of the pairs' coins; equal rankings still have their first coin."""
        a, b, length = checked(a, b, self.length)
        rounds = _rounds(a, b, length)
        pairs = max(1, sum(len(picks) == 2 for picks in rounds))
        coins = [tuple[Side, ...]("a" if code >> i & 1 else "b" for i in range(pairs)) for code in range(2**pairs)]
        return [(_shown(a, b, rounds, length, sides), Fraction(1, 2**pairs)) for sides in coins]

    def credit(self, shown: Interleaved, clicks: Iterable[int]) -> Credit:
        """One for each click on an item of a pair, or the pair's weight, to the ranker that picked it."""
        positions = checked_clicks(shown, clicks)
        weights = _weights(shown) if self.by_rank else [1.0] * len(shown.items)
        credit: dict[Side | None, float] = {"a": 0.0, "b": 0.0, None: 0.0}
        for position in positions:
            credit[shown.teams[position]] += weights[position]
        return Credit(credit["a"], credit["b"])


def _rounds(a: tuple[str, ...], b: tuple[str, ...], length: int) -> list[Round]:
    """What is picked in each round until `length` is reached; the last pair may lie beyond it by one item."""
    rounds: list[Round] = []
    taken: set[str] = set()
    from_a = from_b = 0
    while len(taken) < length:
        while a[from_a] in taken:
            from_a += 1
        while b[from_b] in taken:
            from_b += 1
        pick_a, pick_b = a[from_a], b[from_b]
        rounds.append((pick_a,) if pick_a == pick_b else (pick_a, pick_b))
        taken |= {pick_a, pick_b}
    return rounds


def _shown(
    a: tuple[str, ...], b: tuple[str, ...], rounds: list[Round], length: int, coins: tuple[Side, ...]
) -> Interleaved:
    items: list[str] = []
    teams: list[Side | None] = []
    falls = iter(coins)
    for picks in rounds:
        if len(picks) == 1:
            items.append(picks[0])
            teams.append(None)
        elif next(falls) == "a":
            items += picks
            teams += ("a", "b")
        else:
            items += picks[::-1]
            teams += ("b", "a")
    return Interleaved(tuple(items[:length]), a, b, coins[0], tuple(teams[:length]))


def _weights(shown: Interleaved) -> list[float]:
    """Of each position; 0 where both rankers picked the same item."""
    length = len(shown.items)
    worth_a, worth_b = (
        {item: 1 / place for place, item in enumerate(ranking[:length], start=1)} for ranking in (shown.a, shown.b)
    )
    weights: list[float] = []
    for picks in _rounds(shown.a, shown.b, length):
        of_a, of_b = picks[0], picks[-1]
        above_in_a = worth_a.get(of_a, 0.0) - worth_a.get(of_b, 0.0)
        above_in_b = worth_b.get(of_b, 0.0) - worth_b.get(of_a, 0.0)
        weights += [(above_in_a + above_in_b) / 2] * len(picks)
    return weights[:length]
