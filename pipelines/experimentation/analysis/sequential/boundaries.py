"""Boundaries on the Z scale that spend their error as a spending function allows."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtri

from pipelines.experimentation.analysis.sequential import recursion
from pipelines.experimentation.analysis.sequential.spending import Spending
from pipelines.experimentation.errors import ExperimentError

Array = NDArray[np.float64]
Sides = Literal["upper", "two"]
_NEVER = 8.5
# A boundary this far out is not crossed in practice (probability below 1e-17); infinity stands for it.


@dataclass(frozen=True)
class Boundaries:
    """Stop at look k when Z_k >= upper[k] (effect) or Z_k <= lower[k] (harm when two-sided, futility otherwise)."""

    fractions: Array
    upper: Array
    lower: Array
    spent: Array
    """Cumulative error spent on the upper boundary."""


def checked_fractions(fractions: Sequence[float] | Array) -> Array:
    """Information fractions as an array; ExperimentError unless finite, increasing, above 0 and at most 1."""
    values = np.asarray(fractions, dtype=float)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ExperimentError(f"information fractions must be finite numbers, at least one; got {fractions!r}")
    if values[0] <= 0 or values[-1] > 1 + 1e-9 or (np.diff(values) <= 0).any():
        raise ExperimentError(f"information fractions must increase from above 0 to at most 1; got {values.tolist()}")
    return values


def boundaries(
    fractions: Sequence[float] | Array,
    level: float,
    spending: Spending,
    sides: Sides = "two",
) -> Boundaries:
    """Efficacy boundaries at information `fractions`; `level` is the test's whole error, halved per side of two.

    With fractions that end below 1 only what the function allows by then is spent. There is no futility boundary
    here: see `with_futility`. Raises ExperimentError for fractions out of order.
    """
    return from_spent(checked_fractions(fractions), spending.spent, level, sides)


def from_spent(
    t: Array, spent_by: Callable[[Array, float], Array], level: float, sides: Sides, *, last_spends_all: bool = False
) -> Boundaries:
    """As `boundaries` for any function; `last_spends_all` gives the last look all that is left."""
    if not 0 < level < (1 if sides == "two" else 0.5):
        raise ExperimentError(f"level must lie between 0 and {1 if sides == 'two' else 0.5}, got {level}")
    per_side = level / 2 if sides == "two" else level
    spent = np.array(spent_by(t, per_side), dtype=float)
    if last_spends_all:
        spent[-1] = per_side
    increments = np.diff(spent, prepend=0.0)
    state = recursion.start(0.0)
    upper = np.empty(len(t))
    for k, information in enumerate(t):
        upper[k] = _crossed_with(state, information, increments[k])
        lower = -upper[k] if sides == "two" else -math.inf
        if k + 1 < len(t):
            state = recursion.advance(state, information, lower, upper[k], t[k + 1])
    return Boundaries(t, upper, -upper if sides == "two" else np.full(len(t), -math.inf), spent)


def _crossed_with(state: recursion.State, information: float, probability: float) -> float:
    """The z above which the path lies at this look with `probability`: safeguarded Newton on log probability."""
    if probability <= 1e-16:
        return math.inf
    low, high = -_NEVER, _NEVER
    z = min(max(-float(ndtri(probability)), low), high)
    for _ in range(60):
        tail, density = recursion.upper_tail(state, information, z)
        low, high = (z, high) if tail > probability else (low, z)
        if abs(tail - probability) <= 1e-13 * probability or high - low < 1e-12:
            break
        # The tail is nearly exponential in z, so Newton's step is taken on its logarithm.
        step = math.log(tail / probability) * tail / density if tail > 0 and density > 0 else math.inf
        proposed = z + step
        z = proposed if low < proposed < high else (low + high) / 2
    return z


def constant_shape(looks: int, level: float, shape: float) -> Boundaries:
    """Two-sided Wang-Tsiatis boundaries c · t^(shape - 1/2): shape 1/2 is Pocock's, 0 is O'Brien-Fleming's.

    Source: Wang & Tsiatis (1987), Biometrics 43. These predate spending functions and need equal, planned looks.
    """
    t = np.arange(1, looks + 1) / looks

    def excess(c: float) -> float:
        upper = c * t ** (shape - 0.5)
        crossed = recursion.crossing(t, -upper, upper)
        return float(crossed.upper.sum() + crossed.lower.sum()) - level

    c = float(brentq(excess, 0.5, 8.0, xtol=1e-12))
    upper = c * t ** (shape - 0.5)
    return Boundaries(t, upper, -upper, np.cumsum(recursion.crossing(t, -upper, upper).upper))
