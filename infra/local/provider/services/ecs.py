"""ECS: clusters, task definitions and services."""

import json
from collections.abc import Mapping
from typing import Any

from infra.local.provider.convert import Conversion
from infra.local.provider.handler import MARKER, Handler, Scope
from infra.local.provider.names import Name
from infra.local.provider.spec import Call, Read, Spec, Tagging
from infra.local.provider.values import is_sequence, mapping

MISSING = frozenset(("ClusterNotFoundException", "ServiceNotFoundException"))
TAGS = Tagging(
    member="tags",
    tag=Call(operation="TagResource", params={"resourceArn": "{id}"}),
    untag=Call(operation="UntagResource", params={"resourceArn": "{id}"}),
)

CLUSTER = Spec(
    type="aws:ecs/cluster:Cluster",
    service="ecs",
    id="@cluster.clusterArn",
    create=Call(operation="CreateCluster"),
    read=Read(
        operation="DescribeClusters",
        params={"clusters": ["{id}"], "include": ["TAGS", "SETTINGS", "CONFIGURATIONS"]},
        select="clusters[?status!='INACTIVE'] | [0]",
    ),
    updates=(
        Call(
            operation="UpdateCluster",
            params={"cluster": "{id}"},
            send=("settings", "configuration", "serviceConnectDefaults"),
        ),
    ),
    delete=Call(operation="DeleteCluster", params={"cluster": "{id}"}),
    find=Read(
        operation="DescribeClusters",
        params={"clusters": ["{name}"]},
        select="clusters[?status!='INACTIVE'].clusterArn",
    ),
    tags=TAGS,
    name=Name("name", max=255),
    replace=frozenset(("name",)),
    rename={
        "name": "clusterName",
        "arn": "clusterArn",
        "configuration.executeCommandConfiguration.logConfiguration.s3BucketEncryptionEnabled": "s3EncryptionEnabled",
    },
    computed=frozenset(("settings",)),
    missing=MISSING,
)


def container_definitions(text: Any) -> Any:
    """What container definitions mean: ECS fills in defaults and empty lists, and keeps no order of variables."""
    try:
        containers = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text
    return sorted((_container(container) for container in containers), key=lambda one: str(one.get("name")))


def _container(container: Mapping[str, Any]) -> dict[str, Any]:
    result = {name: value for name, value in container.items() if value not in (None, [], {}, "")}
    result.setdefault("essential", True)
    if not result.get("cpu"):
        result.pop("cpu", None)
    for name in ("environment", "secrets"):
        if name in result:
            result[name] = sorted(result[name], key=lambda one: one["name"])
    if "portMappings" in result:
        result["portMappings"] = [
            {"protocol": "tcp", "hostPort": mapping.get("containerPort"), **mapping}
            for mapping in result["portMappings"]
        ]
    for name in ("mountPoints", "volumesFrom"):
        if name in result:
            result[name] = [{"readOnly": False, **entry} for entry in result[name]]
    return result


def _volume(volumes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            **{name: value for name, value in volume.items() if name != "hostPath"},
            "host": {"sourcePath": volume["hostPath"]},
        }
        if volume.get("hostPath")
        else volume
        for volume in volumes
    ]


TASK_DEFINITION = Spec(
    type="aws:ecs/taskDefinition:TaskDefinition",
    service="ecs",
    id="@taskDefinition.taskDefinitionArn",
    create=Call(operation="RegisterTaskDefinition"),
    read=Read(
        operation="DescribeTaskDefinition",
        params={"taskDefinition": "{id}", "include": ["TAGS"]},
    ),
    flatten=("taskDefinition",),
    delete=Call(operation="DeregisterTaskDefinition", params={"taskDefinition": "{id}"}),
    tags=TAGS,
    replace=frozenset(
        (
            "containerDefinitions",
            "cpu",
            "enableFaultInjection",
            "ephemeralStorage",
            "executionRoleArn",
            "family",
            "ipcMode",
            "memory",
            "networkMode",
            "pidMode",
            "placementConstraints",
            "proxyConfiguration",
            "requiresCompatibilities",
            "runtimePlatform",
            "taskRoleArn",
            "volumes",
        )
    ),
    rename={"arn": "taskDefinitionArn", "volumes.hostPath": "sourcePath"},
    to_aws={"containerDefinitions": lambda text: json.loads(text) if isinstance(text, str) else text},
    from_aws={
        "containerDefinitions": lambda containers: json.dumps(containers, sort_keys=True),
        "volumes": lambda volumes: [
            {**volume, **({"sourcePath": path} if (path := mapping(volume.get("host")).get("sourcePath")) else {})}
            for volume in volumes
        ],
    },
    canonical={"containerDefinitions": container_definitions},
    computed=frozenset(("networkMode", "enableFaultInjection")),
    local=frozenset(("skipDestroy", "trackLatest")),
    handled=frozenset(("volumes",)),
    unsupported=frozenset(("proxyConfiguration",)),
    missing=frozenset(("ClientException",)),
)


class TaskDefinition(Handler):
    """Revisions are never changed: another definition is another revision."""

    def check(self, inputs: dict[str, Any], conversion: Conversion) -> None:
        """The definitions have to be a JSON list."""
        text = inputs.get("containerDefinitions")
        if isinstance(text, str) and not _is_json_list(text):
            conversion.fail("containerDefinitions", f"must be a JSON list of containers, got {text[:60]!r}")

    def find(self, scope: Scope) -> str | None:
        """The family's newest revision, when it is what this create made."""
        read = Read(operation="DescribeTaskDefinition", params={"taskDefinition": "{family}", "include": ["TAGS"]})
        answer = scope.read(read)
        if answer and self.tags(answer).get(MARKER) == scope.token:
            return str(answer["taskDefinition"]["taskDefinitionArn"])
        return None

    def fetch(self, scope: Scope) -> dict[str, Any] | None:
        """The revision, unless it is deregistered."""
        item = super().fetch(scope)
        return None if item is None or item.get("status") == "INACTIVE" else item

    def amend(self, scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        """Volumes on the host have their path one level deeper."""
        volumes = scope.inputs.get("volumes")
        if not volumes:
            return params
        shape = scope.cloud.model("ecs").operation_model("RegisterTaskDefinition").input_shape
        conversion = Conversion({}, {})
        return {
            **params,
            "volumes": conversion.value(_volume(volumes), member(shape, "volumes"), "volumes", "volumes"),
        }

    def outputs(self, scope: Scope, item: dict[str, Any]) -> dict[str, Any]:
        """The revision's properties."""
        result = super().outputs(scope, item)
        return {**result, "arnWithoutRevision": str(result["arn"]).rsplit(":", 1)[0]}

    def delete(self, scope: Scope) -> None:
        """Deregister the revision unless `skipDestroy` keeps it."""
        if not scope.lookup("skipDestroy"):
            super().delete(scope)


def member(shape: Any, name: str) -> Any:
    """A member of a structure."""
    return shape.members[name]


def _is_json_list(text: str) -> bool:
    try:
        return is_sequence(json.loads(text))
    except ValueError:
        return False


HANDLERS = (Handler(CLUSTER), TaskDefinition(TASK_DEFINITION))
