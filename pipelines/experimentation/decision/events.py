"""Exposures and outcomes as columns."""

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


def outcomes_of(declaration: Declaration) -> set[str]:
    """Names of every outcome that a declared metric reads."""
    names = set[str]()
    for metric in declaration.metrics.values():
        names |= {metric.numerator, metric.denominator} if metric.kind == "ratio" else {metric.outcome}
    return names
