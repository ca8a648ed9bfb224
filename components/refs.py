"""What a component needs to know of another's resources: names and ARNs, never the resource itself."""

from collections.abc import Sequence
from typing import TypedDict

import pulumi


class NetworkRef(TypedDict):
    """The network a stage stands in."""

    vpc_id: pulumi.Input[str]
    """The VPC."""
    cidr: str
    """IPv4 block of the VPC."""
    subnet_ids: pulumi.Input[Sequence[pulumi.Input[str]]]
    """Private subnets, at least two."""
    endpoints_security_group_id: pulumi.Input[str]
    """Security group of the interface endpoints."""
    s3_prefix_list_id: pulumi.Input[str]
    """Addresses of S3 behind its gateway endpoint."""


class BucketRef(TypedDict):
    """A bucket and the key of its objects."""

    name: pulumi.Input[str]
    """Name of the bucket."""
    arn: pulumi.Input[str]
    """ARN of the bucket."""
    key_arn: pulumi.Input[str]
    """Key its objects are encrypted with."""


class ImageRef(TypedDict):
    """A container image in ECR."""

    uri: pulumi.Input[str]
    """Registry, repository and tag."""
    repository_arn: pulumi.Input[str]
    """ARN of its repository."""
