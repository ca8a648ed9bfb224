"""The service's parts, put together once per process."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from pipelines.experimentation.decision import Declaration, Rollout, SageMakerServingWeights, ServingWeights
from pipelines.experimentation.decision.stream import EventStream, KafkaEventStream
from pipelines.experimentation.service import tables
from pipelines.experimentation.service.canaries import Canaries
from pipelines.experimentation.service.columns import ReceivedEvents, columns
from pipelines.experimentation.service.configuration_store import ConfigurationStore
from pipelines.experimentation.service.deletions import Deletions
from pipelines.experimentation.service.dynamodb import dynamodb
from pipelines.experimentation.service.event_store import EventStore
from pipelines.experimentation.service.experiment_store import ExperimentStore, Standing
from pipelines.experimentation.service.lease import Lease
from pipelines.experimentation.service.problems import StoreUnavailableError
from pipelines.experimentation.service.pseudonyms import Pseudonyms
from pipelines.experimentation.service.relay import DurableEventStream
from pipelines.experimentation.service.settings import Settings
from pipelines.experimentation.service.tokens import Tokens

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_sagemaker import SageMakerClient

SERVING_SECONDS = 5.0
"""How long one canary may keep the others waiting for its endpoint; the next round waits on."""
Serving = Callable[[Declaration, Rollout], ServingWeights]


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
    canaries: Canaries

    def give_back(self) -> None:
        """Let another replica do the background work at once; a store that does not answer ends the lease by itself."""
        for lease in [self.canaries.lease, *([self.outbox.lease] if self.outbox else [])]:
            with suppress(StoreUnavailableError):
                lease.give_back()

    def seen(self, standing: Standing, at: float) -> ReceivedEvents:
        """An experiment's events stored by `at`, without those of people whose data were deleted."""
        return _seen(self.events, self.deletions, standing, at)


def assemble(
    settings: Settings,
    client: "DynamoDBClient | None" = None,
    stream: EventStream | None = None,
    serving: Serving | None = None,
    clock: Callable[[], float] = time.time,
) -> Services:
    """Build the parts; `stream` overrides what the settings name, `serving` SageMaker."""
    reader = client or dynamodb(paging=True)
    client = client or dynamodb()
    if settings.create_tables:
        tables.create(client, settings.state_table, settings.events_table)
    if stream is None and settings.kafka_brokers:
        stream = KafkaEventStream(settings.kafka_brokers, settings.kafka_topic, more=settings.kafka_settings)
    events = EventStore(client, settings.events_table, reader=reader, relayed=stream is not None, clock=clock)

    def lease(work: str) -> Lease:
        return Lease(client, settings.state_table, work, clock)

    experiments = ExperimentStore(client, settings.state_table, clock)
    deletions = Deletions(client, settings.state_table, events, clock)
    canaries = Canaries(
        experiments=experiments,
        events=lambda standing, at: _seen(events, deletions, standing, at),
        serving=serving or _sagemaker(),
        lease=lease("canaries"),
        settle_seconds=settings.settle_seconds,
        clock=clock,
    )
    return Services(
        settings=settings,
        clock=clock,
        pseudonyms=Pseudonyms(settings.unit_key),
        tokens=Tokens(client, settings.state_table, clock),
        experiments=experiments,
        configurations=ConfigurationStore(client, settings.state_table, settings.trusted, clock),
        events=events,
        deletions=deletions,
        outbox=None if stream is None else DurableEventStream(events, stream, lease("relay"), deletions.remembered),
        canaries=canaries,
    )


def _seen(events: EventStore, deletions: Deletions, standing: Standing, at: float) -> ReceivedEvents:
    declaration = standing.declaration
    return columns(declaration, events.load(declaration.name, at), deletions.remembered(), standing.rollout)


def _sagemaker() -> Serving:
    clients = dict[str, "SageMakerClient"]()  # made when the first canary starts: many services never steer one

    def weights(_declaration: Declaration, rollout: Rollout) -> ServingWeights:
        if not clients:
            config = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2})
            clients["sagemaker"] = boto3.client("sagemaker", config=config)  # pyright: ignore[reportUnknownMemberType]: the stubs name only some services
        steering = rollout.steering
        return SageMakerServingWeights(
            clients["sagemaker"], steering.endpoint, steering.variants, timeout=SERVING_SECONDS, poll=0.5
        )

    return weights
