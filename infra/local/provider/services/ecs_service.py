"""ECS: services."""

import time
from typing import Any

from infra.local.errors import LocalError
from infra.local.provider.convert import Conversion
from infra.local.provider.handler import Handler, Scope
from infra.local.provider.names import Name
from infra.local.provider.services.ecs import MISSING, TAGS, member
from infra.local.provider.spec import Call, Read, Spec
from infra.local.provider.values import mapping

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
    tags=TAGS,
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
    missing=MISSING,
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
        target = member(shape, "deploymentConfiguration")
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


HANDLERS = (Service(SERVICE),)
