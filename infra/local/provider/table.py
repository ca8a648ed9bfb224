"""The table: every resource type the provider knows, by its token."""

from .handler import Handler
from .services import (
    appautoscaling,
    ec2_endpoints,
    ec2_network,
    ec2_security,
    ecr,
    ecs,
    ecs_service,
    elb,
    elb_listener,
    iam,
    kms,
    monitoring,
    rds,
    rds_instance,
    s3,
    s3_object,
    sagemaker,
    ssm,
)

_SERVICES = (
    appautoscaling,
    ec2_endpoints,
    ec2_network,
    ec2_security,
    ecr,
    ecs,
    ecs_service,
    elb,
    elb_listener,
    iam,
    kms,
    monitoring,
    rds,
    rds_instance,
    s3,
    s3_object,
    sagemaker,
    ssm,
)

TABLE: dict[str, Handler] = {handler.spec.type: handler for service in _SERVICES for handler in service.HANDLERS}
