"""What a served model may do. Pure."""

from collections.abc import Sequence
from typing import TypedDict

from infra.documents import (
    Statement,
    pull_image,
    put_metrics,
    read_objects,
    use_key_for_volumes,
    use_subnets,
    write_logs,
    write_objects,
)
from infra.environment import Environment, arn

CAPTURE_PREFIX = "serving/capture/"
"""Captured requests and responses, in the lake."""


class Access(TypedDict):
    """What a served model works with."""

    lake_arn: str
    lake_key_arn: str
    artifacts_arn: str
    artifacts_key_arn: str
    repository_arn: str
    model_prefixes: Sequence[str]
    """Prefixes of model archives in the artifacts bucket."""
    log_group: str
    """Name of the endpoint's log group."""
    vpc_id: str
    subnet_ids: Sequence[str]
    security_group_id: str


def execution_statements(environment: Environment, access: Access) -> list[Statement]:
    """Read model archives, write captures, log, count, and stand in the network."""
    account = arn(environment, "ec2", "").removesuffix(":")
    return [
        *read_objects("Models", access["artifacts_arn"], access["model_prefixes"], None),
        *write_objects("Captures", access["lake_arn"], [CAPTURE_PREFIX], access["lake_key_arn"]),
        *pull_image(access["repository_arn"]),
        *write_logs(arn(environment, "logs", f"log-group:{access['log_group']}")),
        *put_metrics(["/aws/sagemaker/Endpoints", "AWS/SageMaker"]),
        *use_subnets(
            account,
            f"{account}:vpc/{access['vpc_id']}",
            [f"{account}:subnet/{subnet}" for subnet in access["subnet_ids"]],
            [f"{account}:security-group/{access['security_group_id']}"],
        ),
        *use_key_for_volumes(access["artifacts_key_arn"]),
    ]
