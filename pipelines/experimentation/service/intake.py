"""What a client sends, checked against the experiment it belongs to, and made into what is stored."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipelines.experimentation.assignment.configuration import canonical_json
from pipelines.experimentation.decision.declaration import Declaration, Name
from pipelines.experimentation.decision.events import outcomes_of
from pipelines.experimentation.service.pseudonyms import Pseudonyms

SKEW_SECONDS = 60.0
"""A client's clock may differ from ours by this much before its times are corrected.

Below it the client's own times are kept, since they alone know what came first.
"""
OLDEST_SECONDS = 7 * 86_400.0
"""An event older than this is refused: deletions are remembered for one day longer."""
BATCH = 500
Number = Annotated[float, Field(strict=True, ge=-1e15, le=1e15)]
"""A JSON number whose square, and the sum of a billion such squares, a double can hold."""
Moment = Annotated[float, Field(strict=True, ge=0, le=1e11)]
"""Seconds since the epoch by the client's clock."""


class IncomingEvent(BaseModel):
    """One exposure or outcome as the client knows it; identifiers are hashed with a key before anything is stored."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    id: str = Field(min_length=8, max_length=200)
    """Made once per event, unique within the experiment, and kept over retries; a UUID does."""
    kind: Literal["exposure", "outcome"]
    experiment: Name
    unit: str = Field(min_length=1, max_length=512)
    at: Moment
    """When it happened."""
    variant: Name | None = None
    """Of an exposure."""
    outcome: Name | None = None
    """Name of an outcome."""
    value: Number = 1.0
    """Of an outcome."""
    cluster: str | None = Field(default=None, min_length=1, max_length=512)
    """Of an exposure, where the declaration says clustered."""
    covariates: dict[Name, Number] = Field(default_factory=dict)
    """Of an exposure: exactly those that the declaration's metrics name, measured before it."""
    segments: dict[Name, Annotated[str, Field(min_length=1, max_length=64)]] = Field(default_factory=dict)
    """Of an exposure: exactly those that the declaration names, known before it. Stored as sent."""


class Batch(BaseModel):
    """Events sent together. A batch is checked as a whole before any of it is stored."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    sent_at: Moment | None = None
    """The client's clock when this attempt was sent; with it a wrong clock is corrected, without it refused."""
    events: list[IncomingEvent] = Field(min_length=1, max_length=BATCH)


class StoredEvent(BaseModel):
    """An event as kept: no identifier of a person, times by our clock."""

    model_config = ConfigDict(frozen=True)

    id: str
    experiment: str
    kind: Literal["exposure", "outcome"]
    unit: str
    at: float
    variant: str | None = None
    outcome: str | None = None
    value: float = 1.0
    cluster: str | None = None
    covariates: dict[str, float] = Field(default_factory=dict)
    segments: dict[str, str] = Field(default_factory=dict)
    digest: str
    """Of what the client said; equal for a retry whatever its `sent_at`."""

    def content(self) -> str:
        """The event's own part as JSON: what is not a key, a time or about its storage."""
        return self.model_dump_json(exclude=_ELSEWHERE, exclude_defaults=True)


_ELSEWHERE = {"id", "experiment", "unit", "at", "digest"}


@dataclass(frozen=True)
class Running:
    """What never changes once an experiment has started."""

    declaration: Declaration
    started_at: float


def fault(event: IncomingEvent, running: Running | None, at: float, now: float) -> str | None:
    """Why an event cannot be accepted, None when it can; `at` is its corrected time. Never repeats an identifier."""
    if running is None:
        return f"experiment {event.experiment} is not running; declare and start it first"
    if at > now + SKEW_SECONDS:
        return f"at: {event.at:.0f} is in the future (now is {now:.0f}); correct the clock or send `sent_at`"
    if at < now - OLDEST_SECONDS:
        return f"at: {event.at:.0f} is more than {OLDEST_SECONDS / 86_400:g} days ago; such events are refused"
    if at < running.started_at - SKEW_SECONDS:
        return f"at: {event.at:.0f} is before the experiment started, {running.started_at:.0f}"
    if event.kind == "exposure":
        return _exposure_fault(event, running.declaration)
    return _outcome_fault(event, running.declaration)


def _exposure_fault(event: IncomingEvent, declaration: Declaration) -> str | None:
    if event.variant not in declaration.variants:
        return f"variant: got {event.variant!r}, declared are {list(declaration.variants)}"
    if event.outcome is not None or event.value != 1:
        return "an exposure has no outcome and no value; send the outcome as an event of its own"
    needed = {c for m in declaration.metrics.values() if m.kind == "mean" for c in m.covariates}
    if set(event.covariates) != needed:
        return f"covariates: got {sorted(event.covariates)}, the declaration needs exactly {sorted(needed)}"
    if set(event.segments) != set(declaration.segments):
        return f"segments: got {sorted(event.segments)}, the declaration needs exactly {sorted(declaration.segments)}"
    if declaration.clustered != (event.cluster is not None):
        return f"cluster: {'missing, the declaration says clustered' if declaration.clustered else 'not declared'}"
    return None


def _outcome_fault(event: IncomingEvent, declaration: Declaration) -> str | None:
    known = sorted(outcomes_of(declaration))
    if event.outcome not in known:
        return f"outcome: got {event.outcome!r}, the declared metrics read {known}"
    if event.variant is not None or event.cluster is not None or event.covariates or event.segments:
        return "an outcome carries no variant, cluster, covariates or segments; those belong to the exposure"
    return None


def clashes(events: Sequence[StoredEvent]) -> list[int]:
    """Which events of a batch carry the identifier of another one before them."""
    first = dict[str, StoredEvent]()
    return [i for i, event in enumerate(events) if first.setdefault(event.id, event).digest != event.digest]


def correction(sent_at: float | None, now: float) -> float:
    """Seconds to add to a client's times: 0 unless its clock is off by more than SKEW_SECONDS."""
    offset = 0.0 if sent_at is None else now - sent_at
    return offset if abs(offset) > SKEW_SECONDS else 0.0


def stored(event: IncomingEvent, pseudonyms: Pseudonyms, at: float, now: float) -> StoredEvent:
    """The event with pseudonyms for identifiers; a time slightly ahead of ours becomes ours."""
    unit = pseudonyms.unit(event.unit)
    cluster = None if event.cluster is None else pseudonyms.cluster(event.cluster)
    said: Mapping[str, object] = {**event.model_dump(mode="json"), "unit": unit, "cluster": cluster, "id": ""}
    return StoredEvent(
        id=pseudonyms.event(event.experiment, event.id),
        experiment=event.experiment,
        kind=event.kind,
        unit=unit,
        at=min(at, now),
        variant=event.variant,
        outcome=event.outcome,
        value=event.value,
        cluster=cluster,
        covariates=event.covariates,
        segments=event.segments,
        digest=hashlib.sha256(canonical_json(said)).hexdigest()[:32],
    )
