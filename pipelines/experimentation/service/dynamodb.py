"""One way to call DynamoDB: bounded in time, and its refusals told apart."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pipelines.experimentation.service.problems import StoreUnavailableError, StoreUnreadableError

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

CONNECTIONS = 32
ATTEMPT_SECONDS = 2.0
ATTEMPTS = 3
WRITE_SECONDS = 15.0
"""Longest that one write can be on its way: attempts, their timeouts to connect and to read, and the pauses between."""
PAGE_SECONDS, PAGE_ATTEMPTS, READERS = 20.0, 5, 4
"""A page of a Query is a megabyte: it may take longer than a write, and repeating it changes nothing."""

_BUSY = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "InternalServerError",
        "ServiceUnavailable",
        "TransactionInProgressException",
        "LimitExceededException",
    }
)


class ConditionFailedError(Exception):
    """A conditional write met another state; nothing was written. `item` is what it met, where that was asked for."""

    def __init__(self, item: Mapping[str, Any] | None = None) -> None:
        super().__init__("a conditional write met another state")
        self.item = item or {}


def dynamodb(*, paging: bool = False) -> "DynamoDBClient":
    """A client whose calls end within WRITE_SECONDS, or one with the bounds of long reads.

    AWS_ENDPOINT_URL sends it to the embedded AWS.
    """
    config = Config(
        max_pool_connections=READERS if paging else CONNECTIONS,
        connect_timeout=ATTEMPT_SECONDS,
        read_timeout=PAGE_SECONDS if paging else ATTEMPT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": PAGE_ATTEMPTS if paging else ATTEMPTS},
        # Of the processor time of a write, a third went into checking our own requests and into naming ourselves.
        parameter_validation=False,
        user_agent="mlp-experimentation",
    )
    return boto3.client("dynamodb", config=config)  # pyright: ignore[reportUnknownMemberType]: the stubs name only some services


@contextmanager
def speaking() -> Generator[None]:
    """Turn the client's exceptions into ConditionFailedError and StoreUnavailableError; others are faults of ours."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code == "ConditionalCheckFailedException":
            met: Any = error.response  # the item is not among the members that botocore declares
            raise ConditionFailedError(met.get("Item")) from error
        if code in {"TransactionCanceledException", "TransactionConflictException"}:
            reasons = {str(reason.get("Code")) for reason in error.response.get("CancellationReasons", [])}
            if "ConditionalCheckFailed" in reasons:
                raise ConditionFailedError from error
            raise StoreUnavailableError(f"DynamoDB cancelled the transaction: {sorted(reasons)}") from error
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _BUSY or status >= 500:
            raise StoreUnavailableError(f"DynamoDB answered {code or status}") from error
        raise
    except BotoCoreError as error:
        raise StoreUnavailableError(f"DynamoDB did not answer: {type(error).__name__}") from error


@contextmanager
def reading() -> Generator[None]:
    """As `speaking`, for calls that change nothing: StoreUnreadableError when the store does not answer."""
    try:
        with speaking():
            yield
    except StoreUnavailableError as error:
        raise StoreUnreadableError(str(error)) from error


def query(client: "DynamoDBClient", **request: Any) -> Generator[Mapping[str, Any]]:
    """Every item that a Query finds, page after page. Raises StoreUnreadableError."""
    while True:
        with reading():
            page = client.query(**request)
        yield from page["Items"]
        following = page.get("LastEvaluatedKey")
        if not following:
            return
        request["ExclusiveStartKey"] = following
