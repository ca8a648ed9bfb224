"""Events in, and a person's data out."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from pipelines.experimentation.service.api.access import Editor, Parts, Sender
from pipelines.experimentation.service.intake import Batch, clashes, correction, fault, stored
from pipelines.experimentation.service.problems import conflict, unprocessable

router = APIRouter()


class Acknowledgement(BaseModel):
    """Every event of the batch is durable: so many now, so many since an earlier attempt."""

    stored: int
    known: int


class Deletion(BaseModel):
    """A person who wants to be forgotten."""

    model_config = ConfigDict(extra="forbid")

    unit: str = Field(min_length=1, max_length=512)


class Deleted(BaseModel):
    """How many events are gone."""

    events: int


@router.post("/v1/events", tags=["events"])
def send(batch: Batch, parts: Parts, _caller: Sender) -> Acknowledgement:
    """Store exposures and outcomes. After 200 each of them counts exactly once.

    After 503, or no answer, send the same batch again with the same identifiers. 422 names each event that can never
    be accepted, and nothing of the batch is stored. 409 names events whose identifier is taken by another event; the
    others are stored.
    """
    now = parts.clock()
    shift = correction(batch.sent_at, now)
    ledgers = {name: parts.experiments.running(name) for name in {event.experiment for event in batch.events}}
    faults = [
        {"pointer": f"/events/{i}", "detail": found}
        for i, event in enumerate(batch.events)
        if (found := fault(event, ledgers[event.experiment], event.at + shift, now)) is not None
    ]
    if faults:
        raise unprocessable(f"{len(faults)} of {len(batch.events)} events cannot be accepted", errors=faults)
    events = [stored(event, parts.pseudonyms, event.at + shift, now) for event in batch.events]
    if clashing := clashes(events):
        errors = [{"pointer": f"/events/{i}/id", "detail": "another event of this batch has it"} for i in clashing]
        raise unprocessable("identifiers must be made once per event", errors=errors)
    fates = parts.events.put(events)
    if taken := [i for i, fate in enumerate(fates) if fate == "conflicting"]:
        errors = [{"pointer": f"/events/{i}/id", "detail": "another event has this identifier"} for i in taken]
        raise conflict("identifiers must be made once per event; the other events are stored", errors=errors)
    return Acknowledgement(stored=fates.count("stored"), known=fates.count("known"))


@router.post("/v1/deletions", tags=["events"])
def delete(deletion: Deletion, parts: Parts, _caller: Editor) -> Deleted:
    """Delete everything that is stored of a person, in every experiment. Repeat it freely."""
    return Deleted(events=parts.deletions.delete(parts.pseudonyms.unit(deletion.unit)))
