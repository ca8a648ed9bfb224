"""What a person may do to a canary beside its plan: end it, or let it go on after somebody else changed its weights."""

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from pipelines.experimentation.service import transitions
from pipelines.experimentation.service.api.access import Editor, IfMatch, Parts
from pipelines.experimentation.service.api.changes import ExperimentName, Summary, change

router = APIRouter(prefix="/v1/experiments", tags=["canaries"])


class Reason(BaseModel):
    """Why, for the record."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=3, max_length=1000)


@router.post("/{name}/rollback")
def roll_back(
    name: ExperimentName, why: Reason, parts: Parts, response: Response, caller: Editor, if_match: IfMatch = None
) -> Summary:
    """End a canary: all traffic goes to the control within seconds, for good."""
    return change(
        parts,
        name,
        lambda standing: transitions.rolled_back(standing, why.reason, parts.clock(), caller.subject),
        response,
        if_match,
    )


@router.post("/{name}/resume")
def resume(
    name: ExperimentName, why: Reason, parts: Parts, response: Response, caller: Editor, if_match: IfMatch = None
) -> Summary:
    """Set the step's weights again after somebody else changed them; its time begins anew."""
    return change(
        parts,
        name,
        lambda standing: transitions.resumed(standing, why.reason, caller.subject, parts.clock()),
        response,
        if_match,
    )
