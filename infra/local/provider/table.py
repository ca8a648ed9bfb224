"""The table: every resource type the provider knows, by its token."""

from .handler import Handler
from .services import (
    appautoscaling,
    ec2_network,
    ec2_security,
    ecr,
    ecs,
    elb,
    iam,
    kms,
    monitoring,
    rds,
    s3,
    sagemaker,
    ssm,
)

_SERVICES = (
    appautoscaling,
    ec2_network,
    ec2_security,
    ecr,
    ecs,
    elb,
    iam,
    kms,
    monitoring,
    rds,
    s3,
    sagemaker,
    ssm,
)

TABLE: dict[str, Handler] = {handler.spec.type: handler for service in _SERVICES for handler in service.HANDLERS}
