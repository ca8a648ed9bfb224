"""What an endpoint serves right now."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from pipelines import aws
from pipelines.aws import is_missing
from pipelines.errors import PipelineError
from pipelines.progress import Progress, silent, until
from stacks.outputs import Release

SETTLED = ("InService", "Failed", "OutOfService", "UpdateRollbackFailed")


class EndpointError(PipelineError):
    """The endpoint is not what was asked for; the text has SageMaker's reason."""


def describe(endpoint: str) -> dict[str, Any] | None:
    """DescribeEndpoint's answer, or None when there is no such endpoint."""
    try:
        return dict(aws.sagemaker().describe_endpoint(EndpointName=endpoint))
    except ClientError as error:
        if is_missing(error):
            return None
        raise


def settled(endpoint: str, *, seconds: float, progress: Progress = silent) -> dict[str, Any]:
    """Wait until the endpoint changes no more; DescribeEndpoint's last answer.

    Raises EndpointError when there is no such endpoint, or it is still changing after `seconds`.
    """
    told = ""
    for _ in until(seconds):
        found = describe(endpoint)
        if found is None:
            raise EndpointError(f"there is no endpoint {endpoint}; publish a release and call `mlp up`")
        told = _tell(found, told, progress)
        if found["EndpointStatus"] in SETTLED:
            return found
    raise EndpointError(f"endpoint {endpoint} is still {told} after {seconds:.0f} s; see it in the SageMaker console")


def in_service(endpoint: str, *, seconds: float = 1800, progress: Progress = silent) -> dict[str, Any]:
    """As `settled`. Raises EndpointError also when the endpoint settles in any state but InService."""
    found = settled(endpoint, seconds=seconds, progress=progress)
    if found["EndpointStatus"] != "InService":
        raise EndpointError(
            f"endpoint {endpoint} is {found['EndpointStatus']}: {found.get('FailureReason', 'no reason was given')}"
        )
    return found


def models(configuration: str) -> dict[str, tuple[str, str]]:
    """Image and model archive by variant of an endpoint configuration."""
    sagemaker = aws.sagemaker()
    found: dict[str, tuple[str, str]] = {}
    for variant in sagemaker.describe_endpoint_config(EndpointConfigName=configuration)["ProductionVariants"]:
        name = variant.get("ModelName", "")
        container = sagemaker.describe_model(ModelName=name).get("PrimaryContainer", {})
        found[variant["VariantName"]] = (container.get("Image", ""), container.get("ModelDataUrl", ""))
    return found


def serves(described: Mapping[str, Any], release: Release) -> bool:
    """Whether the endpoint serves exactly the release's models, whatever its configuration is called."""
    wanted = {name: (model.image_uri, model.model_data_url) for name, model in release.models.items()}
    return models(described["EndpointConfigName"]) == wanted


def _tell(found: Mapping[str, Any], told: str, progress: Progress) -> str:
    state = str(found["EndpointStatus"])
    if state != told:
        progress("serving", f"endpoint {found['EndpointName']} is {state}")
    return state
