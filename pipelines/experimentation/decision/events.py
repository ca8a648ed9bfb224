"""Exposures and outcomes as columns, and the table of units that the analysis reads."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipelines.experimentation.decision.declaration import Declaration
from pipelines.experimentation.errors import ExperimentError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Texts = NDArray[np.str_]
Indices = NDArray[np.intp]
Column = Texts | Floats


@dataclass(frozen=True)
class Events:
    """What was recorded, one row per event, times in seconds since the epoch; units are keyed hashes.

    `stage` is the canary step in force at the exposure (0 otherwise). `covariates`, `segments` and `cluster` belong
    to exposures and describe the unit before it.
    """

    unit: Texts
    variant: Texts
    at: Floats
    outcome_unit: Texts
    outcome: Texts
    value: Floats
    outcome_at: Floats
    stage: Indices | None = None
    cluster: Texts | None = None
    covariates: Mapping[str, Floats] = field(default_factory=dict[str, Floats])
    segments: Mapping[str, Texts] = field(default_factory=dict[str, Texts])

    def __post_init__(self) -> None:
        rows = len(self.unit)
        along = [self.variant, self.at, *self.covariates.values(), *self.segments.values()]
        along += [column for column in (self.stage, self.cluster) if column is not None]
        if any(len(column) != rows for column in along):
            raise ExperimentError(f"every exposure column must have {rows} rows, got {[len(c) for c in along]}")
        if not len(self.outcome_unit) == len(self.outcome) == len(self.value) == len(self.outcome_at):
            raise ExperimentError("every outcome column must have the same number of rows")
        if not (np.isfinite(self.at).all() and np.isfinite(self.outcome_at).all()):
            raise ExperimentError("every event needs a time; NaN and infinity are not times")

    def until(self, moment: float) -> "Events":
        """What had happened by `moment`, seconds since the epoch."""
        return self.where(self.at <= moment, self.outcome_at <= moment)

    def where(self, exposures: Flags, outcomes: Flags) -> "Events":
        """The exposures and the outcomes whose flag is set."""
        return Events(
            self.unit[exposures],
            self.variant[exposures],
            self.at[exposures],
            self.outcome_unit[outcomes],
            self.outcome[outcomes],
            self.value[outcomes],
            self.outcome_at[outcomes],
            None if self.stage is None else self.stage[exposures],
            None if self.cluster is None else self.cluster[exposures],
            {name: column[exposures] for name, column in self.covariates.items()},
            {name: column[exposures] for name, column in self.segments.items()},
        )

    def digest(self) -> str:
        """SHA-256 of the content, the same for any order of rows."""
        exposures: dict[str, Column] = {"unit": self.unit, "variant": self.variant, "at": self.at}
        exposures |= {} if self.stage is None else {"stage": self.stage.astype(float)}
        exposures |= {} if self.cluster is None else {"cluster": self.cluster}
        exposures |= {f"covariate {name}": column for name, column in sorted(self.covariates.items())}
        exposures |= {f"segment {name}": column for name, column in sorted(self.segments.items())}
        outcomes: dict[str, Column] = {"unit": self.outcome_unit, "outcome": self.outcome}
        outcomes |= {"value": self.value, "at": self.outcome_at}
        digest = hashlib.sha256()
        for rows in (exposures, outcomes):
            order = np.lexsort(list(rows.values())[::-1])
            for name, column in rows.items():
                text = column.dtype.kind == "U"
                content = json.dumps(column[order].tolist()).encode() if text else column[order].astype("<f8").tobytes()
                digest.update(f"{name} {len(content)}\n".encode() + content)
        return digest.hexdigest()


@dataclass(frozen=True)
class Table:
    """One row per unit exposed to exactly one variant, and what was set aside on the way."""

    variant: Texts
    stage: Indices
    cluster: Texts | None
    covariates: Mapping[str, Floats]
    segments: Mapping[str, Texts]
    sums: Mapping[str, Floats]
    """Sum of each outcome's values per unit."""
    counts: Mapping[str, Floats]
    """Number of each outcome's events per unit."""
    values: Mapping[str, tuple[Floats, Indices]]
    """Each outcome's single values with their unit's row."""
    flags: Mapping[str, int]
    """How many events or units were set aside, by reason."""
    invalid: tuple[str, ...]
    """Reasons why nothing may be concluded."""

    def select(self, rows: NDArray[np.bool_]) -> "Table":
        """The table of some of the units."""
        position = np.cumsum(rows) - 1
        values = dict[str, tuple[Floats, Indices]]()
        for name, (column, owner) in self.values.items():
            kept = rows[owner]
            values[name] = (column[kept], position[owner[kept]])
        return Table(
            self.variant[rows],
            self.stage[rows],
            None if self.cluster is None else self.cluster[rows],
            {name: column[rows] for name, column in self.covariates.items()},
            {name: column[rows] for name, column in self.segments.items()},
            {name: column[rows] for name, column in self.sums.items()},
            {name: column[rows] for name, column in self.counts.items()},
            values,
            self.flags,
            self.invalid,
        )


CONTAMINATION_LIMIT = 0.01
"""Share of units seen in several variants above which assignment cannot be trusted."""


def tabulate(events: Events, declaration: Declaration) -> Table:
    """Join outcomes to first exposures.

    Set aside and counted: outcomes before their unit's exposure, outside the window or of units never exposed; units
    seen in several variants. Invalid, so that no verdict is given: NaN or infinite values, a variant that was not
    declared, too many units in several variants. Raises ExperimentError when nobody was exposed or a needed column is
    missing.
    """
    if not len(events.unit):
        raise ExperimentError("no exposure was recorded; nothing can be analysed")
    invalid = list[str]()
    unknown = sorted(set(events.variant.tolist()) - set(declaration.variants))
    if unknown:
        invalid.append(f"exposures to undeclared variants {unknown}")
    order = np.argsort(events.at, kind="stable")
    names, first, member = np.unique(events.unit[order], return_index=True, return_inverse=True)
    rows = order[first]
    crossed = np.zeros(len(names), dtype=bool)
    crossed[member[events.variant[order] != events.variant[rows][member]]] = True
    if crossed.mean() > CONTAMINATION_LIMIT:
        invalid.append(f"{int(crossed.sum())} of {len(names)} units were exposed to several variants")
    flags = {"units in several variants": int(crossed.sum())}
    kept = rows[~crossed]
    position = np.where(crossed, -1, np.cumsum(~crossed) - 1)
    owner, usable = _owners(events, names, events.at[rows], position, declaration.window_hours, flags)
    wrong = usable & ~np.isfinite(events.value)
    if wrong.any():
        invalid.append(f"{int(wrong.sum())} outcome values are NaN or infinite")
    usable &= ~wrong
    sums, counts, values = dict[str, Floats](), dict[str, Floats](), dict[str, tuple[Floats, Indices]]()
    for name in sorted(outcomes_of(declaration)):
        mine = usable & (events.outcome == name)
        where, what = owner[mine], events.value[mine]
        sums[name] = np.bincount(where, weights=what, minlength=len(kept)).astype(float)
        counts[name] = np.bincount(where, minlength=len(kept)).astype(float)
        values[name] = (what, where)
    if declaration.clustered and events.cluster is None:
        raise ExperimentError("the declaration says clustered, but the exposures carry no cluster")
    stage = events.stage if events.stage is not None else np.zeros(len(events.unit), dtype=np.intp)
    return Table(
        events.variant[kept],
        stage[kept],
        events.cluster[kept] if declaration.clustered and events.cluster is not None else None,
        {name: column[kept] for name, column in events.covariates.items()},
        {name: column[kept] for name, column in events.segments.items()},
        sums,
        counts,
        values,
        flags,
        tuple(invalid),
    )


def _owners(
    events: Events, names: Texts, exposed: Floats, position: Indices, window_hours: float | None, flags: dict[str, int]
) -> tuple[Indices, NDArray[np.bool_]]:
    """Row of each outcome's unit in the table, and whether the outcome counts; fills `flags`."""
    found = np.minimum(np.searchsorted(names, events.outcome_unit), len(names) - 1)
    known = names[found] == events.outcome_unit
    early = known & (events.outcome_at < exposed[found])
    late = np.zeros_like(early)
    if window_hours is not None:
        late = known & (events.outcome_at > exposed[found] + window_hours * 3600)
    flags["outcomes without exposure"] = int((~known).sum())
    flags["outcomes before exposure"] = int(early.sum())
    flags["outcomes after the window"] = int(late.sum())
    usable = known & ~early & ~late & (position[found] >= 0)
    return np.where(usable, position[found], 0), usable


def outcomes_of(declaration: Declaration) -> set[str]:
    """Names of every outcome that a declared metric reads."""
    names = set[str]()
    for metric in declaration.metrics.values():
        names |= {metric.numerator, metric.denominator} if metric.kind == "ratio" else {metric.outcome}
    return names
