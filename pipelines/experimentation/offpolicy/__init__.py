"""Off-policy evaluation: what a new policy would have earned, estimated from decisions another policy logged."""

from pipelines.experimentation.offpolicy.diagnostics import Diagnostics, Flag, diagnose
from pipelines.experimentation.offpolicy.errors import LogError
from pipelines.experimentation.offpolicy.evaluation import Estimate, Evaluation, evaluate
from pipelines.experimentation.offpolicy.intervals import Interval
from pipelines.experimentation.offpolicy.log import SCHEMA, LoggedDecisions, checked_target
from pipelines.experimentation.offpolicy.reward_model import Model, cross_fitted
from pipelines.experimentation.offpolicy.scores import Estimator

__all__ = [
    "SCHEMA",
    "Diagnostics",
    "Estimate",
    "Estimator",
    "Evaluation",
    "Flag",
    "Interval",
    "LogError",
    "LoggedDecisions",
    "Model",
    "checked_target",
    "cross_fitted",
    "diagnose",
    "evaluate",
]
