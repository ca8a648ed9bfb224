"""The release: which model each variant should serve, kept in the parameter that `up` reads."""

from botocore.exceptions import ClientError

from pipelines import aws
from pipelines.aws import is_missing
from pipelines.errors import PipelineError
from stacks.outputs import PlatformOutputs, Release, ReleasedModel, Serving


def platform_serving(outputs: PlatformOutputs) -> Serving:
    """The serving section. Raises PipelineError when the platform has none."""
    if outputs.serving is None:
        raise PipelineError(f"{outputs.environment} has no stage serving; add `mlp:serving` to its stack file")
    return outputs.serving


def read(serving: Serving) -> Release | None:
    """The release that is published, or None before the first."""
    try:
        parameter = aws.ssm().get_parameter(Name=serving.release_parameter)["Parameter"]
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return Release.model_validate_json(parameter.get("Value", ""))


def publish(serving: Serving, release: Release) -> bool:
    """Write the release unless it is what the parameter holds; whether it was written."""
    if read(serving) == release:
        return False
    aws.ssm().put_parameter(
        Name=serving.release_parameter,
        Value=release.model_dump_json(),
        Type="String",
        Overwrite=True,
        Description="Models that the endpoint serves, by variant; written by the serving pipeline.",
    )
    return True


def replace(serving: Serving, published: Release | None, model: ReleasedModel, variant: str | None = None) -> Release:
    """The release with `model` for one variant, by default the first declared; other variants keep theirs.

    Models of variants that are not declared any more are left out. Raises PipelineError for an unknown variant.
    """
    declared = [each.name for each in serving.variants]
    chosen = declared[0] if variant is None else variant
    if chosen not in declared:
        raise PipelineError(f"no variant {chosen} on {serving.endpoint}; the stack file declares {', '.join(declared)}")
    kept = {} if published is None else {name: each for name, each in published.models.items() if name in declared}
    return Release(models={**kept, chosen: model})
