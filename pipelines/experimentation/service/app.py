"""The application: endpoints, problem documents, limits."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from pipelines.experimentation.service.api import canaries, configurations, events, experiments
from pipelines.experimentation.service.problems import ProblemError, StoreUnavailableError, unprocessable
from pipelines.experimentation.service.relay import Repeating
from pipelines.experimentation.service.services import Services

BODY_BYTES = 1_000_000
RELAY_SECONDS, CANARY_SECONDS, SWEEP_SECONDS = 1.0, 2.0, 60.0
_LOG = logging.getLogger(__name__)


def application(parts: Services) -> FastAPI:
    """The service over its parts. Its background work runs between startup and shutdown."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        loops = [
            Repeating(parts.deletions.sweep, SWEEP_SECONDS, "sweep of deletions"),
            Repeating(parts.canaries.drive, CANARY_SECONDS, "driver of canaries"),
        ]
        if parts.outbox is not None:
            loops.append(Repeating(parts.outbox.drain, RELAY_SECONDS, "relay of events"))
        for loop in loops:
            loop.start()
        yield
        for loop in loops:
            loop.stop()
        parts.give_back()

    app = FastAPI(
        title="Experiments",
        version="1",
        description="Configurations, events, decisions and reports. Errors are problem documents (RFC 9457).",
        lifespan=lifespan,
        docs_url=None,  # the page would fetch its scripts from elsewhere
        redoc_url=None,
    )
    app.state.services = parts
    app.add_middleware(BoundedBody)
    app.exception_handler(ProblemError)(_problem)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(StoreUnavailableError)(_unavailable)
    app.exception_handler(HTTPException)(_plain)
    app.exception_handler(Exception)(_fault)
    for module in (configurations, events, experiments, canaries):
        app.include_router(module.router)
    app.get("/health", tags=["health"])(health)
    return app


async def health() -> dict[str, str]:
    """The process serves requests. The store is not asked: restarting would not mend it."""
    return {"status": "ok"}


class BoundedBody:
    """Refuses bodies that are too long or of unknown length before any of them is read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is within bounds."""
        if scope["type"] == "http" and (problem := _out_of_bounds(Headers(scope=scope))) is not None:
            await _answer(problem)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _out_of_bounds(headers: Headers) -> ProblemError | None:
    if "transfer-encoding" in headers:  # it would win over a Content-Length beside it
        return ProblemError(HTTPStatus.LENGTH_REQUIRED, "send Content-Length and no Transfer-Encoding")
    length = headers.get("content-length", "0")
    if length.isascii() and length.isdigit() and len(length) < 16 and int(length) <= BODY_BYTES:
        return None
    detail = f"the body has {length} bytes, {BODY_BYTES} are allowed"
    return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)


def _answer(problem: ProblemError) -> Response:
    return JSONResponse(problem.document(), int(problem.status), problem.headers, media_type="application/problem+json")


async def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101 - registered for this class
    return _answer(error)


async def _invalid(_request: Request, error: Exception) -> Response:
    """What does not fit the schema, by JSON pointer; the input itself is never repeated, it may identify somebody."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
    found = [
        {"pointer": "/" + "/".join(map(str, each["loc"][1:])), "in": str(each["loc"][0]), "detail": str(each["msg"])}
        for each in error.errors()
    ]
    if any(each["type"] == "json_invalid" for each in error.errors()):
        return _answer(ProblemError(HTTPStatus.BAD_REQUEST, "the body is not JSON", more={"errors": found}))
    return _answer(unprocessable("the request does not fit its schema", errors=found))


async def _unavailable(_request: Request, error: Exception) -> Response:
    assert isinstance(error, StoreUnavailableError)  # noqa: S101 - registered for this class
    _LOG.warning("%s", error)
    return _answer(ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, error.advice, headers={"Retry-After": "1"}))


async def _plain(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    return _answer(ProblemError(HTTPStatus(error.status_code), str(error.detail), headers=error.headers))


async def _fault(_request: Request, _error: Exception) -> Response:
    """A fault of ours; the server logs its traceback, the caller learns nothing of it."""
    detail = "a fault of the service; nothing was changed that was not acknowledged"
    return _answer(ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, detail))
