"""Which ranker users prefer: outcomes summed by user, one declared test, and checks on the coin first."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import inf, isfinite, sqrt

import numpy as np
from scipy import stats

from pipelines.experimentation.interleaving.rankings import Credit, InterleavingError, Side

COIN_LEVEL = 1e-4
"""A coin that a fair one would match less often than this is reported as biased: a broken set-up, not a finding."""


class PreferenceTest(StrEnum):
    """How the preference is tested; declare it before the first impression."""

    SIGN = "sign"
    """Exact binomial test on users who prefer one side. No assumption on credits."""
    MEAN = "mean"
    """t-test on the users' mean credit difference: uses magnitudes, needs some dozens of users."""
    TOTAL = "total"
    """t-test on the users' summed credit difference: who comes often counts more; needs more users than the mean."""


class Flag(StrEnum):
    """What keeps a preference from being believed."""

    COIN_BIASED = "coin_biased"
    """One side began too often, over all impressions or within queries: the test is not valid."""
    NO_PREFERENCES = "no_preferences"
    """No user's clicks favoured a side."""
    FEW_USERS = "few_users"
    """Fewer than 30 users who prefer a side."""
    NO_VARIANCE = "no_variance"
    """All users' differences are equal, so the mean test has no spread to judge by and reports a p-value of 1."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The credit of one impression."""

    impression: str
    user: str
    query: str
    first: Side
    credit: Credit


@dataclass(frozen=True, slots=True)
class Preference:
    """What the outcomes say. The interval and the p-value belong to the declared test, over users."""

    users: int
    impressions: int
    wins_a: int
    wins_b: int
    ties: int
    share_a: float
    """Users preferring a plus half of the ties, over all users: .5 for equal rankers."""
    mean_difference: float
    """Mean over users of their mean credit difference per impression, positive for a."""
    interval: tuple[float, float]
    """95 %. `sign`: a's share among users who prefer a side (Clopper-Pearson); the others: the mean over users."""
    p_value: float
    test: PreferenceTest
    coin_p_value: float
    """Smaller of the two coin checks, doubled for having made two."""
    flags: frozenset[Flag]

    @property
    def valid(self) -> bool:
        """Whether the coin was fair, as far as the impressions tell."""
        return Flag.COIN_BIASED not in self.flags


def prefer(outcomes: Iterable[Outcome], test: PreferenceTest = PreferenceTest.SIGN) -> Preference:
    """Aggregate to one difference per user and test it against no preference.

    Users, not impressions, are independent, so a heavy user counts once. Raises InterleavingError for no outcomes, an
    impression twice, or a credit that is not a finite non-negative number.
    """
    outcomes = _checked(outcomes)
    by_user: dict[str, list[float]] = defaultdict(list)
    for outcome in outcomes:
        by_user[outcome.user].append(outcome.credit.difference)
    differences = np.array([float(np.mean(values)) for values in by_user.values()])
    totals = np.array([float(np.sum(values)) for values in by_user.values()])
    tested = totals if test is PreferenceTest.TOTAL else differences
    # Marginalised credits are sums of quotients: a tie is a tie up to rounding.
    wins_a, wins_b = int(np.sum(differences > 1e-9)), int(np.sum(differences < -1e-9))
    ties = len(differences) - wins_a - wins_b
    p_value, interval = _sign(wins_a, wins_b) if test is PreferenceTest.SIGN else _mean(tested)
    coin = coin_p_value((outcome.query, outcome.first) for outcome in outcomes)
    flags = {
        Flag.COIN_BIASED: coin < COIN_LEVEL,
        Flag.NO_PREFERENCES: wins_a + wins_b == 0,
        Flag.FEW_USERS: wins_a + wins_b < 30,
        Flag.NO_VARIANCE: test is not PreferenceTest.SIGN and bool(np.ptp(tested) == 0),
    }
    return Preference(
        users=len(differences),
        impressions=len(outcomes),
        wins_a=wins_a,
        wins_b=wins_b,
        ties=ties,
        share_a=(wins_a + ties / 2) / len(differences),
        mean_difference=float(differences.mean()),
        interval=interval,
        p_value=p_value,
        test=test,
        coin_p_value=coin,
        flags=frozenset(flag for flag, raised in flags.items() if raised),
    )


def _checked(outcomes: Iterable[Outcome]) -> list[Outcome]:
    outcomes = list(outcomes)
    if not outcomes:
        raise InterleavingError("outcomes: got none; a preference needs at least one impression")
    seen: set[str] = set()
    for outcome in outcomes:
        if outcome.impression in seen:
            raise InterleavingError(f"outcome: impression {outcome.impression!r} was given twice")
        seen.add(outcome.impression)
        if not all(isfinite(value) and value >= 0 for value in outcome.credit):
            credit = tuple(outcome.credit)
            raise InterleavingError(
                f"outcome of {outcome.impression!r}: credit must be finite and not negative, got {credit}"
            )
    return outcomes


def _sign(wins_a: int, wins_b: int) -> tuple[float, tuple[float, float]]:
    if wins_a + wins_b == 0:
        return 1.0, (0.0, 1.0)
    result = stats.binomtest(wins_a, wins_a + wins_b)
    interval = result.proportion_ci()
    return float(result.pvalue), (float(interval.low), float(interval.high))


def _mean(differences: np.ndarray) -> tuple[float, tuple[float, float]]:
    users = len(differences)
    mean = float(differences.mean())
    if np.ptp(differences) == 0:
        return 1.0, (-inf, inf)
    error = float(differences.std(ddof=1)) / sqrt(users)
    half = float(stats.t.ppf(0.975, users - 1)) * error
    return float(2 * stats.t.sf(abs(mean) / error, users - 1)), (mean - half, mean + half)


def coin_p_value(impressions: Iterable[tuple[str, Side]]) -> float:
    """Of a fair coin, from each impression's query and the side that began; 1 without impressions.

    Over all impressions an exact binomial test; within queries, a sum of squares against chi-square. The second finds a
    coin that is fixed per query yet fair over all. With n impressions of a query the square has mean 1 and variance
    2 - 2/n, so chi-square with one degree each errs on the quiet side. The smaller p-value is doubled.
    """
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for query, first in impressions:
        counts[query][first == "a"] += 1
    if not counts:
        return 1.0
    began, total = sum(pair[1] for pair in counts.values()), sum(map(sum, counts.values()))
    overall = float(stats.binomtest(began, total).pvalue)
    repeated = [pair for pair in counts.values() if sum(pair) > 1]
    squares = sum((pair[1] - pair[0]) ** 2 / sum(pair) for pair in repeated)
    within = float(stats.chi2.sf(squares, len(repeated))) if repeated else 1.0
    return min(1.0, 2 * min(overall, within))
