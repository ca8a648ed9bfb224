"""Clients of AWS and small things that every user of them needs.

Region, credentials and endpoint are boto3's own: `AWS_ENDPOINT_URL` sends all of them to the embedded AWS.
"""
# pyright: reportUnknownMemberType=false
# boto3.client has an overload for every service, and stubs are installed for ours only.

import re
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_ecr import ECRClient
    from types_boto3_ecs import ECSClient
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_s3 import S3Client
    from types_boto3_sagemaker import SageMakerClient
    from types_boto3_sagemaker_runtime import SageMakerRuntimeClient
    from types_boto3_ssm import SSMClient

_MISSING_CODES = {
    "404", "NoSuchKey", "NoSuchBucket", "NotFound", "ParameterNotFound", "RepositoryNotFoundException",
    "ImageNotFoundException", "ResourceNotFound", "ResourceNotFoundException",
}  # fmt: skip


def s3() -> "S3Client":
    """Amazon S3."""
    return boto3.client("s3")


def ssm() -> "SSMClient":
    """Systems Manager, for its parameters."""
    return boto3.client("ssm")


def ecr() -> "ECRClient":
    """Image repositories."""
    return boto3.client("ecr")


def ecs() -> "ECSClient":
    """Container services."""
    return boto3.client("ecs")


def logs() -> "CloudWatchLogsClient":
    """CloudWatch Logs."""
    return boto3.client("logs")


def cloudwatch() -> "CloudWatchClient":
    """Metrics and alarms."""
    return boto3.client("cloudwatch")


def sagemaker() -> "SageMakerClient":
    """Jobs, models and endpoints."""
    return boto3.client("sagemaker")


def sagemaker_runtime(*, connections: int) -> "SageMakerRuntimeClient":
    """Requests to endpoints, over as many connections; a failed request is not repeated, it is reported."""
    return boto3.client(
        "sagemaker-runtime", config=Config(max_pool_connections=connections, retries={"total_max_attempts": 1})
    )


def is_missing(error: ClientError) -> bool:
    """Whether the call failed because what it names does not exist. SageMaker says so only in its message."""
    answer = error.response.get("Error", {})
    code, message = answer.get("Code", ""), answer.get("Message", "")
    return code in _MISSING_CODES or (
        code == "ValidationException"
        and re.search(r"not find|not found|does not exist", message, re.IGNORECASE) is not None
    )


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an `s3://` address. Raises ValueError for any other."""
    match = re.fullmatch(r"s3://([^/]+)/?(.*)", uri)
    if match is None:
        raise ValueError(f"expected s3://bucket/key, got {uri}")
    return match[1], match[2]
