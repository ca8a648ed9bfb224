"""The two DynamoDB tables.

State, keyed by what a thing is:

| pk | sk | item |
|---|---|---|
| `experiment` | name | declaration and ledger, compressed JSON, with a revision |
| `configuration` | namespace | the envelope in force, with its version |
| `configuration#<namespace>` | version, ten digits | every envelope ever in force |
| `serving` | SageMaker endpoint | the running canary that steers it |
| `lease` | a background work's name | which replica does it, until when |
| `token` | token's identifier | SHA-256 of its secret, subject, roles |
| `deleted` | unit's pseudonym | when its data was deleted; goes by time to live |

Events, keyed so that one identifier is one item:

| attribute | meaning |
|---|---|
| `shard` (partition) | `<experiment>#<0…7>`, by the identifier |
| `id` (sort) | pseudonym of the event's identifier |
| `unit`, `at` | whose and when: what a deletion goes by |
| `event` | the rest of the event, JSON: an attribute each would cost more to write and to read |
| `received` | when the service stored it, by its own clock: what a look's cutoff is compared with |
| `digest` | of what the client sent, to tell a retry from another event |
| `pending` | part of the outbox, until the event stream has it |
| `expires` | time to live |

Indexes: `by-unit` finds a unit's events up to a moment, for deletion; `outbox` is sparse and holds what is still to be
relayed, in the order it was stored.
"""

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

SHARDS = 8
"""Partitions per experiment: a partition takes 1 000 writes per second."""


def create(client: "DynamoDBClient", state: str, events: str) -> None:
    """Create whichever table is missing, billed per request, and wait for it; for development and tests.

    A deployed platform declares its tables with encryption, recovery and deletion protection.
    """
    with contextlib.suppress(client.exceptions.ResourceInUseException):
        client.create_table(
            TableName=state,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
    with contextlib.suppress(client.exceptions.ResourceInUseException):
        client.create_table(
            TableName=events,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                *({"AttributeName": n, "AttributeType": "S"} for n in ("shard", "id", "unit", "pending")),
                *({"AttributeName": n, "AttributeType": "N"} for n in ("at", "received")),
            ],
            KeySchema=[{"AttributeName": "shard", "KeyType": "HASH"}, {"AttributeName": "id", "KeyType": "RANGE"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by-unit",
                    "KeySchema": [
                        {"AttributeName": "unit", "KeyType": "HASH"},
                        {"AttributeName": "at", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                },
                {
                    "IndexName": "outbox",
                    "KeySchema": [
                        {"AttributeName": "pending", "KeyType": "HASH"},
                        {"AttributeName": "received", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                },
            ],
        )
    for table in (state, events):
        client.get_waiter("table_exists").wait(TableName=table)
        with contextlib.suppress(client.exceptions.ClientError):  # on already
            client.update_time_to_live(
                TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
            )
