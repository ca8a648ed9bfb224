"""Exact checks of a method on a pair of rankings, by enumerating what it can show."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from pipelines.experimentation.interleaving.rankings import Interleaver


@dataclass(frozen=True, slots=True)
class Bias:
    """Expected preference of users who click without regard to content."""

    wins: tuple[float, ...]
    """Entry k-1: P(a wins) - P(b wins) when k distinct positions, any set alike, are clicked."""
    credit: tuple[float, ...]
    """Entry k-1: expected credit of a less that of b for the same clicks."""


def allowed_rankings(method: Interleaver, a: Sequence[str], b: Sequence[str]) -> dict[tuple[str, ...], Fraction]:
    """Every list that the method can show for these rankings, with its exact probability."""
    rankings: dict[tuple[str, ...], Fraction] = {}
    for shown, probability in method.outcomes(a, b):
        rankings[shown.items] = rankings.get(shown.items, Fraction(0)) + probability
    return rankings


def bias_under_blind_clicks(method: Interleaver, a: Sequence[str], b: Sequence[str]) -> Bias:
    """How far a user who clicks k random positions prefers one side; exponential in the length, so for short lists.

    Criterion of Radlinski and Craswell (WSDM 2013): a fair method gives 0 for every k,
    in wins where the sign test is used and in credit where the mean test is.
    """
    outcomes = method.outcomes(a, b)
    length = len(outcomes[0][0].items)
    wins: list[float] = []
    credit: list[float] = []
    for count in range(1, length + 1):
        sets = list(combinations(range(length), count))
        differences = [
            (float(probability) / len(sets), method.credit(shown, clicks).difference)
            for shown, probability in outcomes
            for clicks in sets
        ]
        wins.append(sum(weight * ((value > 1e-9) - (value < -1e-9)) for weight, value in differences))
        credit.append(sum(weight * value for weight, value in differences))
    return Bias(tuple(wins), tuple(credit))
