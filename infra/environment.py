"""What every component knows of the environment it stands in."""

from typing import TypedDict

from infra.tags import DataClass, tags

_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}


class Environment(TypedDict):
    """Where a component stands and who answers for it."""

    environment: str
    """Name of the environment, part of every fixed name."""
    account_id: str
    """AWS account, twelve digits."""
    region: str
    """AWS region, as `eu-west-1`."""
    owner: str
    """Team that answers for the resources: the `Owner` tag."""
    cost_center: str
    """Who pays: the `CostCenter` tag."""


def partition(region: str) -> str:
    """The partition of a region: `aws`, `aws-cn` or `aws-us-gov`."""
    return next((name for prefix, name in _PARTITIONS.items() if region.startswith(prefix)), "aws")


def arn(environment: Environment, service: str, resource: str) -> str:
    """ARN of a regional resource of the environment's account."""
    region, account = environment["region"], environment["account_id"]
    return f"arn:{partition(region)}:{service}:{region}:{account}:{resource}"


def resource_tags(environment: Environment, stage: str, data_class: DataClass) -> dict[str, str]:
    """The required tags for a resource of `stage` in `environment`."""
    ownership = {key: environment[key] for key in ("environment", "owner", "cost_center")}
    return tags(ownership, stage=stage, data_class=data_class)
