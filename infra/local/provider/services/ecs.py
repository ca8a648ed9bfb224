"""ECS: clusters, task definitions and services."""

import json
import time
from collections.abc import Mapping
from typing import Any

from infra.local.errors import LocalError
from infra.local.provider.convert import Conversion
from infra.local.provider.handler import MARKER, Handler, Scope
from infra.local.provider.names import Name
from infra.local.provider.spec import Call, Read, Spec, Tagging
from infra.local.provider.values import is_sequence, mapping

_MISSING = frozenset(("ClusterNotFoundException", "ServiceNotFoundException"))
_TAGS = Tagging(
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
    tags=_TAGS,
    name=Name("name", max=255),
    replace=frozenset(("name",)),
    rename={
        "name": "clusterName",
        "arn": "clusterArn",
        "configuration.executeCommandConfiguration.logConfiguration.s3BucketEncryptionEnabled": "s3EncryptionEnabled",
    },
    computed=frozenset(("settings",)),
    missing=_MISSING,
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
    tags=_TAGS,
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
            "volumes": conversion.value(_volume(volumes), _member(shape, "volumes"), "volumes", "volumes"),
        }

    def outputs(self, scope: Scope, item: dict[str, Any]) -> dict[str, Any]:
        """The revision's properties."""
        result = super().outputs(scope, item)
        return {**result, "arnWithoutRevision": str(result["arn"]).rsplit(":", 1)[0]}

    def delete(self, scope: Scope) -> None:
        """Deregister the revision unless `skipDestroy` keeps it."""
        if not scope.lookup("skipDestroy"):
            super().delete(scope)


def _member(shape: Any, name: str) -> Any:
    return shape.members[name]


def _is_json_list(text: str) -> bool:
    try:
        return is_sequence(json.loads(text))
    except ValueError:
        return False


_DEPLOYMENT = ("deploymentCircuitBreaker", "deploymentMaximumPercent", "deploymentMinimumHealthyPercent", "alarms")
_SERVICE_UPDATE = (
    "desiredCount",
    "taskDefinition",
    "capacityProviderStrategies",
    "platformVersion",
    "healthCheckGracePeriodSeconds",
    "enableExecuteCommand",
    "enableEcsManagedTags",
    "loadBalancers",
    "propagateTags",
    "availabilityZoneRebalancing",
    "networkConfiguration",
    *_DEPLOYMENT,
)

SERVICE = Spec(
    type="aws:ecs/service:Service",
    service="ecs",
    id="@service.serviceArn",
    create=Call(operation="CreateService"),
    read=Read(
        operation="DescribeServices",
        params={"cluster": "{cluster}", "services": ["{id}"], "include": ["TAGS"]},
        select="services[?status!='INACTIVE'] | [0]",
    ),
    flatten=("deploymentConfiguration",),
    delete=Call(operation="DeleteService", params={"cluster": "{cluster}", "service": "{id}", "force": True}),
    find=Read(
        operation="DescribeServices",
        params={"cluster": "{cluster}", "services": ["{name}"]},
        select="services[?status=='ACTIVE'].serviceArn",
    ),
    tags=_TAGS,
    name=Name("name", max=255),
    replace=frozenset(("name", "cluster", "launchType", "schedulingStrategy", "iamRole", "deploymentController")),
    rename={
        "name": "serviceName",
        "arn": "serviceArn",
        "cluster": "clusterArn|cluster",
        "iamRole": "role",
        "deploymentMaximumPercent": "maximumPercent",
        "deploymentMinimumHealthyPercent": "minimumHealthyPercent",
        "capacityProviderStrategies": "capacityProviderStrategy",
        "loadBalancers.elbName": "loadBalancerName",
    },
    to_aws={
        "networkConfiguration": lambda value: {"awsvpcConfiguration": value},
        "networkConfiguration.awsvpcConfiguration.assignPublicIp": lambda value: "ENABLED" if value else "DISABLED",
    },
    from_aws={
        "networkConfiguration": lambda value: value.get("awsvpcConfiguration"),
        "networkConfiguration.assignPublicIp": lambda value: value == "ENABLED",
    },
    defaults={"desiredCount": 0, "schedulingStrategy": "REPLICA", "waitForSteadyState": False},
    computed=frozenset(
        (
            "alarms",
            "availabilityZoneRebalancing",
            "capacityProviderStrategies",
            "deploymentCircuitBreaker",
            "deploymentConfiguration",
            "deploymentController",
            "deploymentMaximumPercent",
            "deploymentMinimumHealthyPercent",
            "healthCheckGracePeriodSeconds",
            "iamRole",
            "launchType",
            "platformVersion",
            "propagateTags",
            "enableEcsManagedTags",
            "networkConfiguration.securityGroups",
        )
    ),
    local=frozenset(("waitForSteadyState", "forceDelete", "forceNewDeployment", "triggers", "sigintRollback")),
    handled=frozenset(_DEPLOYMENT),
    unsupported=frozenset(
        (
            "deploymentConfiguration",
            "orderedPlacementStrategies",
            "placementConstraints",
            "serviceConnectConfiguration",
            "serviceRegistries",
            "volumeConfiguration",
            "vpcLatticeConfigurations",
        )
    ),
    missing=_MISSING,
)


class Service(Handler):
    """How a deployment goes is one block on AWS and several properties in Pulumi."""

    poll_seconds = 0.2
    timeout_seconds = 1200.0

    def amend(self, scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        """Gather the deployment's block."""
        return {**params, **self._deployment(scope), "clientToken": scope.token}

    def _deployment(self, scope: Scope) -> dict[str, Any]:
        shape: Any = scope.cloud.model("ecs").operation_model("CreateService").input_shape
        target = _member(shape, "deploymentConfiguration")
        given = {name: scope.inputs[name] for name in _DEPLOYMENT if scope.inputs.get(name) is not None}
        conversion = Conversion(self.spec.rename, self.spec.to_aws)
        members = {
            (self.spec.rename.get(name) or name): conversion.value(
                value, target.members[self.spec.rename.get(name) or name], name, name
            )
            for name, value in given.items()
        }
        return {"deploymentConfiguration": members} if members else {}

    def fetch(self, scope: Scope) -> dict[str, Any] | None:
        """The service; an imported one is found by the cluster in its ARN."""
        if not scope.lookup("cluster") and scope.id.count("/") == 2:
            scope.state["cluster"] = scope.id.split("/")[1]
        item = super().fetch(scope)
        return None if item is None or item.get("status") == "DRAINING" else item

    def outputs(self, scope: Scope, item: dict[str, Any]) -> dict[str, Any]:
        """Cluster and task definition spelt as before where they are the same."""
        result = super().outputs(scope, item)
        for name in ("cluster", "taskDefinition"):
            before = scope.lookup_before(name)
            if before and str(result.get(name, "")).endswith(f"/{before}"):
                result[name] = before
        return result

    def created(self, scope: Scope) -> None:
        """Wait when asked to."""
        self._steady(scope)

    def update(self, scope: Scope, changed: frozenset[str]) -> None:
        """Send what changed, and wait when asked to."""
        sent = [name for name in _SERVICE_UPDATE if name in changed and name not in _DEPLOYMENT]
        params = scope.params("UpdateService", sent) if sent else {}
        if changed.intersection(_DEPLOYMENT):
            params |= self._deployment(scope)
        if scope.inputs.get("forceNewDeployment") or "triggers" in changed:
            params["forceNewDeployment"] = True
        if params:
            scope.call("UpdateService", cluster=scope.lookup("cluster"), service=scope.id, **params)
            self._steady(scope)

    def _steady(self, scope: Scope) -> None:
        if not scope.inputs.get("waitForSteadyState"):
            return
        deadline = time.monotonic() + self.timeout_seconds
        while True:
            item = mapping(self.fetch(scope))
            if len(item.get("deployments", ())) <= 1 and item.get("runningCount") == item.get("desiredCount"):
                return
            if time.monotonic() > deadline:
                events = [str(event.get("message")) for event in item.get("events", ())[:3]]
                raise LocalError(f"ECS service {scope.id} did not become steady: {'; '.join(events) or 'no events'}")
            time.sleep(self.poll_seconds)

    def delete(self, scope: Scope) -> None:
        """Stop the tasks, delete the service, and wait until it is gone."""
        if scope.lookup("schedulingStrategy") != "DAEMON":
            scope.call("UpdateService", cluster=scope.lookup("cluster"), service=scope.id, desiredCount=0)
        super().delete(scope)
        deadline = time.monotonic() + self.timeout_seconds
        while Handler.fetch(self, scope) is not None and time.monotonic() < deadline:
            time.sleep(self.poll_seconds)


HANDLERS = (Handler(CLUSTER), TaskDefinition(TASK_DEFINITION), Service(SERVICE))
