"""Effects of a treatment on a metric, with standard errors, from the arms' moments.

Every metric is a smooth function g of means, so the delta method gives its variance: ∇gᵀ Σ ∇g / n. Sources: Deng,
Knoblich & Lu (2018), "Applying the Delta Method in Metric Analytics", KDD (ratios, clusters, quantiles); Deng, Xu,
Kohavi & Walker (2013), "Improving the Sensitivity of Online Controlled Experiments by Utilizing Pre-Experiment Data",
WSDM (CUPED).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, ndtri_exp, stdtr, stdtrit
from scipy.stats import t as student

from pipelines.experimentation.analysis.moments import Moments
from pipelines.experimentation.errors import ExperimentError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Level:
    """A metric's value in one arm with its variance and degrees of freedom; shape (...)."""

    value: Array
    variance: Array
    degrees: Array


@dataclass(frozen=True)
class Effect:
    """Treatment minus control; shape (...). With zero or unknown variance all that derives is NaN, never 0 or 1."""

    control: Array
    treatment: Array
    difference: Array
    standard_error: Array
    degrees: Array
    control_variance: Array
    pooled_error: Array | None = None
    """Standard error if the units of both arms had one variance; None where only `standard_error` is known."""

    @property
    def information(self) -> Array:
        """1 / variance of the difference."""
        return 1 / self.standard_error**2

    @property
    def cautious_error(self) -> Array:
        """The larger of `standard_error` and `pooled_error`, for readings of arms that may still be small.

        A small arm without an event of a rare kind has no variance of its own, and its estimate would look certain.
        Arms of equal size, and large ones of equal variance, lose nothing.
        """
        return self.standard_error if self.pooled_error is None else np.maximum(self.standard_error, self.pooled_error)

    @property
    def cautious_information(self) -> Array:
        """1 / `cautious_error`², what tests read at any moment are given."""
        return 1 / self.cautious_error**2

    @property
    def z(self) -> Array:
        """Difference over its standard error, brought from Student's t (Welch's degrees) to the normal scale.

        Keeps the p-value: with few clusters or periods the t statistic itself would be taken for too significant.
        """
        return _normal_scale(self.difference / self.standard_error, self.degrees)

    def interval(self, confidence: float = 0.95) -> tuple[Array, Array]:
        """Confidence interval for the difference, for a single, planned look."""
        reach = stdtrit(self.degrees, (1 + confidence) / 2) * self.standard_error
        return self.difference - reach, self.difference + reach

    def relative_interval(self, confidence: float = 0.95) -> tuple[Array, Array]:
        """Fieller's interval for treatment / control - 1; NaN where the control is not clearly different from zero."""
        quantile = stdtrit(self.degrees, (1 + confidence) / 2)
        ratio = self.treatment / self.control
        treatment_variance = self.standard_error**2 - self.control_variance
        g = quantile**2 * self.control_variance / self.control**2
        with np.errstate(invalid="ignore", divide="ignore"):
            root = np.sqrt((1 - g) * treatment_variance + ratio**2 * self.control_variance)
            reach = quantile * root / np.abs(self.control) / (1 - g)
            centre = ratio / (1 - g)
        usable = g < 1
        return np.where(usable, centre - reach - 1, np.nan), np.where(usable, centre + reach - 1, np.nan)


def mean(arm: Moments) -> Level:
    """Mean of variable 0; for zeros and ones it is the proportion."""
    return Level(arm.mean[..., 0], _over(arm.covariance[..., 0, 0], arm.count), arm.count - 1)


def ratio(arm: Moments) -> Level:
    """Sum of variable 0 over sum of variable 1, units being independent and the two dependent within a unit.

    Clustered users are the same thing: one row per cluster, variable 0 its sum and variable 1 its number of users.
    The residuals of a ratio have n - 1 - cv² degrees of freedom, cv being the denominator's coefficient of variation:
    exact where a unit's variance grows with its denominator (least squares through the origin), and what keeps the
    standard error from being too small at a few dozen units or clusters. At most half of n - 1 is taken away.
    """
    numerator, denominator = arm.mean[..., 0], arm.mean[..., 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(denominator != 0, numerator / denominator, np.nan)
        gradient = np.stack([1 / denominator, -value / denominator], axis=-1)
        spread = arm.covariance[..., 1, 1] / denominator**2
        degrees = arm.count - 1 - np.minimum(spread, (arm.count - 1) / 2)
        return Level(value, _quadratic(gradient, arm) * (arm.count - 1) / degrees, degrees)


def compare(control: Level, treatment: Level) -> Effect:
    """Difference of two independent levels, with Welch-Satterthwaite degrees of freedom."""
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = control.variance + treatment.variance
        variance = np.where(variance > 0, variance, np.nan)
        degrees = variance**2 / (control.variance**2 / control.degrees + treatment.variance**2 / treatment.degrees)
        first, second = control.degrees, treatment.degrees
        unit_variance = (first**2 * control.variance + second**2 * treatment.variance) / (first + second)
        pooled = np.where(unit_variance > 0, unit_variance, np.nan) * (1 / first + 1 / second)
    return Effect(
        control=control.value,
        treatment=treatment.value,
        difference=treatment.value - control.value,
        standard_error=np.sqrt(variance),
        degrees=degrees,
        control_variance=control.variance,
        pooled_error=np.sqrt(pooled),
    )


def compare_means(control: Moments, treatment: Moments) -> Effect:
    """Effect on a mean or a proportion (variable 0)."""
    return compare(mean(control), mean(treatment))


def compare_ratios(control: Moments, treatment: Moments) -> Effect:
    """Effect on a ratio of variable 0 to variable 1, or on the mean over users in clusters."""
    return compare(ratio(control), ratio(treatment))


def compare_adjusted_means(control: Moments, treatment: Moments) -> Effect:
    """CUPED: effect on the mean of variable 0, adjusted by the covariates in variables 1… measured before exposure.

    One coefficient vector, from the pooled within-arm covariance, serves both arms. What its estimation costs is in the
    standard error as in an analysis of covariance: the degrees of freedom it takes, and the more the further apart the
    arms' covariates happen to lie. A covariate without variance is dropped. A covariate that the treatment affects
    biases the result.
    """
    pooled = control.scatter + treatment.scatter
    inverse = np.linalg.pinv(pooled[..., 1:, 1:], hermitian=True).astype(float, copy=False)
    coefficients = (inverse @ pooled[..., 1:, :1])[..., 0]
    lost = np.linalg.matrix_rank(pooled[..., 1:, 1:], hermitian=True)
    gap, centre = treatment.mean[..., 1:] - control.mean[..., 1:], control.merge(treatment).mean[..., 1:]
    gradient = np.concatenate([np.ones((*coefficients.shape[:-1], 1)), -coefficients], axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        left = control.count + treatment.count - 2
        cost = left / np.where(left > lost, left - lost, np.nan)
        cost = cost * (1 + _form(gap, inverse, gap) / (1 / control.count + 1 / treatment.count))

    def level(arm: Moments) -> Level:
        value = arm.mean[..., 0] - ((arm.mean[..., 1:] - centre) * coefficients).sum(axis=-1)
        return Level(value, cost * _quadratic(gradient, arm), arm.count - 1 - lost)

    return compare(level(control), level(treatment))


def compare_adjusted_ratios(control: Moments, treatment: Moments) -> Effect:
    """CUPED for a ratio of variables 0 and 1, adjusted by the ratio of variables 2 and 3 measured before exposure.

    Both ratios are linearised about the pooled means; the coefficient is the linearised covariance over variance.
    """
    pooled = control.merge(treatment)
    now = _ratio_gradient(pooled, 0)
    before = _ratio_gradient(pooled, 2)
    scatter = control.scatter + treatment.scatter
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = _form(before, scatter, before)
        coefficient = np.where(variance > 0, _form(now, scatter, before) / variance, 0.0)
        reference = pooled.mean[..., 2] / pooled.mean[..., 3]

    def level(arm: Moments) -> Level:
        with np.errstate(invalid="ignore", divide="ignore"):
            value = arm.mean[..., 0] / arm.mean[..., 1]
            shift = arm.mean[..., 2] / arm.mean[..., 3] - reference
        gradient = _ratio_gradient(arm, 0) - coefficient[..., None] * _ratio_gradient(arm, 2)
        return Level(value - coefficient * shift, _quadratic(gradient, arm), arm.count - 2)

    return compare(level(control), level(treatment))


def quantile(values: Array, probability: float, clusters: NDArray[np.intp] | None = None) -> Level:
    """A quantile of one arm's `values` (shape (n,)), its variance from order statistics.

    With F the share of values at or below the quantile, the ranks n·p ± z·n·sd(F) bracket it, and half the bracket
    over z is its standard error: no density is estimated by a kernel. `clusters` gives each value's unit when units
    have several values; sd(F) is then that of a ratio metric. Raises ExperimentError with fewer than ten values
    beyond the quantile.
    """
    if not 0 < probability < 1:
        raise ExperimentError(f"a quantile lies between 0 and 1, got {probability}")
    if not np.isfinite(values).all():
        raise ExperimentError("values contain NaN or infinity; drop or repair them before analysis")
    ordered, n = np.sort(values), len(values)
    if n * min(probability, 1 - probability) < 10:
        raise ExperimentError(f"quantile {probability} of {n} values has fewer than 10 values beyond it; collect more")
    value = ordered[min(n - 1, int(np.ceil(n * probability)) - 1)]
    below = (values <= value).astype(float)
    if clusters is None:
        share_variance, units = probability * (1 - probability) / n, n
    else:
        _, member = np.unique(clusters, return_inverse=True)
        rows = Moments.of(np.bincount(member, weights=below), np.bincount(member).astype(float))
        share_variance, units = float(ratio(rows).variance), int(rows.count)
    z = 1.96
    reach = z * np.sqrt(share_variance) * n
    low = ordered[max(0, int(np.floor(n * probability - reach)) - 1)]
    high = ordered[min(n - 1, int(np.ceil(n * probability + reach)) - 1)]
    variance = ((high - low) / (2 * z)) ** 2
    return Level(np.asarray(value), np.asarray(variance), np.asarray(float(units - 1)))


def _normal_scale(statistic: Array, degrees: Array) -> Array:
    """Normal quantile of the p-value of a t statistic; NaN stays NaN, and what is finite stays finite.

    Where the tail is too small for a float its logarithm is that of density over hazard, (d + t²) / ((d + 1) t) with d
    the degrees of freedom: off by about 1 / t², which is then below .001.
    """
    far, degrees = np.broadcast_arrays(np.abs(statistic), degrees)
    tail = stdtr(degrees, -far)
    found = np.asarray(-ndtri(tail))
    lost = tail < 1e-280
    if lost.any():
        t, d = far[lost], degrees[lost]
        found[lost] = -ndtri_exp(student.logpdf(t, d) + np.log((d + t**2) / ((d + 1) * t)))
    return np.where(degrees > 1e5, statistic, np.sign(statistic) * found)


def _ratio_gradient(arm: Moments, first: int) -> Array:
    gradient = np.zeros_like(arm.mean)
    with np.errstate(invalid="ignore", divide="ignore"):
        denominator = arm.mean[..., first + 1]
        gradient[..., first] = 1 / denominator
        gradient[..., first + 1] = -arm.mean[..., first] / denominator**2
    return gradient


def _form(left: Array, matrix: Array, right: Array) -> Array:
    return np.einsum("...i,...ij,...j->...", left, matrix, right)


def _quadratic(gradient: Array, arm: Moments) -> Array:
    return _over(_form(gradient, arm.covariance, gradient), arm.count)


def _over(variance: Array, count: Array) -> Array:
    # Rounding can leave a variance of a constant at -1e-20.
    return np.maximum(variance, 0.0) / np.where(count > 0, count, np.nan)
