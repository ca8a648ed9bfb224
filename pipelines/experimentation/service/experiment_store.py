"""Experiments in DynamoDB: one item each, replaced only by whoever has read the revision in force."""

import time
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from pipelines.experimentation.decision import Declaration, Ledger
from pipelines.experimentation.decision.records import Verdict
from pipelines.experimentation.service.dynamodb import query, speaking
from pipelines.experimentation.service.problems import conflict

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

ITEM_BYTES = 380_000
"""DynamoDB ends an item at 400 KB; the record is compressed."""


class Closing(BaseModel):
    """The end of an experiment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: str
    at: float
    verdict: Verdict
    winner: str | None
    record_digest: str


class Standing(BaseModel):
    """All that is kept of one experiment, beside its events."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    declaration: Declaration
    declared_by: str
    declared_at: float
    started_by: str | None = None
    ledger: Ledger | None = None
    """None until it is started."""
    closing: Closing | None = None

    @property
    def state(self) -> str:
        """declared, running, concluded (a verdict waits for approval or decision), or decided."""
        if self.ledger is None:
            return "declared"
        if self.closing is not None:
            return "decided"
        return "concluded" if self.ledger.ended else "running"


class ExperimentStore:
    """Experiments of the state table."""

    def __init__(self, client: "DynamoDBClient", table: str, clock: Callable[[], float] = time.time) -> None:
        self._client, self._table, self._clock = client, table, clock
        self._running = dict[str, Ledger]()
        self._absent = dict[str, float]()

    def read(self, name: str) -> tuple[Standing, int] | None:
        """An experiment and its revision, by a consistent read; None when it was never declared."""
        with speaking():
            item = self._client.get_item(
                TableName=self._table, Key={"pk": {"S": "experiment"}, "sk": {"S": name}}, ConsistentRead=True
            ).get("Item")
        if item is None:
            return None
        body = bytes(item["body"].get("B", b""))
        return Standing.model_validate_json(zlib.decompress(body)), int(item["revision"].get("N", "0"))

    def write(self, standing: Standing, after: int) -> int:
        """Put an experiment in place of revision `after` (0: there is none); the new revision.

        Raises ConditionFailedError when another revision is in force, ProblemError when the record is too long.
        """
        body = zlib.compress(standing.model_dump_json().encode())
        if len(body) > ITEM_BYTES:
            raise conflict(f"the record would have {len(body)} bytes compressed, {ITEM_BYTES} fit; take fewer looks")
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if after:
            values = {":after": {"N": str(after)}}
            condition = {"ConditionExpression": "revision = :after", "ExpressionAttributeValues": values}
        with speaking():
            self._client.put_item(
                TableName=self._table,
                Item={
                    "pk": {"S": "experiment"},
                    "sk": {"S": standing.declaration.name},
                    "revision": {"N": str(after + 1)},
                    "state": {"S": standing.state},
                    "body": {"B": body},
                },
                **condition,
            )
        return after + 1

    def names(self) -> dict[str, str]:
        """Every experiment's name and state."""
        found = query(
            self._client,
            TableName=self._table,
            KeyConditionExpression="pk = :key",
            ExpressionAttributeValues={":key": {"S": "experiment"}},
            ProjectionExpression="sk, #state",
            ExpressionAttributeNames={"#state": "state"},
            ConsistentRead=True,
        )
        return {item["sk"]["S"]: item["state"]["S"] for item in found}

    def running(self, name: str) -> Ledger | None:
        """The ledger as it was when first seen running: declaration and start never change after it; None before."""
        if (known := self._running.get(name)) is not None:
            return known
        if self._absent.get(name, 0.0) > (now := self._clock()):
            return None
        found = self.read(name)
        if found is None or found[0].ledger is None:
            if len(self._absent) > 1000:
                self._absent.clear()
            self._absent[name] = now + 1.0  # a client that sends to nowhere must not cost a read per event
            return None
        self._running[name] = found[0].ledger
        return found[0].ledger

    def started(self, name: str) -> None:
        """Forget that `name` was not running a moment ago."""
        self._absent.pop(name, None)
