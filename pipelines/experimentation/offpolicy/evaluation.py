"""The value of a target policy by several estimators, each with its interval and what speaks against it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, nan, sqrt
from typing import Literal

import numpy as np

from pipelines.experimentation.offpolicy import intervals, thresholds
from pipelines.experimentation.offpolicy.diagnostics import Diagnostics, Flag, diagnose
from pipelines.experimentation.offpolicy.errors import LogError
from pipelines.experimentation.offpolicy.intervals import Interval
from pipelines.experimentation.offpolicy.log import Floats, LoggedDecisions, checked_target
from pipelines.experimentation.offpolicy.scores import Estimator, Scores, scores

_MODEL_FREE = (Estimator.IPS, Estimator.SNIPS)


@dataclass(frozen=True, slots=True)
class Estimate:
    """One estimator's answer."""

    estimator: Estimator
    value: float
    """Mean reward per decision; NaN where nothing was observed and no model stands in."""
    standard_error: float
    interval: tuple[float, float]
    interval_kind: Interval
    clip: float | None
    """The largest weight allowed; None where no weight was cut."""
    clipped_rows: int
    clipped_weight: float
    """Share of all weight that clipping took."""
    threshold: float | None
    """SWITCH's threshold on the weights; None for the others."""
    flags: frozenset[Flag]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Estimates of one target policy from one log."""

    estimates: Mapping[Estimator, Estimate]
    diagnostics: Diagnostics

    def __getitem__(self, estimator: Estimator) -> Estimate:
        return self.estimates[estimator]


@dataclass(frozen=True, slots=True)
class _Settings:
    clip: float | None
    switch: float | Literal["least-risk", "slope"]
    switch_among: tuple[float, ...] | None
    interval: Interval
    level: float
    seed: int
    reward_range: tuple[float, float] | None
    weight_bound: float | None


def evaluate(  # noqa: PLR0913 - every argument is part of the declaration, all but two have defaults
    log: LoggedDecisions,
    target: Floats,
    *,
    model: Floats | None = None,
    estimators: Sequence[Estimator] | None = None,
    clip: float | None = None,
    switch: float | Literal["least-risk", "slope"] = "least-risk",
    switch_among: Sequence[float] | None = None,
    interval: Interval = Interval.NORMAL,
    level: float = 0.95,
    reward_range: tuple[float, float] | None = None,
    weight_bound: float | None = None,
    seed: int = 0,
) -> Evaluation:
    """Estimate the target policy's mean reward per decision.

    `target` (n, K) or (K,): its probabilities. `model` (n, K): predicted rewards, from `cross_fitted` or elsewhere, but
    not fitted on the same rows. `estimators`: by default all that the arguments allow. `clip`: cut weights here, which
    every estimate then says; by default not. `switch`: SWITCH's threshold, or the rule of `thresholds` that finds it,
    `switch_among` these thresholds (by default 30 quantiles of the weights, and infinity).
    `reward_range` and `weight_bound`: known limits, required by the Bernstein interval (`clip` serves as the latter);
    the log must lie within them, and so must the model for that interval.
    Raises LogError for arguments that do not fit.
    """
    target = checked_target(log, target)
    among = None if switch_among is None else tuple(switch_among)
    settings = _Settings(clip, switch, among, interval, level, seed, reward_range, weight_bound)
    if estimators is None:
        possible = _MODEL_FREE if model is None else tuple(Estimator)
        estimators = [name for name in possible if (name, interval) != (Estimator.SNIPS, Interval.BERNSTEIN)]
    raw = target[np.arange(len(log)), log.action] / log.propensity
    _check(log, raw, model, estimators, settings)
    diagnostics = diagnose(log, target)
    weights = raw if clip is None else np.minimum(raw, clip)
    estimates = {
        estimator: _estimate(estimator, log, target, (raw, weights), model, diagnostics, settings)
        for estimator in estimators
    }
    return Evaluation(estimates, diagnostics)


def _estimate(
    estimator: Estimator,
    log: LoggedDecisions,
    target: Floats,
    both_weights: tuple[Floats, Floats],
    model: Floats | None,
    diagnostics: Diagnostics,
    settings: _Settings,
) -> Estimate:
    raw, weights = both_weights
    threshold = inf
    if estimator is Estimator.SWITCH and model is not None:
        threshold = _threshold(log, target, weights, model, settings)
    found = scores(estimator, log, target, weights, model, threshold)
    cut = int(np.count_nonzero(raw > weights)) if estimator is not Estimator.DM else 0
    flags = set(diagnostics.flags)
    if cut:
        flags.add(Flag.CLIPPED)
    if estimator is Estimator.DM:
        flags = (flags & {Flag.NO_SUPPORT, Flag.NO_OVERLAP}) | {Flag.MODEL_UNCHECKED}
    observed = estimator is Estimator.DM or Flag.NO_OVERLAP not in flags
    if not observed and estimator not in _MODEL_FREE:
        flags.add(Flag.MODEL_UNCHECKED)  # nothing to correct the model by
    deviation = float(found.influence.std(ddof=1)) if observed and len(log) > 1 else inf
    return Estimate(
        estimator=estimator,
        value=found.value if observed or estimator not in _MODEL_FREE else nan,
        standard_error=deviation / sqrt(len(log)),
        interval=_interval(estimator, found, settings) if observed else (-inf, inf),
        interval_kind=settings.interval,
        clip=settings.clip if cut else None,
        clipped_rows=cut,
        clipped_weight=float((raw - weights).sum() / raw.sum()) if cut else 0.0,
        threshold=threshold if estimator is Estimator.SWITCH else None,
        flags=frozenset(flags),
    )


def _threshold(log: LoggedDecisions, target: Floats, weights: Floats, model: Floats, settings: _Settings) -> float:
    if settings.switch == "slope":
        return thresholds.slope(log, target, weights, model, settings.switch_among)
    if settings.switch == "least-risk":
        low, high = settings.reward_range or (float(log.reward.min()), float(log.reward.max()))
        return thresholds.least_risk(log, target, weights, model, high - low, settings.switch_among)
    return settings.switch


def _interval(estimator: Estimator, found: Scores, settings: _Settings) -> tuple[float, float]:
    if settings.interval is Interval.NORMAL:
        return intervals.normal(found, settings.level)
    if settings.interval is Interval.BOOTSTRAP:
        return intervals.bootstrap(found, settings.level, settings.seed)
    return intervals.bernstein(found, settings.level, _span(estimator, settings))


def _span(estimator: Estimator, settings: _Settings) -> float:
    """Length of the interval that one row's score can lie in."""
    low, high = settings.reward_range or (nan, nan)
    bounds = [bound for bound in (settings.weight_bound, settings.clip) if bound is not None]
    weight = min(bounds, default=nan)
    if estimator is Estimator.DM:
        return high - low
    if estimator is Estimator.IPS:
        return weight * (max(high, 0.0) - min(low, 0.0))
    if estimator is Estimator.SWITCH and not isinstance(settings.switch, str):
        weight = min(weight, settings.switch)
    return (1 + 2 * weight) * (high - low)


def _check(
    log: LoggedDecisions,
    weights: Floats,
    model: Floats | None,
    estimators: Sequence[Estimator],
    settings: _Settings,
) -> None:
    problems: list[str] = []
    needing = [str(estimator) for estimator in estimators if estimator not in _MODEL_FREE]
    shape = (len(log), len(log.actions))
    if model is None and needing:
        problems.append(f"model: {', '.join(needing)} need predicted rewards of shape {shape}; got none")
    if model is not None and model.shape != shape:
        problems.append(f"model: shape must be {shape} (rows, actions), got {model.shape}")
    elif model is not None and not bool(np.isfinite(model).all()):
        problems.append("model: all predicted rewards must be finite")
    switch = None if isinstance(settings.switch, str) else settings.switch
    for name, bound in (("clip", settings.clip), ("switch", switch), ("weight_bound", settings.weight_bound)):
        if bound is not None and not bound > 0:
            problems.append(f"{name}: must be above 0, got {bound}")
    if isinstance(settings.switch, str) and settings.switch not in ("least-risk", "slope"):
        problems.append(f"switch: must be a number, 'least-risk' or 'slope', got {settings.switch!r}")
    if settings.switch_among is not None and not (settings.switch_among and all(t > 0 for t in settings.switch_among)):
        problems.append(f"switch_among: must be thresholds above 0, at least one; got {settings.switch_among}")
    if not 0 < settings.level < 1:
        problems.append(f"level: must be between 0 and 1, got {settings.level}")
    problems += _reward_range_problems(log, settings)
    if settings.weight_bound is not None and float(weights.max()) > settings.weight_bound:
        problems.append(
            f"weight_bound: no weight may exceed it; got {settings.weight_bound}, the log holds {weights.max():g}"
        )
    problems += _bernstein_problems(model, estimators, settings)
    if problems:
        raise LogError(problems)


def _reward_range_problems(log: LoggedDecisions, settings: _Settings) -> list[str]:
    if settings.reward_range is None:
        return []
    low, high = settings.reward_range
    if not (isfinite(low) and isfinite(high) and low < high):
        return [f"reward_range: must be two finite numbers, the smaller first, got {settings.reward_range}"]
    if float(log.reward.min()) < low or float(log.reward.max()) > high:
        return [
            f"reward_range: the log holds rewards from {log.reward.min()} to {log.reward.max()}, outside {(low, high)}"
        ]
    return []


def _bernstein_problems(model: Floats | None, estimators: Sequence[Estimator], settings: _Settings) -> list[str]:
    if settings.interval is not Interval.BERNSTEIN:
        return []
    problems: list[str] = []
    if Estimator.SNIPS in estimators:
        problems.append("estimators: the Bernstein interval is of means, and snips is a ratio; leave it out")
    if settings.reward_range is None:
        problems.append("reward_range: the Bernstein interval needs the least and largest possible reward; got none")
    elif model is not None and (model.min() < settings.reward_range[0] or model.max() > settings.reward_range[1]):
        problems.append(
            f"model: the Bernstein interval needs predictions within reward_range {settings.reward_range}; got "
            f"{model.min():g} to {model.max():g}; cut them with numpy.clip"
        )
    if settings.weight_bound is None and settings.clip is None:
        problems.append("weight_bound: the Bernstein interval needs the largest possible weight, or a clip; got none")
    return problems
