"""The service's parts, put together once per process."""

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.experimentation.decision.stream import EventStream, KafkaEventStream
from pipelines.experimentation.errors import ExperimentError
from pipelines.experimentation.service import tables
from pipelines.experimentation.service.configuration_store import ConfigurationStore
from pipelines.experimentation.service.deletions import Deletions
from pipelines.experimentation.service.dynamodb import dynamodb
from pipelines.experimentation.service.event_store import EventStore
from pipelines.experimentation.service.experiment_store import ExperimentStore
from pipelines.experimentation.service.pseudonyms import Pseudonyms
from pipelines.experimentation.service.relay import DurableEventStream
from pipelines.experimentation.service.settings import Settings
from pipelines.experimentation.service.tokens import Tokens

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class Services:
    """Everything that an endpoint may use; `clock` gives seconds since the epoch."""

    settings: Settings
    clock: Callable[[], float]
    pseudonyms: Pseudonyms
    tokens: Tokens
    experiments: ExperimentStore
    configurations: ConfigurationStore
    events: EventStore
    deletions: Deletions
    outbox: DurableEventStream | None


def assemble(
    settings: Settings,
    client: "DynamoDBClient | None" = None,
    stream: EventStream | None = None,
    clock: Callable[[], float] = time.time,
) -> Services:
    """Build the parts; `stream` overrides what the settings name."""
    client = client or dynamodb()
    if settings.create_tables:
        tables.create(client, settings.state_table, settings.events_table)
    if stream is None and settings.kafka_brokers:
        stream = _kafka(settings)
    events = EventStore(client, settings.events_table, relayed=stream is not None, clock=clock)
    return Services(
        settings=settings,
        clock=clock,
        pseudonyms=Pseudonyms(settings.unit_key),
        tokens=Tokens(client, settings.state_table, clock),
        experiments=ExperimentStore(client, settings.state_table, clock),
        configurations=ConfigurationStore(client, settings.state_table, settings.trusted, clock),
        events=events,
        deletions=Deletions(client, settings.state_table, events, clock),
        outbox=None if stream is None else DurableEventStream(events, stream),
    )


def _kafka(settings: Settings) -> KafkaEventStream:
    try:
        module: Any = importlib.import_module("confluent_kafka")
    except ModuleNotFoundError:
        raise ExperimentError("KAFKA_BROKERS is set; add confluent-kafka to the image or unset it") from None
    producer = module.Producer({"bootstrap.servers": settings.kafka_brokers, "enable.idempotence": True, "acks": "all"})
    return KafkaEventStream(producer, settings.kafka_topic)
