"""A declared metric's effect, from the table of units."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipelines.experimentation.analysis.estimates import (
    Effect,
    Level,
    compare,
    compare_adjusted_means,
    compare_means,
    compare_ratios,
    quantile,
)
from pipelines.experimentation.analysis.moments import Moments
from pipelines.experimentation.decision.declaration import Metric
from pipelines.experimentation.decision.table import Table
from pipelines.experimentation.errors import ExperimentError

Floats = NDArray[np.float64]
MINIMUM_UNITS = 2


def effect(metric: Metric, table: Table, control: str, treatment: str) -> Effect:
    """Treatment minus control in the metric's own unit; with several stages, stage by stage and then combined.

    A comparison across stages would mix the change of shares with whatever changed over time. NaN where an arm has
    fewer than two units or the metric no variance. Raises ExperimentError for a missing covariate or a quantile with
    too little beyond it.
    """
    stages = np.unique(table.stage)
    if len(stages) <= 1:
        return _one_stage(metric, table, control, treatment)
    return _combined([_one_stage(metric, table.select(table.stage == stage), control, treatment) for stage in stages])


def _one_stage(metric: Metric, table: Table, control: str, treatment: str) -> Effect:
    arms = [table.select(table.variant == name) for name in (control, treatment)]
    if metric.kind == "quantile":
        before, after = (_quantile(metric.outcome, metric.quantile, arm) for arm in arms)
        return compare(before, after)
    columns, comparison = _plan(metric, clustered=table.cluster is not None)
    return comparison(*(_moments(columns(arm), arm.cluster) for arm in arms))


def _plan(
    metric: Metric, *, clustered: bool
) -> tuple[Callable[[Table], list[Floats]], Callable[[Moments, Moments], Effect]]:
    if metric.kind == "ratio":
        return lambda arm: [arm.sums[metric.numerator], arm.sums[metric.denominator]], compare_ratios
    if metric.kind == "quantile":
        raise ExperimentError("a quantile is not a function of means")
    if metric.kind == "mean" and metric.covariates:
        if clustered:
            raise ExperimentError("covariates are not supported for clustered units; leave them out")
        return lambda arm: [arm.sums[metric.outcome], *_covariates(arm, metric.covariates)], compare_adjusted_means

    def outcome(arm: Table) -> Floats:
        if metric.kind == "proportion":
            return (arm.counts[metric.outcome] > 0).astype(float)
        return arm.sums[metric.outcome]

    if clustered:
        return lambda arm: [outcome(arm), np.ones(len(arm.variant))], compare_ratios
    return lambda arm: [outcome(arm)], compare_means


def _covariates(arm: Table, names: tuple[str, ...]) -> list[Floats]:
    missing = sorted(set(names) - set(arm.covariates))
    if missing:
        raise ExperimentError(f"exposures lack the covariates {missing}; they carry {sorted(arm.covariates)}")
    return [arm.covariates[name] for name in names]


def _moments(columns: list[Floats], cluster: NDArray[np.str_] | None) -> Moments:
    if cluster is not None:
        _, member = np.unique(cluster, return_inverse=True)
        columns = [np.bincount(member, weights=column).astype(float) for column in columns]
    return Moments.of(*columns)


def _quantile(outcome: str, probability: float, arm: Table) -> Level:
    values, owner = arm.values[outcome]
    members = owner if arm.cluster is None else np.unique(arm.cluster, return_inverse=True)[1][owner]
    repeated = len(np.unique(members)) < len(members)
    return quantile(values, probability, members if repeated else None)


def _combined(effects: list[Effect]) -> Effect:
    """Average weighted by information, over the stages that have any.

    By the cautious one: a stage in which a small arm saw no event would otherwise outweigh all others.
    """
    usable = [e for e in effects if np.isfinite(e.cautious_information)]
    if not usable:
        return effects[-1]
    weights = np.array([float(e.cautious_information) for e in usable])
    weights /= weights.sum()

    def average(values: list[Floats]) -> Floats:
        return np.asarray(sum(w * v for w, v in zip(weights, values, strict=True)), dtype=float)

    def error(errors: list[Floats]) -> Floats:
        return np.asarray(np.sqrt(sum(w**2 * float(e) ** 2 for w, e in zip(weights, errors, strict=True))))

    return Effect(
        average([e.control for e in usable]),
        average([e.treatment for e in usable]),
        average([e.difference for e in usable]),
        error([e.standard_error for e in usable]),
        np.asarray(sum(float(e.degrees) for e in usable)),
        average([w * e.control_variance for w, e in zip(weights, usable, strict=True)]),
        error([e.cautious_error for e in usable]),
    )


def finite(value: object) -> float | None:
    """The number, or None where it cannot be said."""
    number = float(value)  # pyright: ignore[reportArgumentType]: numpy scalars and arrays without dimensions
    return number if math.isfinite(number) else None
