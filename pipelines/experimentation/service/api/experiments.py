"""Experiments: declared, started, looked at, approved, decided."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict

from pipelines.experimentation.decision import Declaration, Ledger, reproduce
from pipelines.experimentation.decision.records import Look, Verdict
from pipelines.experimentation.errors import ExperimentError
from pipelines.experimentation.report import page
from pipelines.experimentation.service.api.access import (
    Approver,
    Editor,
    IfMatch,
    IfNoneMatch,
    Parts,
    Reader,
    changed,
    check_precondition,
)
from pipelines.experimentation.service.columns import ReceivedEvents, columns
from pipelines.experimentation.service.dynamodb import ConditionFailedError
from pipelines.experimentation.service.experiment_store import Closing, Standing
from pipelines.experimentation.service.problems import conflict, not_found, unprocessable
from pipelines.experimentation.service.services import Services

router = APIRouter(prefix="/v1/experiments", tags=["experiments"])
ExperimentName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


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


class Detail(Summary):
    """An experiment with all that is recorded of it."""

    experiment: Standing


class Consent(BaseModel):
    """Approval of exactly one record."""

    model_config = ConfigDict(extra="forbid")

    record_digest: str


class Reproduction(BaseModel):
    """Whether the record follows from the stored events."""

    reproduced: bool
    differences: list[str]
    deletions: int
    """Deletions of a person's data since: what is gone cannot be computed again."""


@router.get("")
def names(parts: Parts, _caller: Reader) -> dict[str, str]:
    """Every experiment's name and state."""
    return parts.experiments.names()


@router.get("/{name}")
def status(name: ExperimentName, parts: Parts, response: Response, _caller: Reader) -> Detail:
    """Everything recorded of an experiment."""
    standing, revision = _read(parts, name)
    response.headers["ETag"] = f'"{revision}"'
    return Detail(**_summary(standing).model_dump(), experiment=standing)


@router.put("/{name}")
def declare(
    name: ExperimentName,
    declaration: Declaration,
    parts: Parts,
    response: Response,
    caller: Editor,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Summary:
    """Declare an experiment, or change the declaration before the start. After it every change is refused."""
    if declaration.name != name:
        raise unprocessable(f"name: the declaration says {declaration.name!r}, the address {name!r}")
    found = parts.experiments.read(name)
    revision = 0 if found is None else found[1]
    check_precondition(f'"{revision}"' if found else None, if_match, if_none_match)
    if found is not None and found[0].ledger is not None:
        raise conflict(f"{name} has started; a changed plan is another experiment, under another name")
    standing = Standing(declaration=declaration, declared_by=caller.subject, declared_at=parts.clock())
    return _write(parts, standing, revision, response)


@router.post("/{name}/start")
def start(name: ExperimentName, parts: Parts, response: Response, caller: Editor, if_match: IfMatch = None) -> Summary:
    """Freeze the declaration and accept events."""

    def begin(standing: Standing) -> Standing:
        if standing.ledger is not None:
            raise conflict(f"{name} has started already")
        ledger = Ledger.start(standing.declaration, parts.clock())
        return standing.model_copy(update={"ledger": ledger, "started_by": caller.subject})

    summary = _change(parts, name, begin, response, if_match)
    parts.experiments.started(name)
    return summary


@router.post("/{name}/looks")
def look(name: ExperimentName, parts: Parts, response: Response, _caller: Editor, if_match: IfMatch = None) -> Summary:
    """Take the next look, at what had been stored half a minute ago.

    Looks at a group-sequential design spend its error: take them when the plan says, not when the data look good.
    """

    def take(standing: Standing) -> Standing:
        ledger = _started(standing)
        at = parts.clock() - parts.settings.settle_seconds
        taken = ledger.take_look(standing.declaration, _events(parts, standing.declaration, at), at)
        return standing.model_copy(update={"ledger": taken})

    return _change(parts, name, take, response, if_match)


@router.post("/{name}/approvals")
def approve(name: ExperimentName, consent: Consent, parts: Parts, response: Response, caller: Approver) -> Summary:
    """Approve the verdict of the record whose digest you have seen."""

    def add(standing: Standing) -> Standing:
        ledger = _started(standing)
        if consent.record_digest != ledger.digest():
            raise conflict("the record has changed since you read it; read it again", record_digest=ledger.digest())
        if standing.closing is not None:
            raise conflict(f"{name} is decided")
        return standing.model_copy(update={"ledger": ledger.approve(caller.subject, parts.clock())})

    return _change(parts, name, add, response, None)


@router.post("/{name}/decision")
def decide(name: ExperimentName, parts: Parts, response: Response, caller: Editor, if_match: IfMatch = None) -> Summary:
    """Close the experiment on its verdict. Shipping needs an approval; keeping the control and rolling back do not."""

    def close(standing: Standing) -> Standing:
        ledger = _started(standing)
        if standing.closing is not None:
            raise conflict(f"{name} was decided by {standing.closing.by}")
        if not ledger.ended:
            raise conflict(f"there is nothing to decide yet: the verdict is {ledger.verdict!r}")
        if ledger.verdict == "ship" and not ledger.may_ship:
            raise conflict(f"shipping needs the approval of one of {list(standing.declaration.approvers)}")
        closing = Closing(
            by=caller.subject,
            at=parts.clock(),
            verdict=ledger.verdict,
            winner=ledger.looks[-1].winner,
            record_digest=ledger.digest(),
        )
        return standing.model_copy(update={"closing": closing})

    return _change(parts, name, close, response, if_match)


@router.get("/{name}/reproduction")
def reproduction(name: ExperimentName, parts: Parts, _caller: Reader) -> Reproduction:
    """Take every recorded look again from the stored events."""
    standing, _ = _read(parts, name)
    ledger = _started(standing)
    at = ledger.looks[-1].at if ledger.looks else ledger.started_at
    try:
        differences = reproduce(ledger, _events(parts, standing.declaration, at))
    except ExperimentError as error:
        differences = [str(error)]
    return Reproduction(reproduced=not differences, differences=differences, deletions=parts.deletions.count(name))


@router.get("/{name}/report", response_class=HTMLResponse)
def report(name: ExperimentName, parts: Parts, _caller: Reader) -> HTMLResponse:
    """The report as one web page that fetches nothing."""
    standing, _ = _read(parts, name)
    closed = standing.closing
    decided = None if closed is None else page.Decided(closed.by, closed.at)
    html = page.render(standing.declaration, standing.ledger, decided, parts.clock())
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return HTMLResponse(html, headers={"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"})


def _read(parts: Services, name: str) -> tuple[Standing, int]:
    found = parts.experiments.read(name)
    if found is None:
        raise not_found("experiment", name)
    return found


def _started(standing: Standing) -> Ledger:
    if standing.ledger is None:
        raise conflict(f"{standing.declaration.name} has not started")
    return standing.ledger


def _events(parts: Services, declaration: Declaration, at: float) -> ReceivedEvents:
    return columns(declaration, parts.events.load(declaration.name, at), parts.deletions.remembered())


def _change(
    parts: Services, name: str, how: Callable[[Standing], Standing], response: Response, if_match: str | None
) -> Summary:
    """Apply `how` to what is in force; refused when that changes meanwhile. What the ledger refuses becomes a 409."""
    standing, revision = _read(parts, name)
    if if_match is not None:
        check_precondition(f'"{revision}"', if_match, None)
    try:
        after = how(standing)
    except ExperimentError as error:
        raise conflict(str(error)) from None
    return _write(parts, after, revision, response)


def _write(parts: Services, standing: Standing, after: int, response: Response) -> Summary:
    try:
        revision = parts.experiments.write(standing, after)
    except ConditionFailedError:
        raise changed(None) from None
    response.headers["ETag"] = f'"{revision}"'
    return _summary(standing)


def _summary(standing: Standing) -> Summary:
    ledger = standing.ledger
    last: Look | None = ledger.looks[-1] if ledger and ledger.looks else None
    return Summary(
        name=standing.declaration.name,
        state=standing.state,
        verdict=ledger.verdict if ledger else "continue",
        winner=last.winner if last else None,
        looks=len(ledger.looks) if ledger else 0,
        declaration_digest=standing.declaration.digest(),
        record_digest=ledger.digest() if ledger else None,
        may_ship=bool(ledger and ledger.may_ship),
        reasons=last.reasons if last else (),
    )
