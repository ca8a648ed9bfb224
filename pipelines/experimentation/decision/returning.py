"""One estimate from looks at units that come back in between, with increments that are independent again.

A unit's figure changes while it returns, and late units have fewer returns than early ones, so that plain means at two
looks are correlated less than boundaries assume: repeated tests would be wrong too often. Of all weighted means of the
looks so far, the one of least variance has independent increments, whatever the looks' covariance is; its information
falls by no more than estimating one more weight costs. Source: Van Lancker, Betz, Rosenblum, "Combining Covariate
Adjustment with Group Sequential, Information Adaptive Designs to Improve Randomized Trial Efficiency" (2022,
arXiv:2201.12921); Kim and Tsiatis, "Independent Increments in Group Sequential Tests: A Review", SORT 44 (2020).
"""

import numpy as np
from numpy.typing import NDArray

from pipelines.experimentation.analysis.estimates import Effect

Floats = NDArray[np.float64]
SMALLEST = 1e-8
"""Share of the largest eigenvalue of the looks' correlations below which a look says nothing that others do not."""


def combined(control: Floats, treatment: Floats) -> Effect:
    """Treatment less control within units, from every look so far.

    Both have the shape (looks, units), the last look being the present one; NaN where a unit had not come yet. Looks
    at fewer than two units, or without variance, are left out; if the present one is, the standard error is NaN.
    Degrees of freedom: its units less the looks used.
    """
    present = np.isfinite(treatment)
    count = np.maximum(present.sum(axis=1), 1)
    means = np.stack([np.where(present, part, 0).sum(axis=1) / count for part in (control, treatment)])
    residuals = np.where(present, treatment - control - (means[1] - means[0])[:, None], 0)
    influence = residuals / np.sqrt(count * np.maximum(count - 1, 1))[:, None]
    used = (influence**2).sum(axis=1) > 0
    weights = np.eye(len(count))[-1]
    if used[-1]:
        weights[used] = _weights(influence[used])
    value, units, others = means @ weights, int(count[-1]), max(int(used.sum()), 1) - 1
    variance = float(((weights @ influence) ** 2).sum()) * _for_weights(units, others)
    return Effect(
        control=np.asarray(value[0]),
        treatment=np.asarray(value[1]),
        difference=np.asarray(value[1] - value[0]),
        standard_error=np.asarray(np.sqrt(variance) if used[-1] else np.nan),
        degrees=np.asarray(float(max(units - 1 - others, 1))),
        control_variance=np.asarray(np.nan),
    )


def _for_weights(units: int, others: int) -> float:
    """What estimating the other looks' weights adds to the variance, and takes from its estimate, of normal figures.

    Source: Lavenberg and Welch, "A Perspective on the Use of Control Variables to Increase the Efficiency of Monte
    Carlo Simulations", Management Science 27 (1981).
    """
    left = units - 1 - others
    return (units - 1) / left * (units - 2) / (left - 1) if others and left > 1 else 1.0


def _weights(influence: Floats) -> Floats:
    """Those of least variance that add up to 1: generalised least squares, by the looks' correlations."""
    error = np.sqrt((influence**2).sum(axis=1))
    scaled = influence / error[:, None]
    inverse: Floats = np.asarray(np.linalg.pinv(scaled @ scaled.T, rcond=SMALLEST, hermitian=True), dtype=np.float64)
    raw = inverse @ (1 / error) / error
    return raw / raw.sum()
