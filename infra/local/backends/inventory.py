"""What is deployed, read from every backend in use; what AWS itself keeps or makes by default is left out."""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from infra.local.backends.stores import service_groups

Rows = Iterable[str]
Reader = Callable[[Any], Rows]


def deployed() -> dict[str, list[str]]:
    """Service to sorted names, over all accounts and regions; `{}` when nothing is deployed."""
    found: dict[str, list[str]] = {}
    for service, reader in _READERS.items():
        # A service that was never asked for anything was never loaded.
        module = sys.modules.get(f"moto.{service}.models")
        accounts: Any = getattr(module, f"{service}_backends", {})
        names = sorted(
            {
                name
                for regions in list(accounts.values())
                for backend in list(regions.values())
                for name in reader(backend)
            }
        )
        if names:
            found[service] = names
    return found


def _names(kind: str, items: Mapping[str, Any] | Iterable[Any]) -> Rows:
    return [f"{kind} {item}" for item in list(items)]


def _ec2(backend: Any) -> Rows:
    default = {vpc.id for vpc in backend.vpcs.values() if _is_default(vpc)}
    yield from _names("vpc", (vpc for vpc in backend.vpcs if vpc not in default))
    yield from _names(
        "subnet",
        (subnet.id for zone in backend.subnets.values() for subnet in zone.values() if subnet.vpc_id not in default),
    )
    yield from _names(
        "route-table",
        (
            table.id
            for table in backend.route_tables.values()
            if table.vpc_id not in default and not table.main_association_id
        ),
    )
    yield from _names(
        "security-group",
        (
            group.id
            for groups in backend.groups.values()
            for group in groups.values()
            if group.vpc_id not in default and group.name != "default"
        ),
    )
    yield from _names("vpc-endpoint", (item.id for item in backend.vpc_end_points.values() if item.state != "deleted"))
    yield from _names("flow-log", backend.flow_logs)
    yield from _names(
        "nat-gateway", (gateway.id for gateway in backend.nat_gateways.values() if gateway.state != "deleted")
    )
    yield from _names("internet-gateway", backend.internet_gateways)


def _is_default(vpc: Any) -> bool:
    return str(vpc.is_default).lower() == "true"


def _iam(backend: Any) -> Rows:
    yield from _names(
        "role", (role.name for role in backend.roles.values() if not role.path.startswith("/aws-service-role/"))
    )
    yield from _names(
        "policy", (policy.name for policy in backend.managed_policies.values() if ":aws:policy/" not in policy.arn)
    )
    yield from _names("user", backend.users)
    yield from _names("instance-profile", (profile.name for profile in backend.instance_profiles.values()))


def _kms(backend: Any) -> Rows:
    alive = [key for key in backend.keys.values() if key.key_manager != "AWS" and key.key_state != "PendingDeletion"]
    yield from _names("key", (key.id for key in alive))
    yield from _names("alias", (alias for key in alive for alias in key.aliases))


def _ecs(backend: Any) -> Rows:
    yield from _names("cluster", (cluster.name for cluster in backend.clusters.values() if cluster.status == "ACTIVE"))
    yield from _names(
        "service", (service.name for service in backend.services.values() if service.status != "INACTIVE")
    )
    yield from _names(
        "task", (task.id for tasks in backend.tasks.values() for task in tasks.values() if not task.ended)
    )
    definitions = (definition for revisions in backend.task_definitions.values() for definition in revisions.values())
    yield from _names(
        "task-definition", (f"{item.family}:{item.revision}" for item in definitions if item.status == "ACTIVE")
    )


def _logs(backend: Any) -> Rows:
    made = {
        name
        for account, region, name in service_groups
        if (account, region) == (backend.account_id, backend.region_name)
    }
    return _names("log-group", (name for name in backend.groups if name not in made))


def _sagemaker(backend: Any) -> Rows:
    yield from _names("model", (model.name for model in backend.list_models()))
    yield from _names("endpoint-config", backend.endpoint_configs)
    yield from _names("endpoint", backend.endpoints)
    yield from _names("model-package-group", backend.model_package_groups)
    yield from _names("model-package", backend.model_packages)
    yield from _names("training-job", (job.name for job in backend.training_jobs.values() if not job.ended))


def _rds(backend: Any) -> Rows:
    yield from _names("instance", backend.databases)
    yield from _names("subnet-group", backend.subnet_groups)
    yield from _names(
        "parameter-group", (name for name in backend.db_parameter_groups if not name.startswith("default."))
    )


def _elbv2(backend: Any) -> Rows:
    yield from _names("load-balancer", (balancer.name for balancer in backend.load_balancers.values()))
    yield from _names(
        "listener", (listener for balancer in backend.load_balancers.values() for listener in balancer.listeners)
    )
    yield from _names("target-group", (group.name for group in backend.target_groups.values()))


_READERS: Mapping[str, Reader] = {
    "applicationautoscaling": lambda backend: [
        *_names(
            "target",
            (
                f"{target.resource_id} {target.scalable_dimension}"
                for group in backend.targets.values()
                for target in group.values()
            ),
        ),
        *_names("policy", (policy.policy_name for policy in backend.policies.values())),
    ],
    "cloudwatch": lambda backend: [*_names("alarm", backend.alarms), *_names("dashboard", backend.dashboards)],
    "dynamodb": lambda backend: _names("table", backend.tables),
    "ec2": _ec2,
    "ecr": lambda backend: _names("repository", backend.repositories),
    "ecs": _ecs,
    "elbv2": _elbv2,
    "iam": _iam,
    "kms": _kms,
    "logs": _logs,
    "rds": _rds,
    "s3": lambda backend: _names("bucket", backend.buckets),
    "sagemaker": _sagemaker,
    "secretsmanager": lambda backend: _names(
        "secret", (secret.name for secret in backend.secrets.values() if not secret.is_deleted())
    ),
    "sns": lambda backend: _names("topic", backend.topics),
    "sqs": lambda backend: _names("queue", backend.queues),
    "ssm": lambda backend: _names(
        "parameter", (name for name in list(backend._parameters) if not name.startswith("/aws/"))
    ),  # pyright: ignore[reportPrivateUsage] - moto has no listing without paging
}
