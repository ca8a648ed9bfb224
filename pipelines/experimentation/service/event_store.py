"""Events in DynamoDB: an identifier is one item, so whatever is sent again is there once."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, repeat
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

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
OUTBOX_LAG_SECONDS = 1.0
"""How far behind now the outbox is read: longer than its index usually is behind, which keeps no order of its own."""
PAGE = 500


class Key(NamedTuple):
    """Where an event lies."""

    shard: str
    id: str

    @property
    def experiment(self) -> str:
        """Whose it is."""
        return self.shard.rpartition("#")[0]


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

        A unit's events are stored in the order given, one after the other; different units' at once. Returns only when
        all are durable. Raises StoreUnavailableError when that is not known of every one; those that were stored stay,
        and sending all of them again is safe.
        """
        distinct = {(event.id, event.digest): event for event in events}
        fates = dict[tuple[str, str], Fate]()
        for round_ in range(ROUNDS):
            if round_:
                time.sleep(PAUSE_SECONDS * 2**round_)
            lines = dict[str, list[StoredEvent]]()
            for key, event in distinct.items():
                if key not in fates:
                    lines.setdefault(event.unit, []).append(event)
            for found in (self._pool.map if len(lines) > 1 else map)(self._put_line, lines.values()):
                fates |= found
            if len(fates) == len(distinct):
                return [_take(fates, (event.id, event.digest)) for event in events]
        raise StoreUnavailableError(
            f"{len(distinct) - len(fates)} of {len(distinct)} events are not known to be stored"
        )

    def _put_line(self, events: Sequence[StoredEvent]) -> dict[tuple[str, str], Fate]:
        """What became of events one after the other, up to the first of which that is not known."""
        fates = dict[tuple[str, str], Fate]()
        with contextlib.suppress(StoreUnavailableError):
            for event in events:
                fates[event.id, event.digest] = self._put(event)
        return fates

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

    def _query(
        self, condition: str, key: str, numbers: Mapping[str, float] | None = None, **more: Any
    ) -> Iterator[Mapping[str, Any]]:
        values = {":key": {"S": key}, **{name: {"N": repr(number)} for name, number in (numbers or {}).items()}}
        return query(
            self._reader,
            TableName=self._table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            **more,
        )

    def of_unit(self, unit: str, until: float) -> list[Key]:
        """Where a unit's events from before `until` lie. The index behind it lags by moments: repeat it."""
        names = {"#unit": "unit", "#at": "at"}
        condition = "#unit = :key AND #at <= :until"
        found = self._query(condition, unit, {":until": until}, IndexName="by-unit", ExpressionAttributeNames=names)
        return [Key(item["shard"]["S"], item["id"]["S"]) for item in found]

    def delete(self, keys: Sequence[Key], until: float) -> int:
        """Delete what lies there, if it is from before `until`; how many events went."""
        return sum(self._pool.map(self._delete, keys, repeat(until)))

    def _delete(self, key: Key, until: float) -> int:
        try:
            with speaking():
                self._client.delete_item(
                    TableName=self._table,
                    Key={"shard": {"S": key.shard}, "id": {"S": key.id}},
                    ConditionExpression="#at <= :until",
                    ExpressionAttributeNames={"#at": "at"},
                    ExpressionAttributeValues={":until": {"N": repr(until)}},
                )
        except ConditionFailedError:
            return 0  # gone meanwhile
        return 1

    def waiting(self) -> Iterator[list[StoredEvent]]:
        """What the stream may not have yet, page after page; each unit's events in the order they were stored.

        It leaves out what was stored in the last OUTBOX_LAG_SECONDS. A page may repeat some of the one before.
        """
        until, since = self._clock() - OUTBOX_LAG_SECONDS, dict.fromkeys(OUTBOXES, 0.0)
        while since:
            pages = dict(zip(since, self._readers.map(self._page, since, since.values(), repeat(until)), strict=False))
            yield [received.event for page in pages.values() for received in page]
            # Pages follow each other by time: a query that starts after an item needs that item to be still there.
            ends = {part: page[-1].at for part, page in pages.items() if len(page) == PAGE}
            since = {part: end for part, end in ends.items() if end > since[part]}

    def _page(self, part: str, since: float, until: float) -> list[Received]:
        condition = "pending = :key AND received BETWEEN :since AND :until"
        bounds = {":since": since, ":until": until}
        found = self._query(condition, f"outbox#{part}", bounds, IndexName="outbox", Limit=PAGE)
        return [_received(item) for item in islice(found, PAGE)]

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


def _take(fates: dict[tuple[str, str], Fate], key: tuple[str, str]) -> Fate:
    """The fate of an event; the same one again, later in the batch, is known by then."""
    fate = fates[key]
    if fate == "stored":
        fates[key] = "known"
    return fate


def shard_of(event: StoredEvent) -> str:
    """Partition of an event: by its identifier alone, so that a retry always meets the first attempt."""
    return f"{event.experiment}#{int(event.id[-2:], 16) % SHARDS}"


def _received(item: Mapping[str, Any]) -> Received:
    event = StoredEvent(
        id=item["id"]["S"],
        experiment=Key(item["shard"]["S"], item["id"]["S"]).experiment,
        unit=item["unit"]["S"],
        at=float(item["at"]["N"]),
        digest=item["digest"]["S"],
        **json.loads(item["event"]["S"]),
    )
    return Received(event, float(item["received"]["N"]))
