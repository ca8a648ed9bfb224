"""Experiments in DynamoDB: one item each, replaced only by whoever has read the revision in force."""

import contextlib
import time
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from pipelines.experimentation.decision import Declaration, Ledger, Rollout
from pipelines.experimentation.decision.records import Verdict
from pipelines.experimentation.service.dynamodb import ConditionFailedError, query, reading, speaking
from pipelines.experimentation.service.intake import Running
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
    rollout: Rollout | None = None
    """Of a canary whose weights the service moves."""

    @property
    def state(self) -> str:
        """declared, running, concluded (a verdict waits for approval or decision), or decided."""
        if self.ledger is None:
            return "declared"
        if self.closing is not None:
            return "decided"
        return "concluded" if self.concluded else "running"

    @property
    def concluded(self) -> bool:
        """There is a verdict to be decided on, and a canary's weights are those of its end."""
        if self.ledger is None:
            return False
        return self.ledger.ended if self.rollout is None else self.rollout.over

    @property
    def verdict(self) -> Verdict:
        """Of the record; a canary that came to its end has the one that its last move carried out."""
        end = self.rollout.end if self.rollout else None
        if end is not None:
            return "ship" if end == "finish" else "roll back"
        return self.ledger.verdict if self.ledger else "continue"

    @property
    def winner(self) -> str | None:
        """The variant to be shipped; None while or where there is none."""
        if self.rollout is not None:
            return self.declaration.treatments[0] if self.verdict == "ship" else None
        return self.ledger.looks[-1].winner if self.ledger and self.ledger.looks else None

    @property
    def may_ship(self) -> bool:
        """Shipping is approved: by one of the approvers, or by the start of a canary that came through its plan."""
        if self.rollout is not None:
            return self.verdict == "ship"
        return bool(self.ledger and self.ledger.may_ship)


class ExperimentStore:
    """Experiments of the state table."""

    def __init__(self, client: "DynamoDBClient", table: str, clock: Callable[[], float] = time.time) -> None:
        self._client, self._table, self._clock = client, table, clock
        self._running = dict[str, Running]()
        self._absent = dict[str, float]()

    def read(self, name: str) -> tuple[Standing, int] | None:
        """An experiment and its revision, by a consistent read; None when it was never declared."""
        with reading():
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
        with speaking():
            self._client.put_item(**self._put(standing, after))
        return after + 1

    def write_steering(self, standing: Standing, after: int) -> int:
        """As `write`, and claim the endpoint that the canary steers; both or neither.

        Raises ProblemError when another experiment has it.
        """
        rollout = standing.rollout
        assert rollout is not None  # noqa: S101 - the caller has just made it
        name, endpoint = standing.declaration.name, rollout.steering.endpoint
        claim: dict[str, Any] = {
            "TableName": self._table,
            "Item": {"pk": {"S": "serving"}, "sk": {"S": endpoint}, "experiment": {"S": name}},
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        both: list[Any] = [{"Put": self._put(standing, after)}, {"Put": claim}]
        try:
            with speaking():
                self._client.transact_write_items(TransactItems=both)
        except ConditionFailedError:
            if (other := self.steering().get(endpoint)) is None:
                raise
            raise conflict(f"serving.endpoint: {other} steers {endpoint}; wait for its end or roll it back") from None
        return after + 1

    def steering(self) -> dict[str, str]:
        """The experiment that steers each endpoint."""
        found = query(
            self._client,
            TableName=self._table,
            KeyConditionExpression="pk = :key",
            ExpressionAttributeValues={":key": {"S": "serving"}},
            ConsistentRead=True,
        )
        return {item["sk"]["S"]: item["experiment"]["S"] for item in found}

    def release(self, endpoint: str, name: str) -> None:
        """Give an endpoint up, if `name` has it."""
        with contextlib.suppress(ConditionFailedError), speaking():
            self._client.delete_item(
                TableName=self._table,
                Key={"pk": {"S": "serving"}, "sk": {"S": endpoint}},
                ConditionExpression="experiment = :name",
                ExpressionAttributeValues={":name": {"S": name}},
            )

    def _put(self, standing: Standing, after: int) -> dict[str, Any]:
        body = zlib.compress(standing.model_dump_json().encode())
        if len(body) > ITEM_BYTES:
            raise conflict(f"the record would have {len(body)} bytes compressed, {ITEM_BYTES} fit; take fewer looks")
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if after:
            values = {":after": {"N": str(after)}}
            condition = {"ConditionExpression": "revision = :after", "ExpressionAttributeValues": values}
        return {
            "TableName": self._table,
            "Item": {
                "pk": {"S": "experiment"},
                "sk": {"S": standing.declaration.name},
                "revision": {"N": str(after + 1)},
                "state": {"S": standing.state},
                "body": {"B": body},
            },
            **condition,
        }

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

    def running(self, name: str) -> Running | None:
        """What never changes after the start; None before it."""
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
        standing, ledger = found[0], found[0].ledger
        self._running[name] = Running(standing.declaration, ledger.started_at)
        return self._running[name]

    def started(self, name: str) -> None:
        """Forget that `name` was not running a moment ago."""
        self._absent.pop(name, None)
