"""Who is calling, and whether they may; and what the caller believes is in force."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from pipelines.experimentation.service.problems import ProblemError
from pipelines.experimentation.service.services import Services
from pipelines.experimentation.service.tokens import Caller, Role

_bearer = HTTPBearer(auto_error=False, description="A token made by `tokens issue`.")


async def services(request: Request) -> Services:
    """The process's parts."""
    found: Services = request.app.state.services
    return found


Parts = Annotated[Services, Depends(services)]


def require(*roles: Role) -> Callable[..., Awaitable[Caller]]:
    """A dependency that gives the caller; 401 without a valid token, 403 without one of `roles`."""

    async def check(parts: Parts, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Caller:
        challenge = {"WWW-Authenticate": "Bearer"}
        if given is None:
            raise ProblemError(HTTPStatus.UNAUTHORIZED, "send `Authorization: Bearer <token>`", headers=challenge)
        # Only who is not known yet costs a call of the store, and with it a thread.
        caller = parts.tokens.known(given.credentials)
        caller = caller or await run_in_threadpool(parts.tokens.caller, given.credentials)
        if caller is None:
            detail = "the token is unknown, revoked or expired; ask for a new one"
            raise ProblemError(HTTPStatus.UNAUTHORIZED, detail, headers=challenge)
        if not caller.roles & set(roles):
            allowed = " or ".join(roles)
            raise ProblemError(
                HTTPStatus.FORBIDDEN, f"{caller.subject} is {', '.join(sorted(caller.roles))}; this needs {allowed}"
            )
        return caller

    return check


Sender = Annotated[Caller, Depends(require(Role.SENDER))]
Reader = Annotated[Caller, Depends(require(Role.VIEWER, Role.EDITOR, Role.APPROVER))]
Fetcher = Annotated[Caller, Depends(require(Role.SENDER, Role.VIEWER, Role.EDITOR, Role.APPROVER))]
Editor = Annotated[Caller, Depends(require(Role.EDITOR))]
Approver = Annotated[Caller, Depends(require(Role.APPROVER))]

IfMatch = Annotated[str | None, Header(description="ETag of what is to be replaced.")]
IfNoneMatch = Annotated[str | None, Header(description="`*`: only if there is none yet.")]


def check_precondition(current: str | None, if_match: str | None, if_none_match: str | None) -> None:
    """Refuse a change by somebody who has not seen what is in force: 428 without a condition, 412 with a stale one."""
    if if_match is None and if_none_match is None:
        detail = "send If-Match with the ETag you have read, or If-None-Match: * to create"
        raise ProblemError(HTTPStatus.PRECONDITION_REQUIRED, detail)
    if if_none_match is not None and (if_none_match.strip() != "*" or current is not None):
        detail = "If-None-Match must be *" if current is None else "it exists already; read it and send If-Match"
        raise ProblemError(HTTPStatus.PRECONDITION_FAILED, detail)
    if if_match is not None and (current is None or if_match.strip() != current):
        raise changed(current)


def changed(current: str | None) -> ProblemError:
    """412: somebody else was faster."""
    return ProblemError(HTTPStatus.PRECONDITION_FAILED, f"in force is {current or 'nothing'}; read it and try again")
