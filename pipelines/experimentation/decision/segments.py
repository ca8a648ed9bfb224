"""The primary effect by declared segment: ideas for the next experiment, never a reason for this one's verdict."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from pipelines.experimentation.analysis.estimates import Effect
from pipelines.experimentation.analysis.segments import heterogeneity
from pipelines.experimentation.decision.declaration import Declaration
from pipelines.experimentation.decision.effects import effect, finite
from pipelines.experimentation.decision.table import Table
from pipelines.experimentation.errors import ExperimentError

MOST_VALUES = 12
"""Of one segment, by number of units; the rest is taken together as OTHER."""
OTHER = "(other)"


class SegmentEffect(BaseModel):
    """The effect among the units with one value of a segment."""

    model_config = ConfigDict(frozen=True)

    units: int
    """In the treatment and the control together."""
    difference: float | None
    """None where it cannot be estimated."""
    standard_error: float | None
    adjusted: float | None
    """p-value of a single look, after Benjamini-Hochberg over the segment's values."""


class Segmentation(BaseModel):
    """One segment for one treatment."""

    model_config = ConfigDict(frozen=True)

    label: Literal["exploratory"] = "exploratory"
    heterogeneity: float | None
    """Cochran's p-value that all values share one effect; None with fewer than two estimates."""
    values: dict[str, SegmentEffect]


def by_segment(declaration: Declaration, table: Table) -> dict[str, Segmentation]:
    """The effect on the primary metric by `segment/treatment`. Raises ExperimentError for a segment nobody sent."""
    missing = sorted(set(declaration.segments) - set(table.segments))
    if missing:
        raise ExperimentError(f"exposures lack the segments {missing}; they carry {sorted(table.segments)}")
    return {
        f"{segment}/{treatment}": _one(declaration, table, _grouped(table.segments[segment]), treatment)
        for segment in declaration.segments
        for treatment in declaration.treatments
    }


def _grouped(column: NDArray[np.str_]) -> NDArray[np.str_]:
    values, counts = np.unique(column, return_counts=True)
    if len(values) <= MOST_VALUES:
        return column
    largest = values[np.lexsort((values, -counts))[: MOST_VALUES - 1]]
    return np.where(np.isin(column, largest), column, OTHER)


def _one(declaration: Declaration, table: Table, column: NDArray[np.str_], treatment: str) -> Segmentation:
    compared = (table.variant == declaration.control) | (table.variant == treatment)
    effects, units = dict[str, Effect | None](), dict[str, int]()
    for value in np.unique(column[compared]).tolist():
        rows = compared & (column == value)
        units[value] = int(rows.sum())
        effects[value] = _effect(declaration, table.select(rows), treatment)
    known = {value: found for value, found in effects.items() if found is not None}
    try:
        found = heterogeneity(known)
    except ExperimentError:
        return Segmentation(heterogeneity=None, values=_values(effects, units, {}))
    adjusted = {value: corrected.adjusted for value, corrected in found.segments.items()}
    return Segmentation(heterogeneity=finite(found.p_value), values=_values(effects, units, adjusted))


def _effect(declaration: Declaration, table: Table, treatment: str) -> Effect | None:
    """None where it cannot be estimated: an arm too small, no variance, too few values beyond a quantile."""
    try:
        found = effect(declaration.metrics[declaration.primary], table, declaration.control, treatment)
    except ExperimentError:
        return None
    return found if np.isfinite(found.z) else None


def _values(
    effects: Mapping[str, Effect | None], units: Mapping[str, int], adjusted: Mapping[str, float]
) -> dict[str, SegmentEffect]:
    return {
        value: SegmentEffect(
            units=units[value],
            difference=None if found is None else finite(found.difference),
            standard_error=None if found is None else finite(found.standard_error),
            adjusted=adjusted.get(value),
        )
        for value, found in effects.items()
    }
