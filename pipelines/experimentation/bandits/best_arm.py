"""Probability that each of several independent random means is the largest: Thompson sampling's propensities."""

from collections.abc import Callable
from math import sqrt, tau

import numpy as np
from scipy import special

from pipelines.experimentation.bandits.memory import Floats
from pipelines.experimentation.bandits.policy import argmax_probabilities

# Where a belief's density has its bulk and its tails, in standard deviations.
_GAUSSIAN_HALF = [2.0, 4.0, 7.0]
# A Beta belief's tail may be exponential.
_BETA_HALF = [*_GAUSSIAN_HALF, 13.0, 30.0]
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)
_TOLERANCE = 1e-9
_HALVINGS = 5
# A belief sharper than the widest by more than this counts as so sharp: a density of no width has no quadrature.
_SHARPEST = 1e-9


def best_arm_probabilities(
    density: Callable[[Floats], Floats],
    cumulative: Callable[[Floats], Floats],
    mean: Floats,
    deviation: Floats,
    support: tuple[float, float],
    half: list[float] = _BETA_HALF,
) -> tuple[Floats, float]:
    """P(arm k is largest) = integral of f_k times the product of the others' F_j, and the error.

    `density` and `cumulative` map points of shape (m,) to (arms, m). The integral runs over the pieces between all
    beliefs' cut points, `half` their deviations above and below the mean, by 10-point Gauss-Legendre. Exact
    probabilities sum to one, so the distance of the computed sum from one measures the error; while it is above 1e-9
    the pieces are halved, up to five times. The probabilities are returned normalised.
    """
    steps = np.array([*(-cut for cut in reversed(half)), 0.0, *half])
    # Below every belief that matters the product of the F_j is nil: start at the highest of the lower ends.
    low = max(support[0], float((mean + steps[0] * deviation).max()))
    high = min(support[1], float((mean + steps[-1] * deviation).max()))
    cuts = _thinned(mean[:, None] + steps * deviation[:, None], deviation, low, high)
    best, error = _integrate(density, cumulative, cuts)
    for _ in range(_HALVINGS):
        if error <= _TOLERANCE:
            break
        cuts = np.unique(np.concatenate([cuts, (cuts[1:] + cuts[:-1]) / 2]))
        finer, finer_error = _integrate(density, cumulative, cuts)
        if finer_error >= error / 2:
            break  # what is left is rounding, not the rule's
        best, error = finer, finer_error
    return best / best.sum(), error


def best_gaussian_probabilities(mean: Floats, deviation: Floats) -> tuple[Floats, float]:
    """`best_arm_probabilities` for Gaussian beliefs; where no belief has any width, an even share for the largest."""
    widest = float(deviation.max())
    if widest == 0:
        return argmax_probabilities(mean), 0.0
    # Only differences matter, and they keep their digits near zero.
    mean, deviation = mean - mean.max(), np.maximum(deviation, _SHARPEST * widest)

    def density(x: Floats) -> Floats:
        return np.exp(-0.5 * ((x - mean[:, None]) / deviation[:, None]) ** 2) / (deviation[:, None] * sqrt(tau))

    def cumulative(x: Floats) -> Floats:
        return special.ndtr((x - mean[:, None]) / deviation[:, None])

    return best_arm_probabilities(density, cumulative, mean, deviation, (-np.inf, np.inf), _GAUSSIAN_HALF)


def _thinned(cuts: Floats, deviation: Floats, low: float, high: float) -> Floats:
    """The cuts of all beliefs in order, less those with another close below: within their own belief's deviation."""
    order = np.argsort(cuts, axis=None)
    spacing = np.repeat(deviation, cuts.shape[1])[order]
    kept = [low]
    for cut, least in zip(cuts.ravel()[order].tolist(), spacing.tolist(), strict=True):
        if cut - kept[-1] >= least and cut < high:
            kept.append(cut)
    return np.array([*kept, high])


def _integrate(
    density: Callable[[Floats], Floats], cumulative: Callable[[Floats], Floats], cuts: Floats
) -> tuple[Floats, float]:
    """The integral of each arm over all pieces, and the distance of their sum from one."""
    middles, halves = (cuts[1:] + cuts[:-1]) / 2, (cuts[1:] - cuts[:-1]) / 2
    points = (middles[:, None] + halves[:, None] * _NODES).ravel()
    weights = (halves[:, None] * _WEIGHTS).ravel()
    found = (density(points) * _product_of_others(cumulative(points))) @ weights
    return found, abs(float(found.sum()) - 1.0)


def _product_of_others(values: Floats) -> Floats:
    """Per row the product of all other rows, without dividing: some are zero."""
    ones = np.ones((1, values.shape[1]))
    before = np.cumprod(np.concatenate([ones, values[:-1]]), axis=0)
    after = np.cumprod(np.concatenate([ones, values[:0:-1]]), axis=0)[::-1]
    return before * after
