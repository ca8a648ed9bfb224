"""Switchback experiments: all traffic changes over from period to period, in pairs whose order a salted hash decides.

Comparing within a pair removes slow changes such as the hour of the day; randomising the order removes bias by what
always comes second. The test flips the sign of each pair's difference, which under "no effect in any period" is
exactly the randomisation that was done (Bojinov, Simchi-Levi & Zhao 2023, "Design and Analysis of Switchback
Experiments", Management Science 69). What outlasts the washout biases the estimate towards zero, and nothing here can
tell.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit
from scipy.stats import permutation_test

from pipelines.experimentation.assignment.hashing import bucket
from pipelines.experimentation.decision.declaration import Declaration, Metric, Switchback
from pipelines.experimentation.decision.events import Events
from pipelines.experimentation.decision.records import Change, Comparison, Look, Verdict
from pipelines.experimentation.errors import ExperimentError

Floats = NDArray[np.float64]
RESAMPLES = 9_999


@dataclass(frozen=True)
class Period:
    """Half-open span of time given to one variant, in seconds since the epoch; `counted_from` is after the washout."""

    start: float
    counted_from: float
    end: float
    variant: str
    pair: int


def schedule(declaration: Declaration, started_at: float) -> list[Period]:
    """Every period; the same for the same declaration."""
    design = _design(declaration)
    length, periods = design.minutes * 60, list[Period]()
    for pair in range(design.pairs):
        treated_first = bucket(f"{design.salt}/{declaration.name}/switchback", str(pair)) < 5_000
        order = [declaration.treatments[0], declaration.control]
        for i, variant in enumerate(order if treated_first else order[::-1]):
            start = started_at + (2 * pair + i) * length
            periods.append(Period(start, start + design.washout_minutes * 60, start + length, variant, pair))
    return periods


@dataclass(frozen=True)
class PairedEffect:
    """Treatment minus control over pairs of periods."""

    difference: float
    low: float
    high: float
    """Student's interval at the declared level."""
    p_value: float
    """Two-sided sign-flipping p-value."""
    pairs: int
    skipped: int
    """Pairs with a period in which the metric had no value."""


def analyse(declaration: Declaration, periods: list[Period], events: Events) -> PairedEffect:
    """The primary metric's effect, once every period is over.

    Each period's value comes from the exposures and outcomes inside it after the washout: outcomes per exposure for a
    proportion or mean, or the ratio of two outcomes. Raises ExperimentError for a quantile, values that are NaN,
    fewer than six usable pairs or differences that do not vary.
    """
    metric = declaration.metrics[declaration.primary]
    if not np.isfinite(events.value).all():
        raise ExperimentError("outcome values contain NaN or infinity; repair them before analysis")
    values = [_value(metric, period, events) for period in periods]
    by_pair = dict[int, dict[str, float]]()
    for period, value in zip(periods, values, strict=True):
        by_pair.setdefault(period.pair, {})[period.variant] = value
    treatment = declaration.treatments[0]
    differences = np.array([pair[treatment] - pair[declaration.control] for pair in by_pair.values()])
    usable = differences[np.isfinite(differences)]
    if len(usable) < 6:
        raise ExperimentError(
            f"{len(usable)} pairs have a value in both periods; six are the fewest that can show anything"
        )
    deviation = float(usable.std(ddof=1))
    if deviation == 0:
        raise ExperimentError(
            f"{declaration.primary} differs by the same amount in every pair: there is no variance to judge by"
        )
    reach = float(stdtrit(len(usable) - 1, 1 - declaration.level / 2)) * deviation / np.sqrt(len(usable))
    centre = float(usable.mean())
    return PairedEffect(
        centre, centre - reach, centre + reach, sign_flip_p(usable), len(usable), len(differences) - len(usable)
    )


def sign_flip_p(differences: Floats) -> float:
    """Two-sided p-value of the mean difference over all sign patterns, or a seeded sample of them above 13 pairs."""
    found = permutation_test(
        (differences,),
        _absolute_mean,
        permutation_type="samples",
        vectorized=True,
        alternative="greater",
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(0),
    )
    return float(found.pvalue)


def _absolute_mean(differences: Floats, axis: int) -> Floats:
    return np.abs(np.mean(differences, axis=axis))


def judged(declaration: Declaration, started_at: float, events: Events, at: float) -> Look:
    """The one look at a switchback; ExperimentError while a period is still to come."""
    periods = schedule(declaration, started_at)
    if at < periods[-1].end:
        raise ExperimentError(f"the last period ends at {periods[-1].end}; a switchback has one look, after it")
    found = analyse(declaration, periods, events)
    better = declaration.metrics[declaration.primary].sign * found.difference > 0
    shown = found.p_value <= declaration.level
    verdict: Verdict = "ship" if shown and better else "keep control"
    comparison = Comparison(
        treatment=declaration.treatments[0],
        control_value=None,
        treatment_value=None,
        difference=found.difference,
        standard_error=None,
        z=None,
        information=None,
        fraction=None,
        crossed=("upper" if better else "lower") if shown else None,
        estimate=found.difference,
        interval=(found.low, found.high),
        p_value=found.p_value,
    )
    reason = f"sign-flipping p = {found.p_value:.3g} over {found.pairs} pairs, {found.skipped} skipped"
    other: Verdict = "keep control" if verdict == "ship" else "ship"
    needed = Change(what="sign-flipping p-value", observed=found.p_value, needed=declaration.level, verdict=other)
    return Look(
        number=1,
        at=at,
        data_digest=events.digest(),
        units={name: sum(period.variant == name for period in periods) for name in declaration.variants},
        sample_ratio_p=None,
        sample_ratio_level=None,
        flags={"pairs without a value": found.skipped},
        final=True,
        comparisons=(comparison,),
        guardrails=(),
        secondary={},
        verdict=verdict,
        winner=declaration.treatments[0] if verdict == "ship" else None,
        reasons=(reason,),
        would_have_changed=(needed,),
    )


def _value(metric: Metric, period: Period, events: Events) -> float:
    inside = (events.outcome_at >= period.counted_from) & (events.outcome_at < period.end)

    def total(name: str) -> float:
        return float(events.value[inside & (events.outcome == name)].sum())

    if metric.kind == "quantile":
        raise ExperimentError("a switchback needs a mean, proportion or ratio; a quantile of periods is not supported")
    if metric.kind == "ratio":
        below = total(metric.denominator)
        return total(metric.numerator) / below if below else float("nan")
    exposed = int(((events.at >= period.counted_from) & (events.at < period.end)).sum())
    if not exposed:
        return float("nan")
    if metric.kind == "proportion":
        return len(np.unique(events.outcome_unit[inside & (events.outcome == metric.outcome)])) / exposed
    return total(metric.outcome) / exposed


def _design(declaration: Declaration) -> Switchback:
    if declaration.design.kind != "switchback":
        raise ExperimentError(f"{declaration.name} is a {declaration.design.kind}, not a switchback")
    return declaration.design
