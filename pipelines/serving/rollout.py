"""Replace what a live endpoint serves: a canary first, alarms watched, rolled back by SageMaker when one goes off.

The engine creates the endpoint and from then on ignores its configuration; only this module changes it. Live weights
and instance counts are kept.
"""

import hashlib
import json
from typing import Any

from botocore.exceptions import ClientError

from pipelines import aws
from pipelines.progress import Progress, silent
from pipelines.serving import endpoint as endpoints
from pipelines.serving.endpoint import EndpointError
from pipelines.serving.release import platform_serving
from stacks.outputs import PlatformOutputs, Release, ReleasedModel, Serving

DEPLOYMENT_SECONDS = 3600
"""How long a rollout may take beside its bake time, for instances to start and models to load."""

_PREFIX_CHARACTERS = 40


class RolloutError(EndpointError):
    """The new release does not serve: it failed, or SageMaker rolled it back; the old one serves on."""


def prefix(serving: Serving) -> str:
    """How the names of models and endpoint configurations made here begin."""
    return f"{serving.endpoint[:_PREFIX_CHARACTERS]}-release-"


def model_request(outputs: PlatformOutputs, model: ReleasedModel) -> dict[str, Any]:
    """Arguments of CreateModel; the name is a hash of the others."""
    serving = platform_serving(outputs)
    document = {
        "ExecutionRoleArn": serving.role_arn,
        "PrimaryContainer": {"Image": model.image_uri, "ModelDataUrl": model.model_data_url},
        "VpcConfig": {"SecurityGroupIds": serving.security_group_ids, "Subnets": serving.subnet_ids},
        "EnableNetworkIsolation": True,
    }
    return {"ModelName": prefix(serving) + _hash(document), **document, "Tags": _tags(outputs)}


def configuration_request(outputs: PlatformOutputs, release: Release, volume_key: str | None) -> dict[str, Any]:
    """Arguments of CreateEndpointConfig; the name is a hash of the others. Variants without a model are left out.

    `volume_key` encrypts the instances' volumes; None for instance types whose own storage takes no key.
    """
    serving = platform_serving(outputs)
    document = {
        "ProductionVariants": [
            {
                "VariantName": variant.name,
                "ModelName": model_request(outputs, release.models[variant.name])["ModelName"],
                "InstanceType": variant.instance_type,
                "InitialInstanceCount": variant.instance_count,
                "InitialVariantWeight": variant.weight,
            }
            for variant in serving.variants
            if variant.name in release.models
        ],
        "DataCaptureConfig": {
            "EnableCapture": serving.capture_percent > 0,
            "InitialSamplingPercentage": serving.capture_percent,
            "DestinationS3Uri": serving.capture_uri,
            "KmsKeyId": serving.key_arn,
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {
                "CsvContentTypes": ["text/csv"],
                "JsonContentTypes": ["application/json", "application/jsonlines"],
            },
        },
        **({"KmsKeyId": volume_key} if volume_key else {}),
    }
    return {"EndpointConfigName": prefix(serving) + _hash(document), **document, "Tags": _tags(outputs)}


def deployment(serving: Serving) -> dict[str, Any]:
    """UpdateEndpoint's DeploymentConfig: a canary, then the rest, unless an alarm goes off."""
    rollout = serving.rollout
    policy: dict[str, Any] = {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": rollout.canary_percent},
            "WaitIntervalInSeconds": rollout.bake_seconds,
        },
        "TerminationWaitInSeconds": 0,
        "MaximumExecutionTimeoutInSeconds": min(28_800, max(600, rollout.bake_seconds + DEPLOYMENT_SECONDS)),
    }
    document: dict[str, Any] = {"BlueGreenUpdatePolicy": policy}
    if rollout.alarms:
        document["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": name} for name in rollout.alarms]}
    return document


def roll_out(outputs: PlatformOutputs, release: Release, progress: Progress = silent) -> bool:
    """Make the live endpoint serve the release; False when it does already.

    Waits until SageMaker is done and compares. Raises RolloutError when the release does not serve in the end.
    """
    serving = platform_serving(outputs)
    limit = serving.rollout.bake_seconds + DEPLOYMENT_SECONDS
    live = endpoints.settled(serving.endpoint, seconds=limit, progress=progress)
    if live["EndpointStatus"] == "InService" and endpoints.serves(live, release):
        return False
    wanted = _create(outputs, release, live["EndpointConfigName"])
    progress("serving", f"roll out {wanted}: {serving.rollout.canary_percent} % first")
    aws.sagemaker().update_endpoint(
        EndpointName=serving.endpoint,
        EndpointConfigName=wanted,
        RetainAllVariantProperties=True,
        DeploymentConfig=deployment(serving),  # pyright: ignore[reportArgumentType] - the document of `deployment`
    )
    found = endpoints.settled(serving.endpoint, seconds=limit, progress=progress)
    if found["EndpointStatus"] == "InService" and found["EndpointConfigName"] == wanted:
        return True
    raise RolloutError(_failure(serving, found, wanted))


def _create(outputs: PlatformOutputs, release: Release, live: str) -> str:
    sagemaker = aws.sagemaker()
    volume_key = sagemaker.describe_endpoint_config(EndpointConfigName=live).get("KmsKeyId")
    for model in release.models.values():
        request = model_request(outputs, model)
        if not _exists(sagemaker.describe_model, ModelName=request["ModelName"]):
            sagemaker.create_model(**request)
    request = configuration_request(outputs, release, volume_key)
    if not _exists(sagemaker.describe_endpoint_config, EndpointConfigName=request["EndpointConfigName"]):
        sagemaker.create_endpoint_config(**request)
    return str(request["EndpointConfigName"])


def _exists(describe: Any, **name: str) -> bool:
    try:
        describe(**name)
    except ClientError as error:
        if "not find" in str(error) or "not found" in str(error):
            return False
        raise
    return True


def _failure(serving: Serving, found: dict[str, Any], wanted: str) -> str:
    reason = found.get("FailureReason", "SageMaker gave no reason")
    told = f"{wanted} was not rolled out: {serving.endpoint} is {found['EndpointStatus']} "
    told += f"and serves {found['EndpointConfigName']}; {reason}"
    if serving.rollout.alarms:
        alarms = aws.cloudwatch().describe_alarms(AlarmNames=serving.rollout.alarms, StateValue="ALARM")
        names = [alarm.get("AlarmName", "") for alarm in alarms["MetricAlarms"]]
        told += f"; alarms: {', '.join(names)}" if names else ""
    return told


def _hash(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:12]


def _tags(outputs: PlatformOutputs) -> list[dict[str, str]]:
    tags = {"Project": "mlp", "Environment": outputs.environment, "Stage": "serving", "ManagedBy": "pipelines"}
    return [{"Key": key, "Value": value} for key, value in tags.items()]
