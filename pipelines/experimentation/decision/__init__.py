"""Declared experiments: looks, verdicts, records, and the serving weights that follow them."""

from pipelines.experimentation.decision.canary import Move, Position, drive, next_move
from pipelines.experimentation.decision.declaration import Declaration, load
from pipelines.experimentation.decision.events import Events
from pipelines.experimentation.decision.ledger import ChangedDeclarationError, Ledger, reproduce
from pipelines.experimentation.decision.records import Look, Verdict
from pipelines.experimentation.decision.rollout import Rollout, Steering
from pipelines.experimentation.decision.serving import InMemoryServingWeights, SageMakerServingWeights, ServingWeights
from pipelines.experimentation.decision.stream import Event, EventStream, InMemoryEventStream, KafkaEventStream

__all__ = [
    "ChangedDeclarationError",
    "Declaration",
    "Event",
    "EventStream",
    "Events",
    "InMemoryEventStream",
    "InMemoryServingWeights",
    "KafkaEventStream",
    "Ledger",
    "Look",
    "Move",
    "Position",
    "Rollout",
    "SageMakerServingWeights",
    "ServingWeights",
    "Steering",
    "Verdict",
    "drive",
    "load",
    "next_move",
    "reproduce",
]
