"""Delete what the pipelines made and no engine knows of."""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from pipelines import aws
from pipelines.aws import is_missing
from pipelines.progress import Progress, silent
from pipelines.registry import packages
from pipelines.serving import endpoint as endpoints
from pipelines.serving import rollout
from stacks.outputs import PlatformOutputs, Serving


def retire(outputs: PlatformOutputs, progress: Progress = silent) -> None:
    """Delete model packages, models and configurations of later releases, and the release itself: before `destroy`.

    The endpoint answers on until the engine deletes it. Done twice, the second time does nothing.
    """
    if outputs.registry is not None:
        for arn in list(packages.arns(outputs.registry.model_package_group)):
            progress("retire", f"model package {arn.rpartition('/')[2]}")
            aws.sagemaker().delete_model_package(ModelPackageName=arn)
    if outputs.serving is not None:
        _delete(outputs.serving, keep=None, progress=progress)
        try:
            aws.ssm().delete_parameter(Name=outputs.serving.release_parameter)
        except ClientError as error:
            if not is_missing(error):
                raise


def superseded(serving: Serving, progress: Progress = silent) -> None:
    """Delete models and configurations of releases that the endpoint serves no more."""
    live = endpoints.describe(serving.endpoint)
    if live is not None and live["EndpointStatus"] == "InService":
        _delete(serving, keep=live["EndpointConfigName"], progress=progress)


def _delete(serving: Serving, *, keep: str | None, progress: Progress) -> None:
    sagemaker = aws.sagemaker()
    kept_models: set[str] = set()
    if keep is not None:
        variants = sagemaker.describe_endpoint_config(EndpointConfigName=keep)["ProductionVariants"]
        kept_models = {variant.get("ModelName", "") for variant in variants}
    for name in list(_configurations(serving)):
        if name != keep:
            progress("retire", f"endpoint configuration {name}")
            sagemaker.delete_endpoint_config(EndpointConfigName=name)
    for name in list(_models(serving)):
        if name not in kept_models:
            progress("retire", f"model {name}")
            sagemaker.delete_model(ModelName=name)


def _configurations(serving: Serving) -> Iterator[str]:
    beginning = rollout.prefix(serving)
    for page in aws.sagemaker().get_paginator("list_endpoint_configs").paginate(NameContains=beginning):
        yield from (each["EndpointConfigName"] for each in page["EndpointConfigs"])


def _models(serving: Serving) -> Iterator[str]:
    beginning = rollout.prefix(serving)
    for page in aws.sagemaker().get_paginator("list_models").paginate(NameContains=beginning):
        yield from (each["ModelName"] for each in page["Models"])
