"""A comparison against its look's boundaries, spent by the information really reached."""

from collections.abc import Sequence

import numpy as np

from pipelines.experimentation.analysis.sequential import Boundaries, after_stopping, from_spent, futility_boundary
from pipelines.experimentation.decision.declaration import Declaration, PlannedLooks
from pipelines.experimentation.decision.effects import finite
from pipelines.experimentation.decision.records import Comparison, Look


def with_boundaries(
    declaration: Declaration, design: PlannedLooks, earlier: Sequence[Look], comparison: Comparison, *, final: bool
) -> Comparison:
    """Add this look's boundaries, spent by the information really reached, and the inference if it ends here.

    The inference after a stop for futility is that of a test without one, as the error of shipping is.
    """
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
    futile = None if final else _futility(declaration, design, earlier, comparison.treatment, bounds)
    update: dict[str, object] = {
        "upper": finite(upper),
        "lower": finite(lower),
        "spent": float(bounds.spent[-1]),
        "crossed": crossed,
        "futility": futile,
    }
    if crossed or final or (futile is not None and comparison.z <= futile):
        confidence = 1 - declaration.level_per_treatment * (1 if design.sides == "two" else 2)
        stopped = after_stopping(levels, bounds, comparison.z, confidence, design.sides)
        sign = declaration.metrics[declaration.primary].sign
        update |= {
            "estimate": sign * stopped.estimate,
            "interval": tuple(sorted((sign * stopped.low, sign * stopped.high))),
            "p_value": stopped.p_value,
        }
    return comparison.model_copy(update=update)


def _futility(
    declaration: Declaration, design: PlannedLooks, earlier: Sequence[Look], treatment: str, bounds: Boundaries
) -> float | None:
    """The z at and below which this look is futile; None where none is, or where a boundary was crossed before."""
    crossed = any(c.crossed for past in earlier for c in past.comparisons if c.treatment == treatment)
    if design.futility is None or crossed:
        return None
    drift = declaration.minimum_effect * float(np.sqrt(declaration.maximum_information))
    error = 1 - declaration.power
    lower = futility_boundary(bounds, design.futility.spending, error, drift)
    return finite(min(lower[-1], bounds.upper[-1]))


def informations(earlier: Sequence[Look], treatment: str) -> list[float]:
    """Information at the earlier looks that tested `treatment`."""
    return [
        comparison.information
        for past in tested(earlier, treatment)
        for comparison in past.comparisons
        if comparison.treatment == treatment and comparison.information is not None
    ]


def tested(earlier: Sequence[Look], treatment: str) -> list[Look]:
    """The earlier looks that spent error on `treatment`."""
    return [
        past
        for past in earlier
        if any(c.treatment == treatment and c.information is not None and c.spent is not None for c in past.comparisons)
    ]
