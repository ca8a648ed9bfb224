"""What a use case hands to the platform's pipelines. They know this protocol and nothing about any one use case."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.lake import Tables
from pipelines.progress import Progress

Scores = npt.NDArray[np.float64]
"""One number a row: the probability of the positive class."""


@dataclass(frozen=True)
class Sample:
    """Rows to be predicted whose outcome is known."""

    ids: Sequence[str]
    rows: pd.DataFrame
    """The columns of the model's signature, in its order."""
    truth: Scores
    """1.0 or 0.0 a row."""
    about: str
    """What the rows are and which were left out, for the report."""


class Workload(Protocol):
    """A use case with a binary outcome: where its data comes from, how its model is trained and what is good enough."""

    @property
    def name(self) -> str:
        """Lower case letters, digits and hyphens, at most 20: it becomes part of names of jobs and models."""
        ...

    @property
    def code(self) -> Path:
        """Folder with the training script: the job's channel `code`."""
        ...

    @property
    def program(self) -> str:
        """The training script, below `code`. It leaves an MLflow model with a signature in SM_MODEL_DIR, and beside it
        `evaluation/metrics.json` (name → number) and `evaluation/scores.parquet` (column `id`, one column of scores per
        model, the model's own as `model`, baselines under their names) for the rows of the channel `test`.
        """
        ...

    @property
    def hyperparameters(self) -> Mapping[str, str]:
        """Arguments of the script."""
        ...

    def recipe(self) -> str:
        """Hash of everything the tables are computed from, sources and code; the same one is not computed twice."""
        ...

    def tables(self, progress: Progress) -> Tables:
        """Compute the raw tables and the channels `train` and `test`."""
        ...

    def sample(self, test: pd.DataFrame, count: int) -> Sample:
        """At most `count` rows of the channel `test`, always the same ones."""
        ...

    def scores(self, predictions: Sequence[Sequence[Any]]) -> Scores:
        """Scores from the endpoint's rows."""
        ...

    def objections(self, metrics: Mapping[str, float]) -> list[str]:
        """Why a model with these metrics must not be released, a sentence each; empty when it may be."""
        ...
