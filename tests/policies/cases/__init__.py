"""A passing stack for every control, and the one attribute that turns the verdict."""

from tests.policies.cases import (
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
from tests.policies.cases._case import Case

CASES: tuple[Case, ...] = tuple(
    case
    for module in (
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
    for case in module.CASES
)
