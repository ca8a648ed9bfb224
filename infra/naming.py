"""Names of resources whose name is part of a contract; all others are left to the provider's autonaming.

A fixed name is one that another program computes or a person types: buckets, endpoints, log groups, parameters.
"""

import hashlib
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from infra.tags import PROJECT

_DIGEST = 8  # hexadecimal digits kept when a name is shortened: one collision in 2**32 names of one kind


class Budget(NamedTuple):
    """How long a name may be and where that is written."""

    length: int
    """Characters."""
    service: str
    """botocore service."""
    shape: str | None
    """Shape of botocore's model that carries the limit; None where only the user guide does."""


BUDGETS: Mapping[str, Budget] = MappingProxyType(
    {
        "alarm": Budget(255, "cloudwatch", "AlarmName"),
        "bucket": Budget(63, "s3", None),
        "cluster": Budget(255, "ecs", None),
        "database": Budget(63, "rds", None),
        "endpoint": Budget(63, "sagemaker", "EndpointName"),
        "model-package-group": Budget(63, "sagemaker", "EntityName"),
        "repository": Budget(256, "ecr", "RepositoryName"),
        "task-family": Budget(255, "ecs", None),
        "training-job": Budget(63, "sagemaker", "TrainingJobName"),
    }
)
"""By kind of resource."""

_ALLOWED = re.compile(r"[a-z0-9](-?[a-z0-9])*")


def fixed_name(kind: str, *parts: str, suffixes: tuple[str, ...] = ()) -> str:
    """`mlp-<parts>-<suffixes>` for a resource of `kind` (a key of `BUDGETS`).

    A name over the budget keeps its head and all `suffixes`, with a digest of the whole between them, so different
    parts stay different names. Parts are lower case letters, digits and single inner hyphens; others raise ValueError.
    """
    for part in (*parts, *suffixes):
        if not _ALLOWED.fullmatch(part):
            raise ValueError(
                f"{part!r} cannot be part of a {kind} name: use lower case letters, digits and single inner hyphens"
            )
    budget = BUDGETS[kind].length
    name = "-".join((PROJECT, *parts, *suffixes))
    if len(name) <= budget:
        return name
    tail = "-".join((hashlib.sha256(name.encode()).hexdigest()[:_DIGEST], *suffixes))
    room = budget - len(tail) - 1
    if room < len(PROJECT):
        raise ValueError(f"the suffixes {suffixes} leave no room in the {budget} characters of a {kind} name")
    head = "-".join((PROJECT, *parts))[:room].rstrip("-")
    return f"{head}-{tail}"


def bucket_name(environment: str, role: str, *, account_id: str, region: str) -> str:
    """Name of a bucket, unique in the world by account and region."""
    return fixed_name("bucket", environment, role, suffixes=(account_id, region))


def repository_name(environment: str, image: str) -> str:
    """Name of an ECR repository: `mlp-<environment>/<image>`."""
    name = f"{PROJECT}-{environment}/{image}"
    if len(name) > BUDGETS["repository"].length:
        raise ValueError(f"{name!r} is longer than the {BUDGETS['repository'].length} characters of a repository name")
    return name


def parameter_name(environment: str, *parts: str) -> str:
    """Name of an SSM parameter: `/mlp/<environment>/<parts>`."""
    return "/" + "/".join((PROJECT, environment, *parts))
