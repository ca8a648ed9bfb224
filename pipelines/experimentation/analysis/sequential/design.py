"""Group-sequential designs: power, information needed, futility, and inference after stopping."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtri

from pipelines.experimentation.analysis.sequential import recursion
from pipelines.experimentation.analysis.sequential.boundaries import Boundaries, Sides, boundaries
from pipelines.experimentation.analysis.sequential.spending import Spending
from pipelines.experimentation.errors import ExperimentError

Array = NDArray[np.float64]


def power(design: Boundaries, drift: float) -> float:
    """Probability of crossing the upper boundary when Z at information fraction 1 has mean `drift`."""
    return float(recursion.crossing(design.fractions, design.lower, design.upper, drift).upper.sum())


def expected_fraction(design: Boundaries, drift: float) -> float:
    """Mean information fraction at which the test stops."""
    crossed = recursion.crossing(design.fractions, design.lower, design.upper, drift)
    stops = crossed.upper + crossed.lower
    stops[-1] += 1 - stops.sum()
    return float(stops @ design.fractions)


def drift_for(design: Boundaries, wanted_power: float) -> float:
    """Mean of Z at full information that gives `wanted_power`; its square over effect² is the information needed."""
    if not 0 < wanted_power < 1:
        raise ExperimentError(f"power must lie between 0 and 1, got {wanted_power}")
    return float(brentq(lambda drift: power(design, drift) - wanted_power, 0.0, 20.0, xtol=1e-10))


def inflation(design: Boundaries, level: float, wanted_power: float, sides: Sides) -> float:
    """Information needed over that of a fixed test with the same level and power."""
    fixed = -float(ndtri(level / 2 if sides == "two" else level)) + float(ndtri(wanted_power))
    return (drift_for(design, wanted_power) / fixed) ** 2


def with_futility(
    fractions: Sequence[float],
    level: float,
    spending: Spending,
    futility: Spending,
    wanted_power: float,
    sides: Sides = "upper",
) -> tuple[Boundaries, float]:
    """Design with a non-binding futility boundary in `lower`, and the drift at which it has `wanted_power`.

    The efficacy boundary ignores futility, so the level holds even if the team goes on in spite of it. The futility
    boundary spends the type II error by `futility` under the drift, which is found so that the two boundaries meet at
    the last look. Raises ExperimentError where no drift does, the error being spent too early.
    """
    efficacy = boundaries(fractions, level, spending, sides)

    def gap(drift: float) -> float:
        return float(futility_boundary(efficacy, futility, 1 - wanted_power, drift)[-1] - efficacy.upper[-1])

    start = drift_for(efficacy, wanted_power)
    if not gap(0.8 * start) < 0 < gap(2.0 * start):
        raise ExperimentError(
            f"futility: {futility.kind} spends so much error so early that four times the data would not make up for "
            "it; spend later, such as by kim-demets with a larger rho"
        )
    drift = float(brentq(gap, 0.8 * start, 2.0 * start, xtol=1e-10))
    lower = np.minimum(futility_boundary(efficacy, futility, 1 - wanted_power, drift), efficacy.upper)
    lower[-1] = efficacy.upper[-1]
    return Boundaries(efficacy.fractions, efficacy.upper, lower, efficacy.spent), drift


def futility_boundary(efficacy: Boundaries, futility: Spending, error: float, drift: float) -> Array:
    """The z at and below which each look is futile: by then `futility` has spent its share of the type II `error`.

    `drift` is the mean of Z at information fraction 1 that must not be missed; looks may lie anywhere up to there. The
    last value is not held below the efficacy boundary, which a path that goes on must lie under.
    """
    state, t = recursion.start(drift), efficacy.fractions
    spent = np.diff(futility.spent(t, error), prepend=0.0)
    lower = np.empty(len(t))
    for k, information in enumerate(t):
        lower[k] = _below_with(state, information, float(spent[k]))
        if k + 1 < len(t):
            lower[k] = min(lower[k], efficacy.upper[k])
            stop = max(float(lower[k]), float(efficacy.lower[k]))
            state = recursion.advance(state, information, stop, efficacy.upper[k], t[k + 1])
    return lower


def _below_with(state: recursion.State, information: float, probability: float) -> float:
    if probability <= 1e-16:
        return -np.inf
    if state.remaining <= probability:
        return np.inf
    centre = state.drift * np.sqrt(information)
    return float(
        brentq(
            lambda z: recursion.lower_tail(state, information, z)[0] - probability,
            centre - recursion.FAR,
            centre + recursion.FAR,
            xtol=1e-12,
        )
    )


@dataclass(frozen=True)
class Stopped:
    """Inference at the look where the test stopped, on the scale of the effect."""

    estimate: float
    """Median-unbiased estimate."""
    low: float
    high: float
    p_value: float


def after_stopping(
    information: Sequence[float], design: Boundaries, z: float, confidence: float, sides: Sides = "two"
) -> Stopped:
    """p-value, confidence interval and median-unbiased estimate by the stagewise ordering of the sample space.

    `information` holds I_1…I_k of the looks made, 1 / variance of the effect's estimate, and `z` is the last
    statistic; the first k entries of `design` are the boundaries used. Earlier stops count as more extreme, whatever
    z (Tsiatis, Rosner & Mehta 1984; Jennison & Turnbull 2000, § 8.4), so nothing after the stop matters. The naive
    estimate would be biased away from 0.
    """
    levels = np.asarray(information, dtype=float)
    k = len(levels)
    upper, lower = design.upper[:k], design.lower[:k]

    def tail(effect: float) -> float:
        """Probability of an outcome at least as far up as the one observed, under `effect`."""
        above = np.append(upper[:-1], z)
        below = np.append(lower[:-1], -np.inf)
        return float(recursion.crossing(levels, below, above, effect).upper.sum())

    unit = 1 / float(np.sqrt(levels[-1]))
    centre, reach = z * unit, (recursion.FAR - 1) * unit

    def solve(probability: float) -> float:
        low, high = centre - reach, centre + reach
        if tail(low) >= probability:
            return low
        return high if tail(high) <= probability else float(brentq(lambda e: tail(e) - probability, low, high))

    above = tail(0.0)
    p_value = min(1.0, 2 * min(above, 1 - above)) if sides == "two" else above
    half = (1 - confidence) / 2
    return Stopped(solve(0.5), solve(half), solve(1 - half), p_value)
