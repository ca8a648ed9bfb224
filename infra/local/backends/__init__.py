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

# Services that look into other services' backends.
_LOOKS_EVERYWHERE = frozenset({"resourcegroupstaggingapi", "cloudformation", "moto_api"})

_lock = threading.RLock()
_installed: set[str] = set()


def install(service: str) -> None:
    """Put the live backend of a service in place; again is a no-op, and so is a service that has none."""
    if service in _LOOKS_EVERYWHERE:
        install_all()
    module = _LIVE.get(service)
    if module is None:
        return
    with _lock:
        if service not in _installed:
            importlib.import_module(module).install()
            _installed.add(service)


def install_all() -> None:
    """Put every live backend in place."""
    for service in _LIVE:
        install(service)
