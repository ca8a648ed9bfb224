"""Intervals around an estimate: normal, bootstrap, and one that holds at every sample size."""

from enum import StrEnum
from math import inf, log, sqrt

import numpy as np
from scipy import stats

from pipelines.experimentation.offpolicy.scores import Scores

_RESAMPLES = 1000


class Interval(StrEnum):
    """How uncertainty is stated; declare it with the target, before looking."""

    NORMAL = "normal"
    """Estimate plus and minus standard errors (delta method for SNIPS). Good when the effective sample is large."""
    BOOTSTRAP = "bootstrap"
    """Percentiles of 1000 resamples of rows."""
    BERNSTEIN = "bernstein"
    """Empirical Bernstein bound (Maurer and Pontil, COLT 2009): wide, holds at every sample size, needs limits."""


def normal(scores: Scores, level: float) -> tuple[float, float]:
    """Infinite for one row."""
    rows = len(scores.numerator)
    if rows < 2:
        return -inf, inf
    half = float(stats.norm.ppf((1 + level) / 2)) * float(scores.influence.std(ddof=1)) / sqrt(rows)
    return scores.value - half, scores.value + half


def bootstrap(scores: Scores, level: float, seed: int) -> tuple[float, float]:
    """Resamples without any weight are left out: they say nothing of the ratio."""
    generator = np.random.default_rng(seed)
    rows = len(scores.numerator)
    values: list[float] = []
    for _ in range(_RESAMPLES):
        drawn = generator.integers(rows, size=rows)
        total = float(scores.denominator[drawn].sum())
        if total > 0:
            values.append(float(scores.numerator[drawn].sum()) / total)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bernstein(scores: Scores, level: float, span: float) -> tuple[float, float]:
    """For scores that lie in an interval of length `span` known beforehand, two-sided.

    Theorem 4 of Maurer and Pontil for either side at half the error d:
    sqrt(2 V ln(4/d) / n) + 7 span ln(4/d) / (3 (n - 1)).
    """
    rows = len(scores.numerator)
    if rows < 2:
        return -inf, inf
    logarithm = log(4 / (1 - level))
    half = sqrt(2 * float(scores.numerator.var(ddof=1)) * logarithm / rows) + 7 * span * logarithm / (3 * (rows - 1))
    return scores.value - half, scores.value + half
