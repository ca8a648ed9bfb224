"""Events in DynamoDB: an identifier is one item, so whatever is sent again is there once."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipelines.experimentation.service.dynamodb import CONNECTIONS, ConditionFailedError, query, speaking
from pipelines.experimentation.service.intake import StoredEvent
from pipelines.experimentation.service.problems import StoreUnavailableError
from pipelines.experimentation.service.tables import SHARDS

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

Fate = Literal["stored", "known", "conflicting"]
KEPT_DAYS = 400.0
"""How long events are kept; a decision cannot be reproduced afterwards."""
ROUNDS, PAUSE_SECONDS = 3, 0.05
"""How often the events of a batch that failed are tried again by themselves, beyond what each call retries."""
_OPTIONAL = ("variant", "outcome", "cluster")


@dataclass(frozen=True)
class Received:
    """An event and when it was stored, seconds since the epoch by the service's clock."""

    event: StoredEvent
    at: float


class EventStore:
    """Events of every experiment. `relayed` marks new events for the outbox."""

    def __init__(
        self, client: "DynamoDBClient", table: str, *, relayed: bool = False, clock: Callable[[], float] = time.time
    ) -> None:
        self._client, self._table, self._relayed, self._clock = client, table, relayed, clock
        self._pool = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="events")

    def put(self, events: Sequence[StoredEvent]) -> list[Fate]:
        """Store events and say what became of each: stored now, known already, or another one has its identifier.

        Returns only once all are durable. Raises StoreUnavailableError when that is not known of every one; those that
        were stored stay, and sending all of them again is safe.
        """
        fates = dict[int, Fate]()
        for round_ in range(ROUNDS):
            if round_:
                time.sleep(PAUSE_SECONDS * 2**round_)
            left = [i for i in range(len(events)) if i not in fates]
            futures = {i: self._pool.submit(self._put, events[i]) for i in left}
            for i, future in futures.items():
                with contextlib.suppress(StoreUnavailableError):
                    fates[i] = future.result()
            if len(fates) == len(events):
                return [fates[i] for i in range(len(events))]
        raise StoreUnavailableError(f"{len(events) - len(fates)} of {len(events)} events are not known to be stored")

    def _put(self, event: StoredEvent) -> Fate:
        now = self._clock()
        item: dict[str, Any] = {
            "shard": {"S": shard_of(event)},
            "id": {"S": event.id},
            "unit": {"S": event.unit},
            "kind": {"S": event.kind},
            "at": {"N": repr(event.at)},
            # DynamoDB's numbers end at 1e126: text keeps every float as it was.
            "value": {"S": repr(event.value)},
            "stage": {"N": str(event.stage)},
            "received": {"N": repr(now)},
            "digest": {"S": event.digest},
            "expires": {"N": str(int(now + KEPT_DAYS * 86_400))},
        }
        item |= {name: {"S": text} for name in _OPTIONAL if (text := getattr(event, name)) is not None}
        if event.covariates:
            item["covariates"] = {"S": json.dumps(event.covariates)}
        if self._relayed:
            item["pending"] = {"S": f"outbox#{event.id[0]}"}
        try:
            with speaking():
                self._client.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(id)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ConditionFailedError as met:
            return "known" if met.item.get("digest", {}).get("S") == event.digest else "conflicting"
        return "stored"

    def load(self, experiment: str, cutoff: float) -> list[Received]:
        """Every event of an experiment that was stored by `cutoff`, by consistent reads."""
        shards = [f"{experiment}#{i}" for i in range(SHARDS)]
        parts = self._pool.map(self._shard, shards)
        return [found for part in parts for found in part if found.at <= cutoff]

    def _shard(self, shard: str) -> list[Received]:
        return [_received(item) for item in self._query("shard = :key", shard, ConsistentRead=True)]

    def _query(self, condition: str, key: str, **more: Any) -> Iterator[Mapping[str, Any]]:
        values = {":key": {"S": key}}
        return query(
            self._client,
            TableName=self._table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            **more,
        )

    def delete_unit(self, unit: str, until: float) -> dict[str, int]:
        """Delete a unit's events from before `until`; how many, by experiment.

        The index behind it lags by moments: whoever deletes repeats it, and readers leave deleted units out.
        """
        counts = dict[str, int]()
        for item in self._query("#unit = :key", unit, IndexName="by-unit", ExpressionAttributeNames={"#unit": "unit"}):
            try:
                with speaking():
                    self._client.delete_item(
                        TableName=self._table,
                        Key={"shard": item["shard"], "id": item["id"]},
                        ConditionExpression="#at <= :until",
                        ExpressionAttributeNames={"#at": "at"},
                        ExpressionAttributeValues={":until": {"N": repr(until)}},
                    )
            except ConditionFailedError:
                continue  # gone meanwhile, or from after the deletion
            experiment = str(item["shard"]["S"]).rpartition("#")[0]
            counts[experiment] = counts.get(experiment, 0) + 1
        return counts

    def pending(self, digit: str) -> list[Received]:
        """Events that the stream may not have yet, of one sixteenth of the outbox, in the order they were stored."""
        found = self._query("pending = :key", f"outbox#{digit}", IndexName="outbox")
        return sorted(map(_received, found), key=lambda received: received.at)

    def relayed(self, event: StoredEvent) -> None:
        """Note that the stream has the event; nothing happens when it was deleted meanwhile."""
        try:
            with speaking():
                self._client.update_item(
                    TableName=self._table,
                    Key={"shard": {"S": shard_of(event)}, "id": {"S": event.id}},
                    UpdateExpression="REMOVE pending",
                    ConditionExpression="attribute_exists(id)",
                )
        except ConditionFailedError:
            return


def shard_of(event: StoredEvent) -> str:
    """Partition of an event: by its identifier alone, so that a retry always meets the first attempt."""
    return f"{event.experiment}#{int(event.id[-2:], 16) % SHARDS}"


def _received(item: Mapping[str, Any]) -> Received:
    event = StoredEvent(
        id=item["id"]["S"],
        experiment=str(item["shard"]["S"]).rpartition("#")[0],
        kind=item["kind"]["S"],
        unit=item["unit"]["S"],
        at=float(item["at"]["N"]),
        value=float(item["value"]["S"]),
        stage=int(item["stage"]["N"]),
        covariates=json.loads(item["covariates"]["S"]) if "covariates" in item else {},
        digest=item["digest"]["S"],
        variant=item.get("variant", {}).get("S"),
        outcome=item.get("outcome", {}).get("S"),
        cluster=item.get("cluster", {}).get("S"),
    )
    return Received(event, float(item["received"]["N"]))
