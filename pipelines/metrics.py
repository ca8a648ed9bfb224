"""How good scores of a binary outcome are."""
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# scikit-learn carries no types.

from typing import cast

import numpy as np
from pydantic import BaseModel
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from pipelines.workload import Scores


class Bin(BaseModel):
    """Rows with neighbouring scores."""

    rows: int
    score: float
    """Their mean score."""
    observed: float
    """Share of them with the positive outcome; equal to the score when well calibrated."""


class Quality(BaseModel):
    """Ranking and calibration of one model's scores."""

    roc_auc: float
    average_precision: float
    brier: float
    """Mean squared difference of score and outcome; lower is better."""
    calibration_error: float
    """Mean absolute difference of score and observed share over bins of equal size (ECE); lower is better."""


def quality(truth: Scores, scores: Scores, *, bins: int = 10) -> Quality:
    """Quality of `scores` in [0, 1] for `truth` of 1.0 and 0.0, both of which must occur."""
    return Quality(
        roc_auc=float(cast("float", roc_auc_score(truth, scores))),
        average_precision=float(average_precision_score(truth, scores)),
        brier=float(brier_score_loss(truth, scores)),
        calibration_error=calibration_error(calibration(truth, scores, bins=bins)),
    )


def calibration(truth: Scores, scores: Scores, *, bins: int = 10) -> list[Bin]:
    """As many bins as rows allow, of sizes that differ by at most one, from the lowest scores to the highest."""
    order = np.argsort(scores, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return [Bin(rows=len(part), score=float(scores[part].mean()), observed=float(truth[part].mean())) for part in parts]


def calibration_error(bins: list[Bin]) -> float:
    """Mean absolute difference of score and observed share, weighted by rows."""
    total = sum(each.rows for each in bins)
    return sum(each.rows * abs(each.score - each.observed) for each in bins) / total
