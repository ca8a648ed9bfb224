"""One look at a running experiment.

From a declaration, the earlier looks and the data to a verdict, without side effects.
"""

import math
from collections.abc import Sequence

import numpy as np

from pipelines.experimentation.analysis import sample_ratio
from pipelines.experimentation.analysis.sample_ratio import SampleRatio
from pipelines.experimentation.analysis.sequential import after_stopping, from_spent
from pipelines.experimentation.decision.declaration import Declaration, GroupSequential
from pipelines.experimentation.decision.effects import effect
from pipelines.experimentation.decision.events import Events, Table, tabulate
from pipelines.experimentation.decision.guardrails import read, secondary, share_of
from pipelines.experimentation.decision.records import Comparison, Look, Verdict
from pipelines.experimentation.decision.switchback import judged
from pipelines.experimentation.decision.verdict import changes, judge

DAY = 86_400.0


def look(declaration: Declaration, started_at: float, earlier: Sequence[Look], events: Events, at: float) -> Look:
    """Look at what had happened by `at`; nothing later is read.

    First the split and the data's health; if either fails the verdict is "invalid" and no effect is computed. Then
    the guardrails, of which one that trips means "roll back". Then the primary metric against this look's boundaries.
    A canary and a switchback are judged by `canary` and `switchback` instead of boundaries.
    """
    seen = events.until(at)
    if declaration.design.kind == "switchback":
        return judged(declaration, started_at, seen, at)
    table = tabulate(seen, declaration)
    units = {name: int((table.variant == name).sum()) for name in declaration.variants}
    split, problems = _health(declaration, table)
    days = (at - started_at) / DAY
    exhausted = days >= declaration.stop.maximum_days
    if declaration.design.kind == "group-sequential":
        exhausted = exhausted or len(earlier) + 1 >= len(declaration.design.looks)
    final = exhausted

    def result(verdict: Verdict, reasons: Sequence[str], **found: object) -> Look:
        return Look.model_validate(
            {
                "number": len(earlier) + 1,
                "at": at,
                "data_digest": seen.digest(),
                "units": units,
                "sample_ratio_p": split.p_value if split else None,
                "sample_ratio_level": split.level if split else None,
                "flags": dict(table.flags),
                "final": final,
                "comparisons": (),
                "guardrails": (),
                "secondary": {},
                "winner": None,
                "would_have_changed": (),
                **found,
                "verdict": verdict,
                "reasons": tuple(reasons),
            }
        )

    if problems:
        return result("invalid", problems)
    readings = read(declaration, table)
    comparisons = [compare_primary(declaration, table, treatment) for treatment in declaration.treatments]
    if declaration.design.kind == "group-sequential":
        final = exhausted or all((c.fraction or 0) >= 1 for c in comparisons)
        comparisons = [
            with_boundaries(declaration, declaration.design, earlier, comparison, final=final)
            for comparison in comparisons
        ]
    may_ship = exhausted or days >= declaration.stop.minimum_days
    verdict, winner, reasons = judge(declaration, earlier, comparisons, readings, may_ship=may_ship, final=final)
    return result(
        verdict,
        reasons,
        comparisons=comparisons,
        guardrails=readings,
        winner=winner,
        final=final,
        secondary=secondary(declaration, table),
        would_have_changed=changes(comparisons, readings, split, verdict),
    )


def _health(declaration: Declaration, table: Table) -> tuple[SampleRatio | None, list[str]]:
    """The split that fits worst, and everything that makes the data unfit to be judged."""
    problems = list(table.invalid)
    if any("undeclared" in problem for problem in problems):
        return None, problems
    design = declaration.design
    looks = len(design.looks) if design.kind == "group-sequential" else 100
    stages = np.unique(table.stage)
    worst: SampleRatio | None = None
    for stage in stages:
        weights = dict(declaration.variants)
        if design.kind == "canary":
            share = share_of(declaration, declaration.treatments[0], int(stage))
            weights = {declaration.control: 1 - share, declaration.treatments[0]: share}
        counts = _assigned_units(table.select(table.stage == stage))
        found = sample_ratio.check(counts, weights, looks * len(stages))
        if worst is None or found.p_value < worst.p_value:
            worst = found
        if found.mismatch:
            problems.append(
                f"sample ratio mismatch: expected {_rounded(found.expected)}, observed {found.observed}, "
                f"p = {found.p_value:.2g} below {found.level:.2g}; find the cause before reading any effect"
            )
    return worst, problems


def _assigned_units(table: Table) -> dict[str, int]:
    """Counts of what was randomised: clusters where clusters are, units otherwise."""
    if table.cluster is None:
        names, counts = np.unique(table.variant, return_counts=True)
    else:
        pairs = {(str(cluster), str(variant)) for cluster, variant in zip(table.cluster, table.variant, strict=True)}
        names, counts = np.unique([variant for _, variant in sorted(pairs)], return_counts=True)
    return {str(name): int(count) for name, count in zip(names, counts, strict=True)}


def _rounded(expected: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in expected.items()}


def compare_primary(declaration: Declaration, table: Table, treatment: str) -> Comparison:
    """The primary metric's effect and how much of the planned information it carries."""
    metric = declaration.metrics[declaration.primary]
    found = effect(metric, table, declaration.control, treatment)
    information = _finite(found.information)
    fraction = None
    if declaration.design.kind == "group-sequential" and information is not None:
        fraction = information / declaration.maximum_information
    return Comparison(
        treatment=treatment,
        control_value=_finite(found.control),
        treatment_value=_finite(found.treatment),
        difference=_finite(found.difference),
        standard_error=_finite(found.standard_error),
        z=_finite(metric.sign * found.z),
        information=information,
        fraction=fraction,
    )


def with_boundaries(
    declaration: Declaration, design: GroupSequential, earlier: Sequence[Look], comparison: Comparison, *, final: bool
) -> Comparison:
    """Add this look's boundaries, spent by the information really reached, and the inference if it ends here."""
    previous = informations(earlier, comparison.treatment)
    if comparison.information is None or comparison.z is None or comparison.fraction is None:
        return comparison
    if previous and comparison.information <= previous[-1] * (1 + 1e-9):
        return comparison  # nothing new: testing again would spend error on the same data
    levels = [*previous, comparison.information]
    fractions = np.array(levels) / declaration.maximum_information
    bounds = from_spent(
        fractions, design.spending.spent, declaration.level_per_treatment, design.sides, last_spends_all=final
    )
    upper, lower = float(bounds.upper[-1]), float(bounds.lower[-1])
    crossed = "upper" if comparison.z >= upper else "lower" if comparison.z <= lower else None
    update: dict[str, object] = {
        "upper": _finite(upper),
        "lower": _finite(lower),
        "spent": float(bounds.spent[-1]),
        "crossed": crossed,
    }
    if crossed or final:
        confidence = 1 - declaration.level_per_treatment * (1 if design.sides == "two" else 2)
        stopped = after_stopping(levels, bounds, comparison.z, confidence, design.sides)
        sign = declaration.metrics[declaration.primary].sign
        update |= {
            "estimate": sign * stopped.estimate,
            "interval": tuple(sorted((sign * stopped.low, sign * stopped.high))),
            "p_value": stopped.p_value,
        }
    return comparison.model_copy(update=update)


def informations(earlier: Sequence[Look], treatment: str) -> list[float]:
    """Information at the earlier looks that tested `treatment`."""
    return [
        comparison.information
        for past in earlier
        for comparison in past.comparisons
        if comparison.treatment == treatment and comparison.information is not None and comparison.spent is not None
    ]


def _finite(value: object) -> float | None:
    number = float(value)  # pyright: ignore[reportArgumentType]: numpy scalars and arrays without dimensions
    return number if math.isfinite(number) else None
