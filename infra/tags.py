"""The tags every taggable resource carries, and what their values mean. Free of Pulumi: policy packs read it too."""

from collections.abc import Mapping
from enum import StrEnum

PROJECT = "mlp"
"""Value of the `Project` tag and first part of every fixed name."""

REQUIRED_TAGS = ("Project", "Environment", "Stage", "Owner", "CostCenter", "DataClass", "ManagedBy")
"""Keys every taggable resource carries; a policy of the same list checks it."""

MANAGED_BY = "pulumi"


class DataClass(StrEnum):
    """What a resource holds; each class has an encryption key of its own."""

    CONFIDENTIAL = "confidential"
    """Data about people or business: the lake and captured requests."""
    INTERNAL = "internal"
    """What the platform makes: models, artifacts, images, the registry's database."""
    OPERATIONAL = "operational"
    """Logs, metrics, access records and settings."""


def tags(ownership: Mapping[str, str], *, stage: str, data_class: DataClass) -> dict[str, str]:
    """The required tags for a resource of `stage`.

    `ownership` gives `environment`, `owner` and `cost_center`; a missing key raises KeyError.
    """
    return {
        "Project": PROJECT,
        "Environment": ownership["environment"],
        "Stage": stage,
        "Owner": ownership["owner"],
        "CostCenter": ownership["cost_center"],
        "DataClass": data_class.value,
        "ManagedBy": MANAGED_BY,
    }
