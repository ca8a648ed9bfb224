"""Services of the embedded AWS that really run: subclasses of moto's backends, put in place before first use."""

import importlib
import threading

_LIVE = {
    "applicationautoscaling": "infra.local.backends.autoscaling",
    "cloudwatch": "infra.local.backends.cloudwatch.backend",
    "ec2": "infra.local.backends.ec2",
    "ecr": "infra.local.backends.ecr",
    "ecs": "infra.local.backends.ecs.backend",
    "elbv2": "infra.local.backends.elb.backend",
    "rds": "infra.local.backends.rds",
    "s3": "infra.local.backends.s3",
    "sagemaker": "infra.local.backends.sagemaker.backend",
}
"""moto's service name to the module whose `install()` puts the live backend in place."""

_NEEDS = {
    "applicationautoscaling": ("cloudwatch", "ecs"),
    "ecs": ("ec2", "ecr", "elbv2"),
    "elbv2": ("ec2",),
    "rds": ("ec2",),
    "sagemaker": ("cloudwatch", "ecr", "s3"),
}
"""Live backends that a service looks into, which must be in place before it does."""

# Services that look into no live one; any other may look into all.
_ALONE = frozenset(
    {"acm", "dynamodb", "iam", "instance_metadata", "kms", "logs", "secretsmanager", "sns", "sqs", "ssm", "sts"}
)

_lock = threading.RLock()
_installed: set[str] = set()


def install(service: str) -> None:
    """Put the live backend of a service in place, and those it looks into; again is a no-op."""
    if service not in _LIVE:
        if service not in _ALONE:
            install_all()
        return
    with _lock:
        for needed in _NEEDS.get(service, ()):
            install(needed)
        if service not in _installed:
            importlib.import_module(_LIVE[service]).install()
            _installed.add(service)


def install_all() -> None:
    """Put every live backend in place."""
    for service in _LIVE:
        install(service)
