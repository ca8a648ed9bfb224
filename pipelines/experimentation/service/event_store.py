"""Events in DynamoDB: an identifier is one item, so whatever is sent again is there once."""

import contextlib
import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipelines.experimentation.service.dynamodb import CONNECTIONS, READERS, ConditionFailedError, query, speaking
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
OUTBOXES = "0123456789abcdef"
"""Parts of the outbox, by the first digit of a unit's pseudonym: a unit's events lie in one, in the order stored."""
PAGE = 500


@dataclass(frozen=True)
class Received:
    """An event and when it was stored, seconds since the epoch by the service's clock."""

    event: StoredEvent
    at: float


class EventStore:
    """Events of every experiment. `relayed` marks new events for the outbox; `reader` is a client for long reads."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        *,
        reader: "DynamoDBClient | None" = None,
        relayed: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._reader = client, reader or client
        self._table, self._relayed, self._clock = table, relayed, clock
        self._pool = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="events")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reads")

    def put(self, events: Sequence[StoredEvent]) -> list[Fate]:
        """Store events and say what became of each: stored now, known already, or another one has its identifier.

        Returns only once all are durable. Raises StoreUnavailableError when that is not known of every one; those that
        were stored stay, and sending all of them again is safe.
        """
        fates: list[Fate | None] = [None] * len(events)
        for round_ in range(ROUNDS):
            if round_:
                time.sleep(PAUSE_SECONDS * 2**round_)
            left = [i for i, fate in enumerate(fates) if fate is None]
            tried: Iterable[Fate | None] = (
                self._pool.map(self._try, [events[i] for i in left]) if len(left) > 1 else [self._try(events[left[0]])]
            )
            for i, fate in zip(left, tried, strict=True):
                fates[i] = fate
            known: list[Fate] = [fate for fate in fates if fate is not None]
            if len(known) == len(events):
                return known
        raise StoreUnavailableError(f"{fates.count(None)} of {len(events)} events are not known to be stored")

    def _try(self, event: StoredEvent) -> Fate | None:
        """What became of an event; None when that is not known."""
        try:
            return self._put(event)
        except StoreUnavailableError:
            return None

    def _put(self, event: StoredEvent) -> Fate:
        now = self._clock()
        # DynamoDB is charged, and takes time, by the attribute: only what it must see itself is one.
        item: dict[str, Any] = {
            "shard": {"S": shard_of(event)},
            "id": {"S": event.id},
            "unit": {"S": event.unit},
            "at": {"N": repr(event.at)},
            "event": {"S": event.content()},
            "received": {"N": repr(now)},
            "digest": {"S": event.digest},
            "expires": {"N": str(int(now + KEPT_DAYS * 86_400))},
        }
        if self._relayed:
            item["pending"] = {"S": f"outbox#{event.unit[0]}"}
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
        parts = self._readers.map(self._shard, shards)
        return [found for part in parts for found in part if found.at <= cutoff]

    def _shard(self, shard: str) -> list[Received]:
        return [_received(item) for item in self._query("shard = :key", shard, ConsistentRead=True)]

    def _query(self, condition: str, key: str, **more: Any) -> Iterator[Mapping[str, Any]]:
        values = {":key": {"S": key}}
        return query(
            self._reader,
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

    def pending(self, part: str) -> list[Received]:
        """The first PAGE events that the stream may not have yet, of one of OUTBOXES, in the order they were stored."""
        found = self._query("pending = :key", f"outbox#{part}", IndexName="outbox", Limit=PAGE)
        return [_received(item) for item in itertools.islice(found, PAGE)]

    def relayed(self, events: Sequence[StoredEvent]) -> None:
        """Note that the stream has these events; those that were deleted meanwhile stay deleted."""
        list(self._pool.map(self._take_mark, events))

    def _take_mark(self, event: StoredEvent) -> None:
        with contextlib.suppress(ConditionFailedError), speaking():
            self._client.update_item(
                TableName=self._table,
                Key={"shard": {"S": shard_of(event)}, "id": {"S": event.id}},
                UpdateExpression="REMOVE pending",
                ConditionExpression="attribute_exists(id)",
            )


def shard_of(event: StoredEvent) -> str:
    """Partition of an event: by its identifier alone, so that a retry always meets the first attempt."""
    return f"{event.experiment}#{int(event.id[-2:], 16) % SHARDS}"


def _received(item: Mapping[str, Any]) -> Received:
    event = StoredEvent(
        id=item["id"]["S"],
        experiment=str(item["shard"]["S"]).rpartition("#")[0],
        unit=item["unit"]["S"],
        at=float(item["at"]["N"]),
        digest=item["digest"]["S"],
        **json.loads(item["event"]["S"]),
    )
    return Received(event, float(item["received"]["N"]))
