"""How many units and how many days an experiment needs, before it starts."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtr, ndtri

from pipelines.experimentation.analysis.sequential import Boundaries, drift_for
from pipelines.experimentation.errors import ExperimentError


@dataclass(frozen=True)
class Plan:
    """Units needed in all, by the share of the treatment among the two arms."""

    units: int
    days: int | None
    """Whole days to collect them, None without a rate."""


def fixed_drift(level: float, power: float, sides: Literal["upper", "two"] = "two") -> float:
    """Mean of Z that a test with one look needs for `power`."""
    return float(-ndtri(level / 2 if sides == "two" else level) + ndtri(power))


def proportion_variance(rate: float) -> float:
    """Variance of one unit's zero or one."""
    if not 0 < rate < 1:
        raise ExperimentError(f"a rate lies strictly between 0 and 1, got {rate}")
    return rate * (1 - rate)


def ratio_variance(mean: tuple[float, float], covariance: tuple[tuple[float, float], tuple[float, float]]) -> float:
    """Variance of one unit's linearised part of numerator / denominator, from the pair's mean and covariance."""
    (numerator, denominator), matrix = mean, np.asarray(covariance)
    if denominator == 0:
        raise ExperimentError("the denominator's mean is zero: the ratio has no value")
    gradient = np.array([1 / denominator, -numerator / denominator**2])
    return float(gradient @ matrix @ gradient)


def units_needed(
    effect: float,
    variance: float,
    drift: float,
    *,
    treatment_variance: float | None = None,
    share: float = 0.5,
    correlation: float = 0.0,
) -> int:
    """Units in both arms together to see `effect` (in the metric's unit) with the power that `drift` stands for.

    `variance` is one unit's; `treatment_variance` that of the treated arm when it differs, as for proportions;
    `share` the treatment's part of the two arms; `correlation` that of the outcome with its CUPED covariate, which
    takes correlation² of the variance away.
    """
    if not (math.isfinite(effect) and effect != 0):
        raise ExperimentError(f"the minimum effect must be a number other than zero, got {effect}")
    if not (math.isfinite(variance) and variance > 0):
        raise ExperimentError(f"the variance must be positive, got {variance}: a constant metric cannot show an effect")
    if not 0 < share < 1 or not -1 < correlation < 1:
        raise ExperimentError(f"share must lie in (0, 1) and correlation in (-1, 1), got {share} and {correlation}")
    treated = variance if treatment_variance is None else treatment_variance
    per_unit = (variance / (1 - share) + treated / share) * (1 - correlation**2)
    return math.ceil((drift / effect) ** 2 * per_unit)


def plan(design: Boundaries, power: float, effect: float, variance: float, units_per_day: float | None = None) -> Plan:
    """Largest number of units of a group-sequential design with two equal arms; most experiments stop earlier."""
    units = units_needed(effect, variance, drift_for(design, power))
    if units_per_day is not None and units_per_day <= 0:
        raise ExperimentError(f"units per day must be positive, got {units_per_day}")
    return Plan(units, None if units_per_day is None else math.ceil(units / units_per_day))


def detectable_effect(units: int, variance: float, drift: float, share: float = 0.5) -> float:
    """Smallest effect that `units` show with the power that `drift` stands for."""
    return drift * math.sqrt((variance / (1 - share) + variance / share) / units)


def fixed_power(effect: float, variance: float, units: int, level: float, share: float = 0.5) -> float:
    """Power of a two-sided z-test with one look."""
    drift = abs(effect) / math.sqrt((variance / (1 - share) + variance / share) / units)
    critical = -float(ndtri(level / 2))
    return float(ndtr(drift - critical) + ndtr(-drift - critical))
