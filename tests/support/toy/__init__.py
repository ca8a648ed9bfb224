"""A second workload, as small as one can be: does a point lie above a line?"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipelines.lake import Tables
from pipelines.progress import Progress
from pipelines.workload import Sample, Scores

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Toy:
    """`strength` goes to the script; `behaviour` makes it fail in the ways that tests need."""

    strength: str = "1.0"
    behaviour: str = "well"
    least_roc_auc: float = 0.8
    name: str = "toy"
    program: str = "train.py"
    code: Path = HERE / "model"
    computed: list[str] = field(default_factory=list[str])
    """Grows by one with each time the tables are computed."""

    @property
    def hyperparameters(self) -> Mapping[str, str]:
        return {"strength": self.strength, "behaviour": self.behaviour}

    def recipe(self) -> str:
        return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]

    def tables(self, progress: Progress) -> Tables:
        progress("data", "draw points")
        self.computed.append("once")
        random = np.random.default_rng(7)
        points = pd.DataFrame({"x": random.random(400), "y": random.random(400)})
        points.insert(0, "id", [f"p{at:03}" for at in range(400)])
        points["above"] = (points["y"] > points["x"] + random.normal(0, 0.1, 400)).astype(float)
        train, test = points.iloc[:300], points.iloc[300:]
        return Tables(raw={"points.parquet": points}, channels={"train": {"p": train}, "test": {"p": test}})

    def sample(self, test: pd.DataFrame, count: int) -> Sample:
        chosen = test.head(min(count, 40))
        return Sample(
            ids=chosen["id"].tolist(),
            rows=chosen[["x", "y"]],
            truth=chosen["above"].to_numpy(np.float64),
            about=f"{len(chosen)} points",
        )

    def scores(self, predictions: Sequence[Sequence[Any]]) -> Scores:
        return np.array([row[1] for row in predictions], dtype=np.float64)

    def objections(self, metrics: Mapping[str, float]) -> list[str]:
        auc = metrics["roc_auc"]
        return [] if auc >= self.least_roc_auc else [f"ROC AUC is {auc:.2f}, wanted is {self.least_roc_auc}"]
