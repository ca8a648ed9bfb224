"""How an experiment is read and changed: whoever changes it must have read the revision in force."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Path, Response
from pydantic import BaseModel

from pipelines.experimentation.decision.records import Look, Verdict
from pipelines.experimentation.errors import ExperimentError
from pipelines.experimentation.service.api.access import changed, check_precondition
from pipelines.experimentation.service.dynamodb import ConditionFailedError
from pipelines.experimentation.service.experiment_store import Standing
from pipelines.experimentation.service.problems import conflict, not_found
from pipelines.experimentation.service.services import Services

ExperimentName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class Progress(BaseModel):
    """Where a canary stands."""

    endpoint: str
    step: int
    """Counted from 0."""
    weights: dict[str, float]
    """Of the last move."""
    action: str
    reason: str
    in_force: bool
    problem: str | None
    """What keeps the canary from going on."""


class Summary(BaseModel):
    """Where an experiment stands."""

    name: str
    state: str
    verdict: Verdict
    winner: str | None
    looks: int
    declaration_digest: str
    record_digest: str | None
    """What an approval must name; None before the start."""
    may_ship: bool
    reasons: tuple[str, ...]
    canary: Progress | None = None
    """None for other designs, and before the start."""


def read(parts: Services, name: str) -> tuple[Standing, int]:
    """An experiment and its revision. Raises ProblemError (404)."""
    found = parts.experiments.read(name)
    if found is None:
        raise not_found("experiment", name)
    return found


def change(
    parts: Services,
    name: str,
    how: Callable[[Standing], Standing],
    response: Response,
    if_match: str | None,
    write: Callable[[Standing, int], int] | None = None,
) -> Summary:
    """Apply `how` to what is in force; refused when that changes meanwhile. What `how` refuses becomes a 409."""
    standing, revision = read(parts, name)
    if if_match is not None:
        check_precondition(f'"{revision}"', if_match, None)
    try:
        after = how(standing)
    except ExperimentError as error:
        raise conflict(str(error)) from None
    return written(after, revision, response, write or parts.experiments.write)


def written(standing: Standing, after: int, response: Response, write: Callable[[Standing, int], int]) -> Summary:
    """Put `standing` in the place of revision `after` and tag the response."""
    try:
        revision = write(standing, after)
    except ConditionFailedError:
        raise changed(None) from None
    response.headers["ETag"] = f'"{revision}"'
    return summary(standing)


def summary(standing: Standing) -> Summary:
    """The short form."""
    ledger = standing.ledger
    last: Look | None = ledger.looks[-1] if ledger and ledger.looks else None
    return Summary(
        name=standing.declaration.name,
        state=standing.state,
        verdict=standing.verdict,
        winner=standing.winner,
        looks=len(ledger.looks) if ledger else 0,
        declaration_digest=standing.declaration.digest(),
        record_digest=ledger.digest() if ledger else None,
        may_ship=standing.may_ship,
        reasons=last.reasons if last else (),
        canary=_progress(standing),
    )


def _progress(standing: Standing) -> Progress | None:
    rollout = standing.rollout
    if rollout is None:
        return None
    last = rollout.moves[-1]
    return Progress(
        endpoint=rollout.steering.endpoint,
        step=last.step,
        weights=last.weights,
        action=last.action,
        reason=last.reason,
        in_force=rollout.pending is None,
        problem=rollout.waits_for,
    )
