"""The table of units that the analysis reads."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.experimentation.decision.declaration import Declaration
from pipelines.experimentation.decision.events import Events, Flags, Floats, Indices, Texts, outcomes_of
from pipelines.experimentation.errors import ExperimentError


@dataclass(frozen=True)
class Table:
    """One row per unit exposed to exactly one variant, and what was set aside on the way."""

    variant: Texts
    exposed: Floats
    """When each unit was first exposed, seconds since the epoch."""
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

    def select(self, rows: Flags) -> "Table":
        """The table of some of the units."""
        position = np.cumsum(rows) - 1
        values = dict[str, tuple[Floats, Indices]]()
        for name, (column, owner) in self.values.items():
            kept = rows[owner]
            values[name] = (column[kept], position[owner[kept]])
        return Table(
            self.variant[rows],
            self.exposed[rows],
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
LARGEST = 1e100
"""No value lies beyond: sums of squares over any number of units stay finite."""


def tabulate(events: Events, declaration: Declaration) -> Table:
    """Join outcomes to first exposures.

    Set aside and counted: outcomes before their unit's exposure, outside the window or of units never exposed; units
    seen in several variants. Invalid, so that no verdict is given: values and declared covariates that are NaN,
    infinite or beyond LARGEST, a variant that was not declared, too many units in several variants. Raises
    ExperimentError when nobody was exposed or a needed column is missing.
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
    usable &= _sound(events, declaration, kept, usable, invalid)
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
        events.at[kept],
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
) -> tuple[Indices, Flags]:
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


def _sound(events: Events, declaration: Declaration, kept: Indices, usable: Flags, invalid: list[str]) -> Flags:
    """Which values can be added and squared; fills `invalid` with what cannot, the covariates of `kept` rows too."""
    wrong = f"NaN, infinite or beyond {LARGEST:g}"
    sound = np.abs(events.value) <= LARGEST  # NaN is not
    if (count := int((usable & ~sound).sum())) > 0:
        invalid.append(f"{count} outcome values are {wrong}")
    read = {name for metric in declaration.metrics.values() if metric.kind == "mean" for name in metric.covariates}
    bad = {
        name: int((~(np.abs(events.covariates[name][kept]) <= LARGEST)).sum()) for name in read & set(events.covariates)
    }
    invalid.extend(f"{name} of {count} units is {wrong}" for name, count in sorted(bad.items()) if count)
    return sound
