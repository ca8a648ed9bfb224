"""Deterministic, salted, sticky assignment, evaluated in the caller from a signed configuration."""

from pipelines.experimentation.assignment.assigner import Assigner, Placement
from pipelines.experimentation.assignment.configuration import (
    Configuration,
    Experiment,
    Holdout,
    Slot,
    Variant,
    override_digest,
)
from pipelines.experimentation.assignment.signing import (
    Envelope,
    StaleConfigurationError,
    TamperedConfigurationError,
    key_id,
    sign,
    verify,
)
from pipelines.experimentation.assignment.succession import reshuffles

__all__ = [
    "Assigner",
    "Configuration",
    "Envelope",
    "Experiment",
    "Holdout",
    "Placement",
    "Slot",
    "StaleConfigurationError",
    "TamperedConfigurationError",
    "Variant",
    "key_id",
    "override_digest",
    "reshuffles",
    "sign",
    "verify",
]
