"""The flights use case as the platform's pipelines see it."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.progress import Progress
from pipelines.workload import Sample, Scores

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.lake import Tables

HERE = Path(__file__).parent
COMPUTED_BY = ("source.py", "features.py", "schemas.py", "tables.py")
"""Modules whose text decides what the tables hold."""

LEAST_ROC_AUC = 0.70
"""Schedule and weather alone reach .72 in September: below this, something is broken."""


class Flights:
    """Late arrivals: history is January to August 2013, judged on September."""

    name = "flights"
    program = "train.py"
    code = HERE / "model"
    hyperparameters: Mapping[str, str] = {
        "iterations": "200",
        "learning-rate": "0.06",
        "leaves": "31",
        "smallest-leaf": "100",
        "seed": "20130901",
    }

    def recipe(self) -> str:
        """Hash over the source files and the modules that compute the tables."""
        from pipelines.workloads.flights import source  # noqa: PLC0415 - pandas loads only when a run needs it

        sha = hashlib.sha256(source.digest().encode())
        for name in COMPUTED_BY:
            sha.update((HERE / name).read_bytes())
        return sha.hexdigest()[:16]

    def tables(self, progress: Progress) -> "Tables":
        """Raw flights and weather by month; features and label of flights that arrived."""
        from pipelines.workloads.flights import tables  # noqa: PLC0415 - as above

        return tables.compute(progress)

    def sample(self, test: "pd.DataFrame", count: int) -> Sample:
        """Flights of September, drawn with a fixed seed from those that arrived."""
        from pipelines.workloads.flights.features import COLUMNS  # noqa: PLC0415 - as above

        chosen = test.sample(n=min(count, len(test)), random_state=9).sort_values("flight_id", ignore_index=True)
        return Sample(
            ids=chosen["flight_id"].tolist(),
            rows=chosen[COLUMNS],
            truth=chosen["late"].to_numpy(np.float64),
            about=f"{len(chosen)} of the {len(test)} flights of September 2013 that arrived as planned "
            "(cancelled and diverted flights have no arrival delay and are left out)",
        )

    def scores(self, predictions: Sequence[Sequence[Any]]) -> Scores:
        """The second of the two class probabilities: late."""
        return np.array([row[1] for row in predictions], dtype=np.float64)

    def objections(self, metrics: Mapping[str, float]) -> list[str]:
        """The model must reach the least ROC AUC, and beat both baselines."""
        auc = metrics["roc_auc"]
        found: list[str] = []
        if auc < LEAST_ROC_AUC:
            found.append(f"ROC AUC is {auc:.3f}, the least allowed is {LEAST_ROC_AUC:.2f}")
        for baseline in ("carrier_hour_rate", "logistic_regression"):
            other = metrics[f"{baseline}_roc_auc"]
            if auc <= other:
                found.append(f"ROC AUC is {auc:.3f}, no better than {other:.3f} of {baseline.replace('_', ' ')}")
        return found


WORKLOAD = Flights()
