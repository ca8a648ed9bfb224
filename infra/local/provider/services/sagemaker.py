"""SageMaker: model package groups, models, endpoint configurations and endpoints."""

import time
from collections.abc import Mapping
from typing import Any

from infra.local.errors import LocalError
from infra.local.provider.handler import Handler, Scope
from infra.local.provider.names import Name
from infra.local.provider.spec import Call, Read, Spec, Tagging


def _tagging(arn: str) -> Tagging:
    return Tagging(
        read=Read(operation="ListTags", params={"ResourceArn": arn}, select="Tags"),
        tag=Call(operation="AddTags", params={"ResourceArn": arn}),
        untag=Call(operation="DeleteTags", params={"ResourceArn": arn}),
    )


def _arn(kind: str) -> str:
    return f"arn:{{partition}}:sagemaker:{{region}}:{{account}}:{kind}/{{id}}"


MODEL_PACKAGE_GROUP = Spec(
    type="aws:sagemaker/modelPackageGroup:ModelPackageGroup",
    service="sagemaker",
    id="{modelPackageGroupName}",
    create=Call(operation="CreateModelPackageGroup"),
    read=Read(operation="DescribeModelPackageGroup", params={"ModelPackageGroupName": "{id}"}),
    delete=Call(operation="DeleteModelPackageGroup", params={"ModelPackageGroupName": "{id}"}),
    tags=_tagging(_arn("model-package-group")),
    replace=frozenset(("modelPackageGroupName", "modelPackageGroupDescription")),
    rename={"arn": "ModelPackageGroupArn"},
)

MODEL = Spec(
    type="aws:sagemaker/model:Model",
    service="sagemaker",
    id="{name}",
    create=Call(operation="CreateModel"),
    read=Read(operation="DescribeModel", params={"ModelName": "{id}"}),
    delete=Call(operation="DeleteModel", params={"ModelName": "{id}"}),
    tags=_tagging(_arn("model")),
    name=Name("name", max=63),
    replace=frozenset(
        (
            "containers",
            "enableNetworkIsolation",
            "executionRoleArn",
            "inferenceExecutionConfig",
            "name",
            "primaryContainer",
            "vpcConfig",
        )
    ),
    rename={"name": "ModelName", "arn": "ModelArn"},
    computed=frozenset(
        (
            "primaryContainer.mode",
            "containers.mode",
            "primaryContainer.modelDataSource",
            "containers.modelDataSource",
        )
    ),
    ordered=frozenset(("containers",)),
)

_VARIANT_COMPUTED = ("initialVariantWeight", "variantName", "routingConfigs", "managedInstanceScaling")

ENDPOINT_CONFIGURATION = Spec(
    type="aws:sagemaker/endpointConfiguration:EndpointConfiguration",
    service="sagemaker",
    id="{name}",
    create=Call(operation="CreateEndpointConfig"),
    read=Read(operation="DescribeEndpointConfig", params={"EndpointConfigName": "{id}"}),
    delete=Call(operation="DeleteEndpointConfig", params={"EndpointConfigName": "{id}"}),
    tags=_tagging(_arn("endpoint-config")),
    name=Name("name", max=63, prefix_property="namePrefix"),
    replace=frozenset(
        (
            "asyncInferenceConfig",
            "dataCaptureConfig",
            "executionRoleArn",
            "kmsKeyArn",
            "name",
            "productionVariants",
            "shadowProductionVariants",
        )
    ),
    rename={
        "name": "EndpointConfigName",
        "arn": "EndpointConfigArn",
        "kmsKeyArn": "KmsKeyId",
        "productionVariants.enableSsmAccess": "EnableSSMAccess",
        "shadowProductionVariants.enableSsmAccess": "EnableSSMAccess",
    },
    computed=frozenset(
        f"{kind}.{name}" for kind in ("productionVariants", "shadowProductionVariants") for name in _VARIANT_COMPUTED
    )
    | {"dataCaptureConfig.captureContentTypeHeader"},
    local=frozenset(("namePrefix",)),
)


class EndpointConfiguration(Handler):
    """A variant without a name gets one."""

    def amend(self, scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        """Name the variants by their place."""
        del scope
        for index, variant in enumerate(params["ProductionVariants"]):
            variant.setdefault("VariantName", f"variant-{index + 1}")
        return params


ENDPOINT = Spec(
    type="aws:sagemaker/endpoint:Endpoint",
    service="sagemaker",
    id="{name}",
    create=Call(operation="CreateEndpoint"),
    read=Read(operation="DescribeEndpoint", params={"EndpointName": "{id}"}),
    delete=Call(operation="DeleteEndpoint", params={"EndpointName": "{id}"}),
    tags=_tagging(_arn("endpoint")),
    name=Name("name", max=63),
    replace=frozenset(("name",)),
    rename={"name": "EndpointName", "arn": "EndpointArn"},
    # How a change is rolled out is told with each change and is no state of the endpoint.
    local=frozenset(("deploymentConfig",)),
)


class Endpoint(Handler):
    """Creation and update take their time, and may fail or be rolled back: both are errors."""

    poll_seconds = 0.2
    timeout_seconds = 3600.0

    def created(self, scope: Scope) -> None:
        """Wait until the endpoint serves."""
        self._settled(scope)

    def failed(self, item: dict[str, Any]) -> bool:
        """A failed endpoint can only be deleted."""
        return item.get("EndpointStatus") == "Failed"

    def update(self, scope: Scope, changed: frozenset[str]) -> None:
        """Roll the configuration out, and see that it stayed."""
        if "endpointConfigName" not in changed:
            return
        wanted = scope.inputs["endpointConfigName"]
        params = scope.params("UpdateEndpoint", ("endpointConfigName", "deploymentConfig"))
        self._settled(scope)
        scope.call("UpdateEndpoint", EndpointName=scope.id, **params)
        item = self._settled(scope)
        if item["EndpointConfigName"] != wanted:
            raise LocalError(
                f"endpoint {scope.id} was rolled back: it serves {item['EndpointConfigName']}, not {wanted}. "
                f"{item.get('FailureReason') or 'An alarm of the rollout went off.'} "
                "Mend the model or the alarm's cause, then deploy again."
            )

    def delete(self, scope: Scope) -> None:
        """Delete the endpoint once it has settled, and wait until it is gone."""
        self._wait(scope, _busy)
        super().delete(scope)
        self._wait(scope, _deleting)

    def _settled(self, scope: Scope) -> dict[str, Any]:
        item = self._wait(scope, _busy)
        if item is None or self.failed(item):
            reason = (item or {}).get("FailureReason") or "no reason was given"
            raise LocalError(
                f"endpoint {scope.id} failed: {reason}. See the log group /aws/sagemaker/Endpoints/{scope.id}, mend "
                "the model or its container, then deploy again."
            )
        return item

    def _wait(self, scope: Scope, busy: Any) -> dict[str, Any] | None:
        deadline = time.monotonic() + self.timeout_seconds
        item = scope.read(self.spec.read)
        while item is not None and busy(item):
            if time.monotonic() > deadline:
                raise LocalError(
                    f"endpoint {scope.id} is still {item['EndpointStatus']} after {self.timeout_seconds:.0f} s; "
                    f"see the log group /aws/sagemaker/Endpoints/{scope.id}"
                )
            time.sleep(self.poll_seconds)
            item = scope.read(self.spec.read)
        return item


def _deleting(item: Mapping[str, Any]) -> bool:
    return item.get("EndpointStatus") == "Deleting"


def _busy(item: Mapping[str, Any]) -> bool:
    return item.get("EndpointStatus") in {"Creating", "Updating", "SystemUpdating", "RollingBack"}


HANDLERS = (
    Handler(MODEL_PACKAGE_GROUP),
    Handler(MODEL),
    EndpointConfiguration(ENDPOINT_CONFIGURATION),
    Endpoint(ENDPOINT),
)
