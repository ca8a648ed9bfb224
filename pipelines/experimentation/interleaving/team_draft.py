"""Team draft: the rankers pick in turn like captains choosing teams, a coin decides who begins each round."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from pipelines.experimentation.interleaving.rankings import Credit, Interleaved, Side, checked, checked_clicks


@dataclass(frozen=True, slots=True)
class TeamDraft:
    """Team-draft interleaving (Radlinski, Kurup, Joachims, CIKM 2008).

    Every position belongs to either team with probability one half whatever the rankings are, so users who click
    without regard to content favour neither side. Its known blind spot: two different rankings may tie in expectation
    when a better item is always handed to either team alike (Chapelle et al., TOIS 2012).
    """

    length: int | None = None
    """Items to show; by default as many as the shorter ranking has."""
    ignore_common_prefix: bool = False
    """Give no credit where both rankings agree from the top down: such clicks are a coin's noise. Off by default."""

    def draw(self, a: Sequence[str], b: Sequence[str], generator: np.random.Generator) -> Interleaved:
        """One fair coin per round, drawn from `generator`."""
        a, b, length = checked(a, b, self.length)
        coins = generator.random((length + 1) // 2) < 0.5
        return _draft(a, b, length, ("a" if heads else "b" for heads in coins))

    def outcomes(self, a: Sequence[str], b: Sequence[str]) -> list[tuple[Interleaved, Fraction]]:
        """One outcome for each sequence of coins."""
        a, b, length = checked(a, b, self.length)
        rounds = (length + 1) // 2
        return [
            (_draft(a, b, length, ("a" if code >> i & 1 else "b" for i in range(rounds))), Fraction(1, 2**rounds))
            for code in range(2**rounds)
        ]

    def credit(self, shown: Interleaved, clicks: Iterable[int]) -> Credit:
        """One for each click, to the team that supplied the item."""
        positions = checked_clicks(shown, clicks)
        if self.ignore_common_prefix:
            prefix = _common_prefix(shown)
            positions = [position for position in positions if position >= prefix]
        won = sum(shown.teams[position] == "a" for position in positions)
        return Credit(float(won), float(len(positions) - won))


def _draft(a: tuple[str, ...], b: tuple[str, ...], length: int, coins: Iterator[Side]) -> Interleaved:
    items: list[str] = []
    teams: list[Side] = []
    taken: set[str] = set()
    nexts = {"a": iter(a), "b": iter(b)}
    side: Side = "a"
    for position in range(length):
        side = next(coins) if position % 2 == 0 else _other(side)
        item = next(item for item in nexts[side] if item not in taken)
        taken.add(item)
        items.append(item)
        teams.append(side)
    return Interleaved(tuple(items), a, b, teams[0], tuple(teams))


def _other(side: Side) -> Side:
    return "b" if side == "a" else "a"


def _common_prefix(shown: Interleaved) -> int:
    pairs = enumerate(zip(shown.a, shown.b, strict=False))
    return next((rank for rank, (x, y) in pairs if x != y), min(len(shown.a), len(shown.b)))
