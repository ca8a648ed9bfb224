"""Publishes what a deployed platform tells its pipelines: exported, kept in S3, pointed to by a parameter."""

import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_aws as aws

from components.refs import BucketRef
from infra.environment import Environment, resource_tags
from infra.tags import DataClass
from stacks.outputs import OUTPUTS_PARAMETER, PlatformOutputs

EXPORT = "platform"
"""Name of the stack output that holds the document."""
DOCUMENT_KEY = "platform/outputs.json"
"""Key of the document in the artifacts bucket."""


def publish(
    environment: Environment, bucket: BucketRef, document: Mapping[str, Any], options: pulumi.ResourceOptions
) -> None:
    """Export `document`, a PlatformOutputs whose leaves may be Outputs, and keep it where pipelines find it.

    What does not fit the contract raises pydantic's ValidationError when its values are known.
    """
    platform = pulumi.Output.from_input(dict(document)).apply(_checked)
    pulumi.export(EXPORT, platform)
    tags = resource_tags(environment, "outputs", DataClass.OPERATIONAL)
    published = aws.s3.BucketObjectv2(
        "outputs-document",
        bucket=bucket["name"],
        key=DOCUMENT_KEY,
        content=platform.apply(lambda checked: json.dumps(checked, indent=2, sort_keys=True)),
        content_type="application/json",
        server_side_encryption="aws:kms",
        kms_key_id=bucket["key_arn"],
        tags=tags,
        opts=options,
    )
    aws.ssm.Parameter(
        "outputs-pointer",
        name=OUTPUTS_PARAMETER.format(environment=environment["environment"]),
        description="Where the platform's outputs lie",
        type="String",
        value=pulumi.Output.concat("s3://", published.bucket, "/", published.key),
        tags=tags,
        opts=options,
    )


def _checked(document: dict[str, Any]) -> dict[str, Any]:
    return PlatformOutputs.model_validate(document).model_dump(mode="json")
