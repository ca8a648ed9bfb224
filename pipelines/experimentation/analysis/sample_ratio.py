"""Sample-ratio mismatch: were the units really split as configured? Nothing else is worth reading until they were.

The chi-square test, exact binomial where an arm is small, serves the planned looks, its level shared among them. The
e-process serves continuous watching: the Dirichlet-multinomial Bayes factor of Lindon & Malek (2022), "Anytime-Valid
Inference for Multinomial Count Data", NeurIPS.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, xlogy
from scipy.stats import binomtest, chisquare

from pipelines.experimentation.errors import ExperimentError

LEVEL = 0.001
"""Probability of stopping a healthy experiment over all of its looks together."""
_ENOUGH = 500
# Units expected in the smallest arm for Pearson's test: the first hundred units of a one-percent ramp would fail it in
# .0034 of healthy experiments at level .001, twenty in .017.


@dataclass(frozen=True)
class SampleRatio:
    """Observed counts against the configured split."""

    observed: dict[str, int]
    expected: dict[str, float]
    p_value: float
    level: float

    @property
    def mismatch(self) -> bool:
        """True when the split is not the configured one: analyse nothing, find the cause."""
        return self.p_value < self.level


def check(counts: Mapping[str, int], weights: Mapping[str, float], looks: int = 1, level: float = LEVEL) -> SampleRatio:
    """Test of unit counts by variant, at `level` over the number of planned `looks` (Bonferroni).

    Pearson's chi-square test; where fewer than 500 units are expected in an arm, an exact binomial test of each arm
    against the others, the smallest p-value times the number of arms (with two arms they are one test).

    Raises ExperimentError for a variant without a weight, weights that do not add up to 1 or no unit at all. A
    variant nobody was seen in counts as zero.
    """
    observed, expected = _counted(counts, weights)
    if min(expected.values()) >= _ENOUGH:
        p_value = float(chisquare(list(observed.values()), list(expected.values())).pvalue)
    else:
        p_value = _exact(observed, weights)
    return SampleRatio(observed, expected, p_value, level / looks)


def _counted(counts: Mapping[str, int], weights: Mapping[str, float]) -> tuple[dict[str, int], dict[str, float]]:
    """Units by variant as they are and as they should be."""
    unknown = sorted(set(counts) - set(weights))
    if unknown:
        raise ExperimentError(f"units were exposed to {unknown}, which the split {dict(weights)} does not have")
    if abs(sum(weights.values()) - 1) > 1e-9 or min(weights.values()) <= 0:
        raise ExperimentError(f"the split must be positive and add up to 1, got {dict(weights)}")
    observed = {name: int(counts.get(name, 0)) for name in weights}
    total = sum(observed.values())
    if not total:
        raise ExperimentError("no unit has been exposed yet")
    return observed, {name: total * weight for name, weight in weights.items()}


def _exact(observed: Mapping[str, int], weights: Mapping[str, float]) -> float:
    total = sum(observed.values())
    arms = list(observed)[:1] if len(observed) == 2 else list(observed)
    p_values = [float(binomtest(observed[name], total, weights[name]).pvalue) for name in arms]
    return min(1.0, len(arms) * min(p_values))


def watch(counts: Mapping[str, int], weights: Mapping[str, float], level: float = LEVEL) -> SampleRatio:
    """As `check`, for counts that are looked at as often as one likes: the p-value is 1 / e-value, at most 1.

    The e-value is of the counts as they are now, so the p-value may rise again; a mismatch once seen stays one.
    """
    observed, expected = _counted(counts, weights)
    return SampleRatio(observed, expected, math.exp(min(0.0, -log_e_value(counts, weights))), level)


def log_e_value(counts: Mapping[str, int], weights: Mapping[str, float], concentration: float = 1_000.0) -> float:
    """Logarithm of the e-value against the configured split; 1 / level ever reached is a mismatch at that level.

    Valid at every moment, however often it is read. `concentration` is the Dirichlet prior's, fixed in advance:
    larger looks for smaller deviations and needs more units.
    """
    names = list(weights)
    observed = np.array([counts.get(name, 0) for name in names], dtype=float)
    split = np.array([weights[name] for name in names], dtype=float)
    prior = concentration * split
    terms = np.asarray(gammaln(prior + observed)) - np.asarray(gammaln(prior)) - np.asarray(xlogy(observed, split))
    return math.lgamma(concentration) - math.lgamma(concentration + float(observed.sum())) + float(terms.sum())
