"""Tests that may be read at any moment: mixture sequential probability ratio tests and their confidence sequences.

Robbins (1970), Ann. Math. Statist. 41; Johari, Koomen, Pekelis & Walsh (2022), "Always Valid Inference", Operations
Research 70; Howard, Ramdas, McAuliffe & Sekhon (2021), "Time-uniform, nonparametric, nonasymptotic confidence
sequences", Ann. Statist. 49. The estimate is treated as a Brownian motion in information time, so validity is
asymptotic: `minimum_units` are wanted per arm before the first reading, and for rare events `e_process` is exact
instead.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr

from pipelines.experimentation.analysis.estimates import Effect
from pipelines.experimentation.errors import ExperimentError

Array = NDArray[np.float64]
Sides = Literal["upper", "two"]
MINIMUM_UNITS = 100
"""Units per arm below which nothing is concluded from an asymptotic sequence."""


@dataclass(frozen=True)
class MixtureTest:
    """A normal mixture over the effect with deviation `mixing`, in the metric's own unit, fixed before the start.

    The test is most sensitive to effects of about that size; the declared minimum effect is the natural choice.
    Choosing it from the data destroys validity, so it is an argument of the declaration and of nothing else. "upper"
    looks only for effects above zero (half-normal mixture), "two" for either sign.
    """

    mixing: float
    sides: Sides = "two"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mixing) and self.mixing > 0):
            raise ExperimentError(f"the mixing deviation must be a positive number fixed in advance, got {self.mixing}")

    def log_e_value(self, difference: ArrayLike, information: ArrayLike) -> Array:
        """Logarithm of the mixture likelihood ratio of an estimate with information 1 / variance; shape as broadcast.

        Reject at a level the first time it reaches log(1 / level). NaN in, NaN out.
        """
        estimate, level = np.asarray(difference, dtype=float), np.asarray(information, dtype=float)
        scale = 1 + self.mixing**2 * level
        score = estimate * level * self.mixing / np.sqrt(scale)
        log_ratio = 0.5 * score**2 - 0.5 * np.log(scale)
        return log_ratio if self.sides == "two" else log_ratio + math.log(2) + log_ndtr(score)

    def radius(self, information: ArrayLike, level: float) -> Array:
        """Half-width of the confidence sequence with error `level`; for "upper" the distance of its lower bound."""
        amount = np.asarray(information, dtype=float)
        scale = 1 + self.mixing**2 * amount
        if self.sides == "two":
            score = np.sqrt(2 * math.log(1 / level) + np.log(scale))
        else:
            score = _one_sided_score(math.log(1 / level) + 0.5 * np.log(scale))
        return score * np.sqrt(scale) / (self.mixing * amount)

    def p_value(self, effect: Effect) -> Array:
        """Always-valid p-value of one reading; the smallest so far is valid too."""
        return np.exp(-np.maximum(self.log_e_value(effect.difference, effect.cautious_information), 0.0))


def _one_sided_score(wanted: Array) -> Array:
    """Solve s²/2 + log(2 Φ(s)) = wanted for s by Newton's method; the left side is convex and increasing for s > 0."""
    score = np.sqrt(2 * np.maximum(wanted, 1e-12))
    for _ in range(50):
        value = 0.5 * score**2 + math.log(2) + log_ndtr(score) - wanted
        slope = score + np.exp(-0.5 * score**2 - log_ndtr(score)) / math.sqrt(2 * math.pi)
        step = value / slope
        score = score - step
        if np.abs(step).max(initial=0.0) < 1e-12:
            break
    return score
