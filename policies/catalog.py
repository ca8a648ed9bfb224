"""Every rule of the pack, found in the modules of `policies.rules`."""

from types import ModuleType

from policies.controls import Rule
from policies.rules import (
    cloudwatch,
    ec2,
    ecr,
    ecs,
    elb,
    iam,
    kms,
    ownership,
    rds,
    s3,
    sagemaker,
    secrets,
    security_groups,
)

_MODULES: tuple[ModuleType, ...] = (
    s3,
    kms,
    iam,
    ec2,
    security_groups,
    ecr,
    ecs,
    elb,
    rds,
    sagemaker,
    secrets,
    cloudwatch,
    ownership,
)

RULES: tuple[Rule, ...] = tuple(
    value for module in _MODULES for value in vars(module).values() if isinstance(value, Rule)
)
"""All rules, service by service."""
