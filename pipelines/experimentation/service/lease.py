"""One replica at a time: background work belongs to whoever holds its lease."""

import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from pipelines.experimentation.service.dynamodb import ConditionFailedError, speaking

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

LEASE_SECONDS = 45.0
"""How long after its holder's death the work rests. Replicas' clocks may differ by a part of it."""


class Lease:
    """The lease of one work, in the state table, held by this object."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        work: str,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._table, self._work, self._clock, self._timer = client, table, work, clock, timer
        self._holder = uuid.uuid4().hex
        self._ends = 0.0

    @property
    def left(self) -> float:
        """Seconds for which the work is ours, negative when it is not; by this machine's own timer."""
        return self._ends - self._timer()

    def take(self) -> bool:
        """Take the lease or prolong it, a second time only when half of it is over; False when another has it."""
        if self.left > LEASE_SECONDS / 2:
            return True
        begun, now = self._timer(), self._clock()
        try:
            with speaking():
                self._client.put_item(
                    TableName=self._table,
                    Item={
                        "pk": {"S": "lease"},
                        "sk": {"S": self._work},
                        "holder": {"S": self._holder},
                        "until": {"N": repr(now + LEASE_SECONDS)},
                        "expires": {"N": str(int(now + 86_400))},
                    },
                    ConditionExpression="attribute_not_exists(pk) OR holder = :me OR #until < :now",
                    ExpressionAttributeNames={"#until": "until"},
                    ExpressionAttributeValues={":me": {"S": self._holder}, ":now": {"N": repr(now)}},
                )
        except ConditionFailedError:
            self._ends = 0.0
            return False
        self._ends = begun + LEASE_SECONDS
        return True

    def give_back(self) -> None:
        """Let another replica take it at once."""
        if self.left <= 0:
            return
        self._ends = 0.0
        try:
            with speaking():
                self._client.delete_item(
                    TableName=self._table,
                    Key={"pk": {"S": "lease"}, "sk": {"S": self._work}},
                    ConditionExpression="holder = :me",
                    ExpressionAttributeValues={":me": {"S": self._holder}},
                )
        except ConditionFailedError:
            return
