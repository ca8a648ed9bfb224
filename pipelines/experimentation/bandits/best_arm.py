"""Probability that each of several independent random means is the largest: Thompson sampling's propensities."""

from collections.abc import Callable
from math import sqrt, tau

import numpy as np
from scipy import special

from pipelines.experimentation.bandits.memory import Floats

# Where a belief's density has its bulk and its tails, in standard deviations. A Beta belief's tail may be exponential.
_HALF = [1.25, 2.5, 4.0, 6.0, 9.0, 13.0, 20.0, 30.0]
_CUTS = np.array([*(-cut for cut in reversed(_HALF)), 0.0, *_HALF])
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


def best_arm_probabilities(
    density: Callable[[Floats], Floats],
    cumulative: Callable[[Floats], Floats],
    mean: Floats,
    deviation: Floats,
    support: tuple[float, float],
) -> tuple[Floats, float]:
    """P(arm k is largest) = integral of f_k times the product of the others' F_j, and the error.

    `density` and `cumulative` map points of shape (m,) to (arms, m). The integral runs over the pieces between all
    beliefs' cut points by 8-point Gauss-Legendre. Exact probabilities sum to one, so the distance of the computed sum
    from one measures the error; they are returned normalised.
    """
    # Below every belief that matters the product of the F_j is nil: start at the highest of the lower ends.
    low = max(support[0], float((mean + _CUTS[0] * deviation).max()))
    high = min(support[1], float((mean + _CUTS[-1] * deviation).max()))
    cuts = np.unique(np.clip(mean[:, None] + _CUTS * deviation[:, None], low, high))
    middles, halves = (cuts[1:] + cuts[:-1]) / 2, (cuts[1:] - cuts[:-1]) / 2
    points = (middles[:, None] + halves[:, None] * _NODES).ravel()
    weights = (halves[:, None] * _WEIGHTS).ravel()
    below = cumulative(points)
    probabilities = (density(points) * _product_of_others(below)) @ weights
    total = float(probabilities.sum())
    return probabilities / total, abs(total - 1.0)


def best_gaussian_probabilities(mean: Floats, deviation: Floats) -> tuple[Floats, float]:
    """`best_arm_probabilities` for Gaussian beliefs."""

    def density(x: Floats) -> Floats:
        return np.exp(-0.5 * ((x - mean[:, None]) / deviation[:, None]) ** 2) / (deviation[:, None] * sqrt(tau))

    def cumulative(x: Floats) -> Floats:
        return special.ndtr((x - mean[:, None]) / deviation[:, None])

    return best_arm_probabilities(density, cumulative, mean, deviation, (-np.inf, np.inf))


def _product_of_others(values: Floats) -> Floats:
    """Per row the product of all other rows, without dividing: some are zero."""
    ones = np.ones((1, values.shape[1]))
    before = np.cumprod(np.concatenate([ones, values[:-1]]), axis=0)
    after = np.cumprod(np.concatenate([ones, values[:0:-1]]), axis=0)[::-1]
    return before * after
