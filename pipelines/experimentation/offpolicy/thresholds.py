"""SWITCH's threshold from the data: two rules, of which one is declared beforehand.

So are the thresholds they choose `among`, by default 30 quantiles of the logged weights, and infinity, which is DR.
"""

from collections.abc import Sequence
from math import inf, sqrt

import numpy as np
from scipy.stats import t

from pipelines.experimentation.offpolicy.log import Floats, LoggedDecisions
from pipelines.experimentation.offpolicy.scores import Estimator, scores

_OTHERS = sqrt(6) - 1
_CONFIDENCE = 0.95


def least_risk(
    log: LoggedDecisions,
    target: Floats,
    weights: Floats,
    model: Floats,
    reward_span: float,
    among: Sequence[float] | None = None,
) -> float:
    """The threshold of least estimated variance plus squared bias bound (Wang et al. 2017, section 4).

    The bias is at most the span of rewards times the target's probability of weights above the threshold: exact where
    the log holds all probabilities, else estimated by the mean of the logged weights above it. The outcome is
    infinity, which is DR, unless a few weights exceed the number of rows.
    """

    def mass(threshold: float) -> float:
        if log.probabilities is not None:
            return float(target[target > threshold * log.probabilities].sum()) / len(log) if threshold < inf else 0.0
        return min(1.0, float(weights[weights > threshold].sum()) / len(log))

    def risk(threshold: float) -> float:
        numerator = scores(Estimator.SWITCH, log, target, weights, model, threshold).numerator
        return float(numerator.var()) / len(log) + (reward_span * mass(threshold)) ** 2

    return min(among or _candidates(weights), key=risk)


def slope(
    log: LoggedDecisions, target: Floats, weights: Floats, model: Floats, among: Sequence[float] | None = None
) -> float:
    """The threshold of least spread whose estimate no less biased one contradicts: SLOPE.

    Su, Srinath, Krishnamurthy (ICML 2020), in the form of Tucker, Lee (2021): in order of falling half-width of a 95 %
    Student interval, an estimate stands while it lies within its own half-width and sqrt(6) - 1 times the other's of
    every one before it; the last before the first that does not is taken. A lower threshold must not have less bias,
    which SWITCH's order of thresholds makes plausible and nothing proves.
    """
    ranked = list[tuple[float, float, float]]()
    for threshold in among or _candidates(weights):
        numerator = scores(Estimator.SWITCH, log, target, weights, model, threshold).numerator
        error = float(numerator.std(ddof=1)) / sqrt(len(log)) if len(log) > 1 else inf
        ranked.append((float(t.ppf((1 + _CONFIDENCE) / 2, max(1, len(log) - 1))) * error, threshold, numerator.mean()))
    ranked.sort(reverse=True)
    chosen = ranked[0][1]
    for i, (reach, threshold, value) in enumerate(ranked):
        if any(abs(value - other) > reach + _OTHERS * wider for wider, _, other in ranked[:i]):
            break
        chosen = threshold
    return chosen


def _candidates(weights: Floats) -> list[float]:
    return [*np.unique(np.quantile(weights, np.linspace(0, 1, 30))).tolist(), inf]
