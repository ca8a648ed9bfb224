"""Clusters, services and task definitions."""

from typing import Any

from policies.rules import ecs
from tests.policies.cases._case import Case, Entry, entry


def _task(container: dict[str, Any], **properties: Any) -> tuple[Entry]:
    return (entry(ecs.TASK_DEFINITION, "task", containerDefinitions=[{"name": "main", **container}], **properties),)


def _environment(name: str, value: str) -> tuple[Entry]:
    return _task({"environment": [{"name": name, "value": value}]})


_SERVICE = entry(
    ecs.SERVICE,
    "service",
    launchType="FARGATE",
    platformVersion="LATEST",
    networkConfiguration={"assignPublicIp": False, "subnets": ["subnet-1"]},
    deploymentCircuitBreaker={"enable": True, "rollback": True},
)
_EFS = {"name": "shared", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "transitEncryption": "ENABLED"}}
_VARIABLE = "containerDefinitions[0].environment[0]"

CASES = (
    Case("ECS.1", _task({"user": "1000"}, networkMode="host"), "task", "containerDefinitions[0].user", "0:0"),
    Case("ECS.1", _task({}, networkMode="awsvpc"), "task", "networkMode", "host", missing="passes"),
    Case("ECS.2", (_SERVICE,), "service", "networkConfiguration.assignPublicIp", bad=True, missing="passes"),
    Case("ECS.3", _task({}, pidMode="task"), "task", "pidMode", "host", missing="passes"),
    Case(
        "ECS.4", _task({"privileged": False}), "task", "containerDefinitions[0].privileged", bad=True, missing="passes"
    ),
    Case(
        "ECS.5",
        _task({"readonlyRootFilesystem": True}),
        "task",
        "containerDefinitions[0].readonlyRootFilesystem",
        bad=False,
    ),
    Case(
        "ECS.8",
        _environment("AWS_REGION", "eu-west-1"),
        "task",
        f"{_VARIABLE}.name",
        "AWS_SECRET_ACCESS_KEY",
        missing="passes",
    ),
    Case(
        "ECS.9",
        _task({"logConfiguration": {"logDriver": "awslogs"}}),
        "task",
        "containerDefinitions[0].logConfiguration",
        {},
    ),
    Case("ECS.10", (_SERVICE,), "service", "platformVersion", "1.3.0", missing="passes"),
    Case(
        "ECS.12",
        (entry(ecs.CLUSTER, "cluster", settings=[{"name": "containerInsights", "value": "enhanced"}]),),
        "cluster",
        "settings[0].value",
        "disabled",
    ),
    Case(
        "ECS.16",
        (entry(ecs.TASK_SET, "set", networkConfiguration={"assignPublicIp": False}),),
        "set",
        "networkConfiguration.assignPublicIp",
        bad=True,
        missing="passes",
    ),
    Case("ECS.17", _task({}, networkMode="awsvpc"), "task", "networkMode", "host", missing="passes"),
    Case(
        "ECS.18", _task({}, volumes=[_EFS]), "task", "volumes[0].efsVolumeConfiguration.transitEncryption", "DISABLED"
    ),
    Case("ECS.20", _task({"user": "mlflow"}), "task", "containerDefinitions[0].user", "root:root"),
    Case(
        "ECS.21",
        _task({"user": "ContainerUser"}, runtimePlatform={"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}),
        "task",
        "containerDefinitions[0].user",
        "ContainerAdministrator",
    ),
    Case(
        "MLP.ECS.1",
        _environment("DATABASE_HOST", "db"),
        "task",
        f"{_VARIABLE}.name",
        "DATABASE_PASSWORD",
        missing="passes",
    ),
    Case(
        "MLP.ECS.1",
        _environment("DATABASE", "db"),
        "task",
        f"{_VARIABLE}.value",
        "postgres://u:hunter2@db/x",
        missing="passes",
    ),
    Case("MLP.ECS.2", (_SERVICE,), "service", "deploymentCircuitBreaker.rollback", bad=False),
)
