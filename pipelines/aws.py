"""Small things that every client of AWS here needs."""

import re

from botocore.exceptions import ClientError

_MISSING_CODES = {
    "404", "NoSuchKey", "NoSuchBucket", "NotFound", "ParameterNotFound", "RepositoryNotFoundException",
    "ImageNotFoundException", "ResourceNotFound", "ResourceNotFoundException",
}  # fmt: skip


def is_missing(error: ClientError) -> bool:
    """Whether the call failed because what it names does not exist. SageMaker says so only in its message."""
    answer = error.response.get("Error", {})
    code, message = answer.get("Code", ""), answer.get("Message", "")
    return code in _MISSING_CODES or (
        code == "ValidationException" and re.search(r"not find|not found|does not exist", message, re.I) is not None
    )


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an `s3://` address. Raises ValueError for any other."""
    match = re.fullmatch(r"s3://([^/]+)/?(.*)", uri)
    if match is None:
        raise ValueError(f"expected s3://bucket/key, got {uri}")
    return match[1], match[2]
