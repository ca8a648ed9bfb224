"""One look at a running experiment.

From a declaration, the earlier looks and the data to a verdict, without side effects.
"""

from collections.abc import Sequence

import numpy as np

from pipelines.experimentation.analysis import sample_ratio
from pipelines.experimentation.analysis.sample_ratio import SampleRatio
from pipelines.experimentation.decision import interleaved
from pipelines.experimentation.decision.bounds import with_boundaries
from pipelines.experimentation.decision.declaration import Declaration
from pipelines.experimentation.decision.effects import effect, finite
from pipelines.experimentation.decision.events import Events
from pipelines.experimentation.decision.guardrails import read, secondary, share_of
from pipelines.experimentation.decision.records import Comparison, Look, Verdict
from pipelines.experimentation.decision.segments import by_segment
from pipelines.experimentation.decision.switchback import judged
from pipelines.experimentation.decision.table import Table, tabulate
from pipelines.experimentation.decision.verdict import changes, judge

DAY = 86_400.0


def look(declaration: Declaration, started_at: float, earlier: Sequence[Look], events: Events, at: float) -> Look:
    """Look at what had happened by `at`; nothing later is read.

    First the split and the data's health; if either fails the verdict is "invalid" and no effect is computed. Then
    the guardrails, of which one that trips means "roll back". Then the primary metric against this look's boundaries,
    over the units whose window is over: a value that still grows would tie this look to the next in a way that the
    boundaries do not know.
    A canary and a switchback are judged by `canary` and `switchback` instead of boundaries, an interleaving by
    `interleaved`, which looks at units that saw both variants.
    """
    seen = events.until(at)
    if declaration.design.kind == "switchback":
        return judged(declaration, started_at, seen, at)
    if declaration.design.kind == "interleaving":
        return interleaved.judged(declaration, started_at, earlier, seen, at)
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
                "step_units": _step_units(declaration, table),
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
    whole = _whole(declaration, table, at)
    comparisons = [compare_primary(declaration, whole, treatment) for treatment in declaration.treatments]
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
        flags={**table.flags, "units whose window is not over": len(table.variant) - len(whole.variant)},
        secondary=secondary(declaration, whole),
        segments=by_segment(declaration, whole),
        would_have_changed=changes(comparisons, readings, split, verdict),
    )


def _whole(declaration: Declaration, table: Table, at: float) -> Table:
    """The units whose outcomes are all known by `at`; a canary does not wait for them."""
    if declaration.window_hours is None or declaration.design.kind == "canary":
        return table
    return table.select(table.exposed <= at - declaration.window_hours * 3600)


def _health(declaration: Declaration, table: Table) -> tuple[SampleRatio | None, list[str]]:
    """The split that fits worst, and everything that makes the data unfit to be judged."""
    problems = list(table.invalid)
    if any("undeclared" in problem for problem in problems):
        return None, problems
    splits = [_split(declaration, table, int(stage)) for stage in np.unique(table.stage)]
    problems += [
        f"sample ratio mismatch: expected {_rounded(found.expected)}, observed {found.observed}, "
        f"p = {found.p_value:.2g} below {found.level:.2g}; find the cause before reading any effect"
        for found in splits
        if found.mismatch
    ]
    return min(splits, key=lambda found: found.p_value, default=None), problems


def _split(declaration: Declaration, table: Table, stage: int) -> SampleRatio:
    """Of one step of a canary, which is looked at as often as one likes; of all units at a planned look otherwise."""
    counts, design = _assigned_units(table.select(table.stage == stage)), declaration.design
    if design.kind == "canary":
        share = share_of(declaration, declaration.treatments[0], stage)
        weights = {declaration.control: 1 - share, declaration.treatments[0]: share}
        return sample_ratio.watch(counts, weights, sample_ratio.LEVEL / len(design.shares))
    return sample_ratio.check(
        counts, dict(declaration.variants), len(design.looks) if design.kind == "group-sequential" else 1
    )


def _step_units(declaration: Declaration, table: Table) -> tuple[int, ...]:
    if declaration.design.kind != "canary":
        return ()
    mine = table.stage[table.variant == declaration.treatments[0]]
    return tuple(int((mine == step).sum()) for step in range(len(declaration.design.shares)))


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
    """The primary metric's effect and how much of the planned information it carries; nothing while an arm is empty."""
    metric = declaration.metrics[declaration.primary]
    found = effect(metric, table, declaration.control, treatment)
    known = {"control": found.control, "treatment": found.treatment, "difference": found.difference}
    if not {declaration.control, treatment} <= set(table.variant.tolist()):
        known = dict.fromkeys(known, np.asarray(np.nan))
    information = finite(found.information)
    fraction = None
    if declaration.design.kind == "group-sequential" and information is not None:
        fraction = information / declaration.maximum_information
    return Comparison(
        treatment=treatment,
        control_value=finite(known["control"]),
        treatment_value=finite(known["treatment"]),
        difference=finite(known["difference"]),
        standard_error=finite(found.standard_error),
        z=finite(metric.sign * found.z),
        information=information,
        fraction=fraction,
    )
