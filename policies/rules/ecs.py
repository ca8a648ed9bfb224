"""ECS: tasks run unprivileged, read-only, logged, and without secrets in plain text."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from policies.controls import Control, Level, Nist, Severity, Source, resource_rule
from policies.documents import load_json
from policies.resources import Block, Resource, dig

CLUSTER = "aws:ecs/cluster:Cluster"
SERVICE = "aws:ecs/service:Service"
TASK_DEFINITION = "aws:ecs/taskDefinition:TaskDefinition"
TASK_SET = "aws:ecs/taskSet:TaskSet"

LATEST_FARGATE_LINUX = "1.4.0"

CREDENTIAL_VARIABLES = frozenset({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "ECS_ENGINE_AUTH_DATA"})
"""ECS.8's names."""

_SECRET_NAME = re.compile(
    r"(^|_)(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIALS?)($|_)", re.IGNORECASE
)
_NOT_A_VALUE = re.compile(r"_(ARN|NAME|PATH|FILE|URI|URL|ID|TTL|SECONDS)$", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----|://[^/\s:@]+:[^/\s:@]+@")
ROOT = frozenset({"", "root", "0"})


def containers(task: Resource) -> list[Mapping[str, Any]]:
    """Container definitions, which pulumi-aws takes as JSON text in the API's own spelling."""
    definitions = task.get("containerDefinitions", "[]")
    parsed = load_json(definitions) if isinstance(definitions, str) else list(definitions)
    return cast("list[Mapping[str, Any]]", parsed)


def _environment(container: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return container.get("environment") or []


def _user(container: Mapping[str, Any]) -> str:
    return f"{container.get('user') or ''}".partition(":")[0]


def _is_windows(task: Resource) -> bool:
    family = dig(task, "runtimePlatform", "operatingSystemFamily") or "LINUX"
    return family.upper().startswith("WINDOWS")


def _task_control(
    number: int, title: str, severity: Severity, looks_at: str, nist: Nist, source: Source = Source.FSBP
) -> Control:
    return Control(f"ECS.{number}", title, severity, (TASK_DEFINITION,), looks_at, source=source, nist=nist)


@resource_rule(
    _task_control(
        1,
        "ECS task definitions should have secure networking modes and user definitions",
        Severity.HIGH,
        "networkMode, privileged, user",
        Nist.PRIVILEGE,
    )
)
def host_network_has_a_user(task: Resource) -> Iterator[str]:
    """In the host's network a container is either privileged on purpose or runs as a named user that is not root."""
    if task.get("networkMode") != "host":
        return
    for container in containers(task):
        if not container.get("privileged") and _user(container) in ROOT:
            yield f"container {container.get('name')} runs as root in the host's network"


@resource_rule(
    _task_control(
        3,
        "ECS task definitions should not share the host's process namespace",
        Severity.HIGH,
        "pidMode",
        Nist.PRIVILEGE,
    )
)
def own_process_namespace(task: Resource) -> Iterator[str]:
    """`pidMode` is not host."""
    if task.get("pidMode") == "host":
        yield "pidMode is 'host'"


@resource_rule(
    _task_control(4, "ECS containers should run as non-privileged", Severity.HIGH, "privileged", Nist.PRIVILEGE)
)
def is_not_privileged(task: Resource) -> Iterator[str]:
    """No container has the host's root powers."""
    for container in containers(task):
        if container.get("privileged"):
            yield f"container {container.get('name')} is privileged"


@resource_rule(
    _task_control(
        5,
        "ECS containers should be limited to read-only access to root filesystems",
        Severity.HIGH,
        "readonlyRootFilesystem",
        Nist.PRIVILEGE,
    )
)
def root_filesystem_is_read_only(task: Resource) -> Iterator[str]:
    """Every container says `readonlyRootFilesystem`."""
    for container in containers(task):
        if container.get("readonlyRootFilesystem") is not True:
            yield f"container {container.get('name')}: readonlyRootFilesystem is not true"


@resource_rule(
    _task_control(
        8,
        "Secrets should not be passed as container environment variables",
        Severity.HIGH,
        "environment: the names of AWS credentials",
        Nist.NONE,
    )
)
def no_aws_credentials_in_environment(task: Resource) -> Iterator[str]:
    """None of AWS's credential variables is set; the task role gives credentials."""
    for container in containers(task):
        for variable in _environment(container):
            if variable.get("name") in CREDENTIAL_VARIABLES:
                yield f"container {container.get('name')}: {variable.get('name')} in its environment"


@resource_rule(
    Control(
        "MLP.ECS.1",
        "Task definitions carry no secret in plain text",
        Severity.HIGH,
        (TASK_DEFINITION,),
        "environment: names and values that look like secrets",
        source=Source.MLP,
    )
)
def no_plain_text_secret(task: Resource) -> Iterator[str]:
    """Passwords, tokens and keys come through `secrets`, never through `environment`. The value is not repeated."""
    for container in containers(task):
        for variable in _environment(container):
            name, value = f"{variable.get('name')}", f"{variable.get('value') or ''}"
            named = bool(value and _SECRET_NAME.search(name) and not _NOT_A_VALUE.search(name))
            if named or _SECRET_VALUE.search(value):
                yield f"container {container.get('name')}: {name} looks like a secret; hand it over through `secrets`"


@resource_rule(
    _task_control(
        9, "ECS task definitions should have a logging configuration", Severity.HIGH, "logConfiguration", Nist.LOGGING
    )
)
def containers_log(task: Resource) -> Iterator[str]:
    """Every container has a log driver."""
    for container in containers(task):
        if not dig(container, "logConfiguration", "logDriver"):
            yield f"container {container.get('name')} has no logConfiguration"


@resource_rule(
    _task_control(
        17,
        "ECS task definitions should not use host network mode",
        Severity.MEDIUM,
        "networkMode",
        Nist.PRIVILEGE,
        Source.SECURITY_HUB,
    )
)
def own_network(task: Resource) -> Iterator[str]:
    """`networkMode` is not host."""
    if task.get("networkMode") == "host":
        yield "networkMode is 'host'"


@resource_rule(
    _task_control(
        18,
        "ECS task definitions should use in-transit encryption for EFS volumes",
        Severity.MEDIUM,
        "volumes' efsVolumeConfiguration.transitEncryption",
        Nist.NONE,
        Source.SECURITY_HUB,
    )
)
def efs_is_encrypted_in_transit(task: Resource) -> Iterator[str]:
    """Every EFS volume is mounted over TLS."""
    for volume in task.get("volumes", []):
        efs = volume.get("efsVolumeConfiguration")
        if efs and efs.get("transitEncryption") != "ENABLED":
            yield f"volume {volume.get('name')}: transitEncryption is not 'ENABLED'"


@resource_rule(
    _task_control(
        20,
        "ECS task definitions should configure non-root users in Linux container definitions",
        Severity.MEDIUM,
        "user of Linux containers",
        Nist.NONE,
        Source.SECURITY_HUB,
    )
)
def linux_user_is_not_root(task: Resource) -> Iterator[str]:
    """The definition itself names a user that is not root, whatever the image says."""
    if _is_windows(task):
        return
    for container in containers(task):
        if _user(container) in ROOT:
            yield f"container {container.get('name')}: user is {container.get('user')!r}"


@resource_rule(
    _task_control(
        21,
        "ECS task definitions should configure non-administrator users in Windows container definitions",
        Severity.MEDIUM,
        "user of Windows containers",
        Nist.NONE,
        Source.SECURITY_HUB,
    )
)
def windows_user_is_not_administrator(task: Resource) -> Iterator[str]:
    """Windows containers run as a named user that is not the administrator."""
    if not _is_windows(task):
        return
    for container in containers(task):
        if (container.get("user") or "containeradministrator").lower() == "containeradministrator":
            yield f"container {container.get('name')} runs as administrator"


def _public_address(target: Resource) -> Iterator[str]:
    if dig(target, "networkConfiguration", "assignPublicIp"):
        yield "networkConfiguration.assignPublicIp is true"


@resource_rule(
    Control(
        "ECS.2",
        "ECS services should not have public IP addresses assigned to them automatically",
        Severity.HIGH,
        (SERVICE,),
        "networkConfiguration.assignPublicIp",
        nist=Nist.NETWORK,
    )
)
def service_has_no_public_address(service: Resource) -> Iterator[str]:
    """A service's tasks have private addresses only."""
    yield from _public_address(service)


@resource_rule(
    Control(
        "ECS.16",
        "ECS task sets should not automatically assign public IP addresses",
        Severity.HIGH,
        (TASK_SET,),
        "networkConfiguration.assignPublicIp",
    )
)
def task_set_has_no_public_address(task_set: Resource) -> Iterator[str]:
    """A task set's tasks have private addresses only."""
    yield from _public_address(task_set)


@resource_rule(
    Control(
        "ECS.10",
        "Fargate services should run on the latest Fargate platform version",
        Severity.MEDIUM,
        (SERVICE,),
        f"platformVersion: LATEST, {LATEST_FARGATE_LINUX} or absent",
        nist=Nist.MONITORING,
    )
)
def runs_latest_fargate(service: Resource) -> Iterator[str]:
    """The newest Linux platform version, which is also what no value means."""
    if service.get("launchType") == "EC2":
        return
    version = service.get("platformVersion", "LATEST")
    if version not in {"LATEST", LATEST_FARGATE_LINUX}:
        yield f"platformVersion is {version!r}"


@resource_rule(
    Control(
        "ECS.12",
        "ECS clusters should have Container Insights enabled",
        Severity.MEDIUM,
        (CLUSTER,),
        "settings: containerInsights",
        nist=Nist.LOGGING,
    )
)
def has_container_insights(cluster: Resource) -> Iterator[str]:
    """Container Insights are enabled or enhanced."""
    values = [each.get("value") for each in cluster.get("settings", []) if each.get("name") == "containerInsights"]
    if not any(value in {"enabled", "enhanced"} for value in values):
        yield "settings has no containerInsights 'enabled' or 'enhanced'"


@resource_rule(
    Control(
        "MLP.ECS.2",
        "A deployment that does not come up is rolled back",
        Severity.MEDIUM,
        (SERVICE,),
        "deploymentCircuitBreaker",
        source=Source.MLP,
        level=Level.ADVISORY,
    )
)
def rolls_back(service: Resource) -> Iterator[str]:
    """The deployment circuit breaker is on and rolls back."""
    breaker: Block = service.get("deploymentCircuitBreaker") or {}
    if not (breaker.get("enable") and breaker.get("rollback")):
        yield "deploymentCircuitBreaker is not enabled with rollback"
