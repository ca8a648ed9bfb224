"""Deleting a person's data: remembered first, so that nothing of it counts or stays, whatever is still under way."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipelines.experimentation.service.dynamodb import query, reading, speaking
from pipelines.experimentation.service.event_store import EventStore
from pipelines.experimentation.service.intake import OLDEST_SECONDS

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

REMEMBERED_SECONDS = OLDEST_SECONDS + 86_400
"""Longer than any event from before a deletion can still arrive."""


class Deletions:
    """Units whose data was deleted lately, by pseudonym, and how many units each experiment lost."""

    def __init__(
        self, client: "DynamoDBClient", table: str, events: EventStore, clock: Callable[[], float] = time.time
    ) -> None:
        self._client, self._table, self._events, self._clock = client, table, events, clock

    def delete(self, unit: str) -> int:
        """Delete everything a unit did until now; the number of events."""
        now = self._clock()
        item: dict[str, Any] = {
            "pk": {"S": "deleted"},
            "sk": {"S": unit},
            "at": {"N": repr(now)},
            "expires": {"N": str(int(now + REMEMBERED_SECONDS))},
        }
        with speaking():
            self._client.put_item(TableName=self._table, Item=item)
        return self._sweep(unit, now)

    def sweep(self) -> int:
        """Delete again what arrived or became visible late; the number of events. Call it every minute or so."""
        return sum(self._sweep(unit, at) for unit, at in self.remembered().items())

    def _sweep(self, unit: str, until: float) -> int:
        found = self._events.of_unit(unit, until)
        # Counted first: events that are gone while no deletion is counted would look like tampering.
        for experiment in sorted({key.experiment for key in found}):
            with speaking():
                self._client.update_item(
                    TableName=self._table,
                    Key={"pk": {"S": "deletions"}, "sk": {"S": experiment}},
                    UpdateExpression="ADD deletions :one",
                    ExpressionAttributeValues={":one": {"N": "1"}},
                )
        return self._events.delete(found, until)

    def remembered(self) -> dict[str, float]:
        """Units deleted lately and when."""
        found = query(
            self._client,
            TableName=self._table,
            KeyConditionExpression="pk = :key",
            ExpressionAttributeValues={":key": {"S": "deleted"}},
            ConsistentRead=True,
        )
        return {item["sk"]["S"]: float(item["at"]["N"]) for item in found}

    def count(self, experiment: str) -> int:
        """How often somebody's data were deleted from an experiment, or the attempt was made."""
        with reading():
            key: dict[str, Any] = {"pk": {"S": "deletions"}, "sk": {"S": experiment}}
            item = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return int(item["deletions"].get("N", "0")) if item else 0
