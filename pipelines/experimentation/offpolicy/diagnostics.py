"""Whether a log can answer the question at all: overlap, support, and the right propensities."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from pipelines.experimentation.offpolicy.log import Floats, LoggedDecisions

# Means of importance weights are skewed: five standard errors, over at least 30 rows, keep false alarms rare.
_ALARM = 5.0
_LEAST_ROWS = 30
_LOW_SAMPLE = 100


class Flag(StrEnum):
    """What keeps an estimate from being believed as it stands."""

    NO_OVERLAP = "no_overlap"
    """The target never agrees with the log: nothing was observed about it."""
    NO_SUPPORT = "no_support"
    """The target puts weight on actions that the log's policy could not, or never did, take."""
    WRONG_PROPENSITIES = "wrong_propensities"
    """Inverse propensities do not average to one: they are not those of the policy that made the log."""
    LOW_EFFECTIVE_SAMPLE = "low_effective_sample"
    """The weights leave the information of fewer than 100 decisions: intervals are too optimistic."""
    CLIPPED = "clipped"
    """Weights were cut: biased, towards zero for rewards that are not negative."""
    MODEL_UNCHECKED = "model_unchecked"
    """The model's word alone, from the direct method or for want of overlap: no interval covers the model's error."""


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """Facts about the importance weights before any clipping."""

    rows: int
    mean_weight: float
    """1 in expectation, less the unsupported mass."""
    mean_weight_error: float
    """Standard error of the mean weight."""
    max_weight: float
    max_weight_share: float
    """The largest weight's share of all weight."""
    effective_sample: float
    """(sum w)**2 / sum w**2 (Kish): rows of equal weight that would know as much."""
    unsupported_mass: float
    """The target's mean probability of actions without support."""
    unsupported_actions: tuple[str, ...]
    suspicious_actions: tuple[str, ...]
    """Actions whose inverse propensities average neither one nor near it."""
    flags: frozenset[Flag]


def diagnose(log: LoggedDecisions, target: Floats) -> Diagnostics:
    """Weights, support and propensities of a checked log and target.

    Support is exact where the log holds all probabilities, by row; else an action that was never logged has none.
    Propensities are tested by E[1 / p ; action = a] = 1 for each action with support (the harmonic test of Li, Kim,
    Zitouni, 2015) and by E[w] = 1.
    """
    weights = target[np.arange(len(log)), log.action] / log.propensity
    unsupported = _unsupported(log)
    lacking = np.where(unsupported, target, 0.0)
    total, squares = float(weights.sum()), float(np.square(weights).sum())
    mean, error = _mean(weights)
    unsupported_mass = float(lacking.sum() / len(log))
    suspicious = tuple(log.actions[action] for action in range(len(log.actions)) if _suspicious(log, action))
    effective = total**2 / squares if squares else 0.0
    off = int(np.count_nonzero(weights)) >= _LEAST_ROWS and abs(mean + unsupported_mass - 1) > _ALARM * error + 1e-6
    flags = {
        Flag.NO_OVERLAP: total == 0,
        Flag.NO_SUPPORT: unsupported_mass > 1e-9,
        Flag.WRONG_PROPENSITIES: off or bool(suspicious),
        Flag.LOW_EFFECTIVE_SAMPLE: effective < _LOW_SAMPLE,
    }
    return Diagnostics(
        rows=len(log),
        mean_weight=mean,
        mean_weight_error=error,
        max_weight=float(weights.max()),
        max_weight_share=float(weights.max()) / total if total else 0.0,
        effective_sample=effective,
        unsupported_mass=unsupported_mass,
        unsupported_actions=tuple(log.actions[action] for action in np.flatnonzero(lacking.any(axis=0))),
        suspicious_actions=suspicious,
        flags=frozenset(flag for flag, raised in flags.items() if raised),
    )


def _unsupported(log: LoggedDecisions) -> np.ndarray:
    if log.probabilities is not None:
        return log.probabilities <= 0
    return np.broadcast_to(np.bincount(log.action, minlength=len(log.actions)) == 0, (len(log), len(log.actions)))


def _mean(values: Floats) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else float("inf")


def _suspicious(log: LoggedDecisions, action: int) -> bool:
    played = log.action == action
    if played.sum() < _LEAST_ROWS:
        return False
    mean, error = _mean(np.where(played, 1 / log.propensity, 0.0))
    # Rows whose policy could not take the action add nothing to the sum, so one is then only an upper bound.
    expected = 1.0 if log.probabilities is None else float((log.probabilities[:, action] > 0).mean())
    return abs(mean - expected) > _ALARM * error + 1e-6
