"""The estimators as sums over rows: each is a mean of scores, self-normalised IPS a ratio of two."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from pipelines.experimentation.offpolicy.log import Floats, LoggedDecisions


class Estimator(StrEnum):
    """How the value of the target policy is estimated. w is target probability over propensity, q the reward model."""

    DM = "dm"
    """Direct method: the model's reward, averaged over the target's actions. As good as the model, and no better."""
    IPS = "ips"
    """Inverse propensity scores (Horvitz and Thompson 1952): mean of w r. Unbiased where the log has support."""
    SNIPS = "snips"
    """Self-normalised IPS (Swaminathan and Joachims, NIPS 2015): sum of w r over sum of w. Consistent, steadier."""
    DR = "dr"
    """Doubly robust (Dudík, Langford, Li, ICML 2011): the model, corrected by w (r - q). Unbiased like IPS."""
    SWITCH = "switch"
    """Switch-DR (Wang, Agarwal, Dudík, ICML 2017): correct only where w is at most a threshold. Biased by choice."""


@dataclass(frozen=True, slots=True)
class Scores:
    """An estimate is the sum of `numerator` over the sum of `denominator`; for a mean the denominator is all ones."""

    numerator: Floats
    denominator: Floats

    @property
    def value(self) -> float:
        """NaN where the denominators sum to nothing."""
        total = float(self.denominator.sum())
        return float(self.numerator.sum()) / total if total > 0 else float("nan")

    @property
    def influence(self) -> Floats:
        """What each row adds to the estimate, centred: its spread gives the standard error (delta method)."""
        return (self.numerator - self.value * self.denominator) / self.denominator.mean()


def scores(
    estimator: Estimator,
    log: LoggedDecisions,
    target: Floats,
    weights: Floats,
    model: Floats | None,
    threshold: float,
) -> Scores:
    """Scores of one estimator. `model` (n, K) is required by all but IPS and SNIPS; `threshold` is for SWITCH."""
    ones = np.ones(len(log))
    if estimator is Estimator.IPS:
        return Scores(weights * log.reward, ones)
    if estimator is Estimator.SNIPS:
        return Scores(weights * log.reward, weights)
    if model is None:
        raise TypeError(f"{estimator} needs a reward model")
    direct = np.einsum("nk,nk->n", target, model)
    if estimator is Estimator.DM:
        return Scores(direct, ones)
    kept = weights if estimator is Estimator.DR else np.where(weights <= threshold, weights, 0.0)
    residual = log.reward - model[np.arange(len(log)), log.action]
    return Scores(direct + kept * residual, ones)
