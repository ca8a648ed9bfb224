"""Where pipelines learn what is deployed: the same call in every environment."""

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from pipelines import aws
from pipelines.aws import is_missing, split_uri
from pipelines.errors import PipelineError
from stacks.outputs import OUTPUTS_PARAMETER, PlatformOutputs


class NotDeployedError(PipelineError):
    """The environment has no outputs document."""


def load(environment: str) -> PlatformOutputs:
    """The outputs of a deployed environment: the document that its SSM parameter points to.

    Region, credentials and endpoint are boto3's own: AWS_ENDPOINT_URL makes it the embedded AWS. Raises
    NotDeployedError when there is none, PipelineError when AWS does not answer, the parameter holds something else, or
    the document is of another version.
    """
    name = OUTPUTS_PARAMETER.format(environment=environment)
    try:
        address = _pointer(name, environment)
        bucket, key = _place(name, address, environment)
        body = aws.s3().get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if is_missing(error):
            raise NotDeployedError(
                f"{environment}: {name} points to a document that is gone; call `mlp up --stack {environment}`"
            ) from None
        raise PipelineError(f"{environment}: cannot read {name}: {error}") from None
    except BotoCoreError as error:
        raise PipelineError(
            f"{environment}: AWS does not answer: {error}; check credentials, region and AWS_ENDPOINT_URL"
        ) from None
    try:
        return PlatformOutputs.model_validate_json(body)
    except ValidationError as error:
        places = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise PipelineError(
            f"{environment}: {address} is not this version's document: {places}; call `mlp up --stack {environment}`"
        ) from None


def _place(name: str, address: str, environment: str) -> tuple[str, str]:
    try:
        return split_uri(address)
    except ValueError:
        again = " and ".join(f"`mlp {verb} --stack {environment}`" for verb in ("refresh", "up"))
        raise PipelineError(
            f"{environment}: {name} must hold the s3:// address of the outputs document, got {address!r}; call {again}"
        ) from None


def _pointer(name: str, environment: str) -> str:
    try:
        parameter = aws.ssm().get_parameter(Name=name)["Parameter"]
    except ClientError as error:
        if is_missing(error):
            raise NotDeployedError(
                f"{environment} is not deployed (no SSM parameter {name}); call `mlp up --stack {environment}` first"
            ) from None
        raise
    return parameter.get("Value", "")
