"""A comparison against its look's boundaries, spent by the information really reached."""

from collections.abc import Sequence

import numpy as np

from pipelines.experimentation.analysis.sequential import after_stopping, from_spent
from pipelines.experimentation.decision.declaration import Declaration, PlannedLooks
from pipelines.experimentation.decision.effects import finite
from pipelines.experimentation.decision.records import Comparison, Look


def with_boundaries(
    declaration: Declaration, design: PlannedLooks, earlier: Sequence[Look], comparison: Comparison, *, final: bool
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
        "upper": finite(upper),
        "lower": finite(lower),
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
