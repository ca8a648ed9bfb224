"""Reads the release that the serving pipeline has published, if it has."""

import pulumi
import pulumi_aws as aws
from pydantic import ValidationError

from stacks.loading import ConfigError
from stacks.outputs import Release


def published_release(parameter: str, provider: aws.Provider) -> Release | None:
    """The release in the SSM parameter of that name; None when nothing has been published yet.

    It asks for the parameter's path, which answers with an empty list where a read by name would fail. Raises
    ConfigError when the parameter holds something else than a release.
    """
    path = parameter.rpartition("/")[0]
    found = aws.ssm.get_parameters_by_path(path=path, opts=pulumi.InvokeOptions(provider=provider))
    text = dict(zip(found.names, found.values, strict=True)).get(parameter)
    if text is None:
        return None
    try:
        return Release.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError(
            f"{parameter}: holds no release, got {text[:80]!r}; publish one with the serving pipeline or delete it "
            f"({error.error_count()} problems, first: {error.errors()[0]['msg']})"
        ) from error
