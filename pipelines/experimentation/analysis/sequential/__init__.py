"""Group-sequential tests: spending functions, exact boundaries, power, and inference after stopping."""

from pipelines.experimentation.analysis.sequential.boundaries import Boundaries, boundaries, constant_shape, from_spent
from pipelines.experimentation.analysis.sequential.design import (
    Stopped,
    after_stopping,
    drift_for,
    expected_fraction,
    futility_boundary,
    inflation,
    power,
    with_futility,
)
from pipelines.experimentation.analysis.sequential.spending import KimDeMets, OBrienFleming, Pocock, Spending

__all__ = [
    "Boundaries",
    "KimDeMets",
    "OBrienFleming",
    "Pocock",
    "Spending",
    "Stopped",
    "after_stopping",
    "boundaries",
    "constant_shape",
    "drift_for",
    "expected_fraction",
    "from_spent",
    "futility_boundary",
    "inflation",
    "power",
    "with_futility",
]
