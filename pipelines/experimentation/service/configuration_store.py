"""Signed configurations in DynamoDB: one in force per namespace, replaced whole or not at all."""

import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pipelines.experimentation.assignment import (
    Configuration,
    Envelope,
    StaleConfigurationError,
    TamperedConfigurationError,
    reshuffles,
    verify,
)
from pipelines.experimentation.service.dynamodb import reading, speaking
from pipelines.experimentation.service.problems import conflict, unprocessable

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

ENVELOPE_BYTES = 350_000
"""DynamoDB ends an item at 400 KB."""


def etag(envelope: Envelope) -> str:
    """Strong validator of an envelope (RFC 9110)."""
    return f'"{hashlib.sha256((envelope.payload + envelope.signature).encode()).hexdigest()[:32]}"'


class ConfigurationStore:
    """Configurations of the state table. `trusted` are the issuers' public keys: the service can sign nothing."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        trusted: Mapping[str, Ed25519PublicKey],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._table, self._trusted, self._clock = client, table, trusted, clock

    def read(self, namespace: str) -> Envelope | None:
        """The envelope in force; None when there is none."""
        with reading():
            item = self._client.get_item(
                TableName=self._table, Key={"pk": {"S": "configuration"}, "sk": {"S": namespace}}, ConsistentRead=True
            ).get("Item")
        return None if item is None else Envelope.model_validate_json(item["envelope"].get("S", ""))

    def checked(self, namespace: str, envelope: Envelope, before: Envelope | None) -> Configuration:
        """The configuration inside, if it may follow the one in force; otherwise a ProblemError that says why not."""
        if (size := len(envelope.model_dump_json().encode())) > ENVELOPE_BYTES:
            raise unprocessable(f"the envelope has {size} bytes as JSON, {ENVELOPE_BYTES} are allowed")
        try:
            configuration = verify(envelope, self._trusted, datetime.fromtimestamp(self._clock(), UTC))
        except (TamperedConfigurationError, StaleConfigurationError) as error:
            raise unprocessable(str(error)) from None
        if configuration.namespace != namespace:
            raise unprocessable(f"namespace: the document says {configuration.namespace!r}, the address {namespace!r}")
        if before is not None:
            current = Configuration.model_validate_json(before.payload)
            if reasons := reshuffles(current, configuration):
                raise conflict("it would be stale or move units that are placed already", reasons=reasons)
        return configuration

    def replace(self, configuration: Configuration, envelope: Envelope, before: Envelope | None) -> None:
        """Put an envelope in force and into the history, both or neither.

        Raises ConditionFailedError when another than `before` is in force.
        """
        head: dict[str, Any] = {"pk": {"S": "configuration"}, "sk": {"S": configuration.namespace}}
        version = {"S": f"{configuration.version:010}"}
        past: dict[str, Any] = {"pk": {"S": f"configuration#{configuration.namespace}"}, "sk": version}
        body: dict[str, Any] = {"envelope": {"S": envelope.model_dump_json()}, "etag": {"S": etag(envelope)}}
        put: dict[str, Any] = {"TableName": self._table, "Item": {**head, **body, "version": version}}
        if before is None:
            put |= {"ConditionExpression": "attribute_not_exists(pk)"}
        else:
            put |= {"ConditionExpression": "etag = :e", "ExpressionAttributeValues": {":e": {"S": etag(before)}}}
        kept: dict[str, Any] = {
            "TableName": self._table,
            "Item": {**past, **body},
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        with speaking():
            both: list[Any] = [{"Put": put}, {"Put": kept}]
            self._client.transact_write_items(TransactItems=both)
