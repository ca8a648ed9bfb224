"""Experiments: declared, started, looked at, approved, decided."""

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict

from pipelines.experimentation.decision import Declaration, Ledger, Steering, reproduce
from pipelines.experimentation.errors import ExperimentError
from pipelines.experimentation.report import page
from pipelines.experimentation.service import transitions
from pipelines.experimentation.service.api.access import (
    Approver,
    Editor,
    IfMatch,
    IfNoneMatch,
    Parts,
    Reader,
    check_precondition,
)
from pipelines.experimentation.service.api.changes import ExperimentName, Summary, change, read, summary, written
from pipelines.experimentation.service.experiment_store import Standing
from pipelines.experimentation.service.problems import conflict, unprocessable

router = APIRouter(prefix="/v1/experiments", tags=["experiments"])


class Detail(Summary):
    """An experiment with all that is recorded of it."""

    experiment: Standing


class Start(BaseModel):
    """What a start may need to know beside the declaration."""

    model_config = ConfigDict(extra="forbid")

    serving: Steering | None = None
    """Of a canary, and only of one: the endpoint whose weights its plan moves."""


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
    standing, revision = read(parts, name)
    response.headers["ETag"] = f'"{revision}"'
    return Detail(**summary(standing).model_dump(), experiment=standing)


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
    return written(standing, revision, response, parts.experiments.write)


@router.post("/{name}/start")
def start(
    name: ExperimentName,
    parts: Parts,
    response: Response,
    caller: Editor,
    how: Start | None = None,
    if_match: IfMatch = None,
) -> Summary:
    """Freeze the declaration and accept events; a canary's weights move from here on, by its plan alone."""
    serving = how.serving if how else None

    def begin(standing: Standing) -> Standing:
        if standing.ledger is not None:
            raise conflict(f"{name} has started already")
        now = parts.clock()
        begun = {"ledger": Ledger.start(standing.declaration, now), "started_by": caller.subject}
        return transitions.begun(standing.model_copy(update=begun), serving, now)

    write = parts.experiments.write_steering if serving else None
    found = change(parts, name, begin, response, if_match, write)
    parts.experiments.started(name)
    return found


@router.post("/{name}/looks")
def look(name: ExperimentName, parts: Parts, response: Response, caller: Editor, if_match: IfMatch = None) -> Summary:
    """Take the next look, at what had been stored half a minute ago.

    Looks at a group-sequential design spend its error: take them when the plan says, not when the data look good. A
    canary is looked at by itself; a look between moves it as its plan says.
    """

    def take(standing: Standing) -> Standing:
        now = parts.clock()
        at = now - parts.settings.settle_seconds
        return transitions.looked(standing, parts.seen(standing, at), at, now, caller.subject)

    return change(parts, name, take, response, if_match)


@router.post("/{name}/approvals")
def approve(name: ExperimentName, consent: Consent, parts: Parts, response: Response, caller: Approver) -> Summary:
    """Approve the verdict of the record whose digest you have seen."""

    def add(standing: Standing) -> Standing:
        ledger = transitions.started(standing)
        if consent.record_digest != ledger.digest():
            raise conflict("the record has changed since you read it; read it again", record_digest=ledger.digest())
        if standing.closing is not None:
            raise conflict(f"{name} is decided")
        return standing.model_copy(update={"ledger": ledger.approve(caller.subject, parts.clock())})

    return change(parts, name, add, response, None)


@router.post("/{name}/decision")
def decide(name: ExperimentName, parts: Parts, response: Response, caller: Editor, if_match: IfMatch = None) -> Summary:
    """Close the experiment on its verdict.

    Shipping needs an approval; keeping the control and rolling back do not. A canary that took every step of its plan
    is shipped by then, and one that was rolled back has been.
    """
    return change(
        parts, name, lambda standing: transitions.closed(standing, caller.subject, parts.clock()), response, if_match
    )


@router.get("/{name}/reproduction")
def reproduction(name: ExperimentName, parts: Parts, _caller: Reader) -> Reproduction:
    """Take every recorded look again from the stored events."""
    standing, _ = read(parts, name)
    try:
        ledger = transitions.started(standing)
    except ExperimentError as error:
        raise conflict(str(error)) from None
    at = ledger.looks[-1].at if ledger.looks else ledger.started_at
    try:
        differences = reproduce(ledger, parts.seen(standing, at))
    except ExperimentError as error:
        differences = [str(error)]
    return Reproduction(reproduced=not differences, differences=differences, deletions=parts.deletions.count(name))


@router.get("/{name}/report", response_class=HTMLResponse)
def report(name: ExperimentName, parts: Parts, _caller: Reader) -> HTMLResponse:
    """The report as one web page that fetches nothing."""
    standing, _ = read(parts, name)
    closed = standing.closing
    decided = None if closed is None else page.Decided(closed.by, closed.at)
    html = page.render(standing.declaration, standing.ledger, decided, parts.clock(), standing.rollout)
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return HTMLResponse(html, headers={"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"})
