"""From readings and comparisons to a verdict, and to what would have made it another."""

from collections.abc import Sequence

from pipelines.experimentation.analysis.sample_ratio import SampleRatio
from pipelines.experimentation.decision.declaration import Declaration, PlannedLooks
from pipelines.experimentation.decision.guardrails import Reading
from pipelines.experimentation.decision.records import Change, Comparison, Look, Verdict


def judge(
    declaration: Declaration,
    earlier: Sequence[Look],
    comparisons: Sequence[Comparison],
    readings: Sequence[Reading],
    *,
    may_ship: bool,
    final: bool,
) -> tuple[Verdict, str | None, list[str]]:
    """Verdict, winning treatment and reasons. Guardrails come first, then this look's boundaries, then the end.

    A boundary once crossed stays crossed: with `minimum_days` not over, shipping only waits until they are. Futility is
    advice of this look alone.
    """
    tripped = [f"guardrail {r.metric} of {r.treatment}: {_harm(r)}" for r in readings if r.tripped]
    if tripped:
        return "roll back", None, tripped
    if not isinstance(declaration.design, PlannedLooks):
        return "continue", None, ["no guardrail has tripped"]
    return _by_boundaries(declaration, earlier, comparisons, may_ship=may_ship, final=final)


def _harm(reading: Reading) -> str:
    if reading.harm is None:
        return "harm is shown"
    if reading.kind == "rare-event":
        return f"shown to be more frequent, {reading.harm:.3g} times the control's"
    return f"shown to be worse, by {reading.harm:.3g}"


def _by_boundaries(
    declaration: Declaration, earlier: Sequence[Look], comparisons: Sequence[Comparison], *, may_ship: bool, final: bool
) -> tuple[Verdict, str | None, list[str]]:
    before = {c.treatment: c.crossed for past in earlier for c in past.comparisons if c.crossed}
    crossed = {c.treatment: c.crossed or before.get(c.treatment) for c in comparisons}
    better = [c for c in comparisons if crossed[c.treatment] == "upper"]
    if better and may_ship:
        best = max(better, key=lambda c: c.z or 0.0)
        return "ship", best.treatment, [f"{declaration.primary} of {best.treatment} crossed its upper boundary"]
    if all(side == "lower" for side in crossed.values()):
        return "keep control", None, [f"{declaration.primary} is shown to be worse in every treatment"]
    if all(crossed[c.treatment] == "lower" or c.futile for c in comparisons):
        worth = f"an improvement of {declaration.primary} worth having"
        return "keep control", None, [f"{worth} would rarely look so small by now: stopping is advised, not required"]
    if better:
        days = declaration.stop.minimum_days
        return "continue", None, [f"{better[0].treatment} is better; {days:g} days are not over"]
    if not final:
        return "continue", None, ["no boundary is crossed"]
    return _at_the_end(declaration, comparisons)


def _at_the_end(declaration: Declaration, comparisons: Sequence[Comparison]) -> tuple[Verdict, None, list[str]]:
    unknown = [c.treatment for c in comparisons if c.z is None]
    if unknown:
        reason = f"{declaration.primary} has no variance or no events in {unknown}: nothing can be said"
        return "invalid", None, [reason]
    return "keep control", None, [f"no improvement of {declaration.primary} was shown by the end"]


def changes(
    comparisons: Sequence[Comparison], readings: Sequence[Reading], split: SampleRatio | None, verdict: Verdict
) -> list[Change]:
    """The numbers that the verdict hung on, each with the value it would have had to have."""
    changes = list[Change]()
    for comparison in comparisons:
        name = comparison.treatment
        if comparison.upper is not None:
            other: Verdict = "continue" if verdict == "ship" else "ship"
            changes.append(Change(what=f"z of {name}", observed=comparison.z, needed=comparison.upper, verdict=other))
            if comparison.standard_error is not None:
                needed = comparison.upper * comparison.standard_error
                changes.append(
                    Change(
                        what=f"size of the improvement of {name} at the same error",
                        observed=comparison.difference,
                        needed=needed,
                        verdict=other,
                    )
                )
        if comparison.futility is not None:
            other = "continue" if verdict == "keep control" else "keep control"
            what = f"z of {name} at which going on is futile"
            changes.append(Change(what=what, observed=comparison.z, needed=comparison.futility, verdict=other))
    for reading in readings:
        what = f"evidence of harm to {reading.metric} in {reading.treatment} (log e-value)"
        other = "continue" if reading.tripped else "roll back"
        changes.append(Change(what=what, observed=reading.log_e_value, needed=reading.threshold, verdict=other))
    if split is not None:
        changes.append(
            Change(what="sample ratio p-value", observed=split.p_value, needed=split.level, verdict="invalid")
        )
    return changes
