"""Assignment configurations: signed by their issuer, replaced whole, never behind somebody's back."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from pipelines.experimentation.assignment import Envelope
from pipelines.experimentation.service.api.access import (
    Editor,
    Fetcher,
    IfMatch,
    IfNoneMatch,
    Parts,
    changed,
    check_precondition,
)
from pipelines.experimentation.service.configuration_store import etag
from pipelines.experimentation.service.dynamodb import ConditionFailedError
from pipelines.experimentation.service.problems import not_found

router = APIRouter(prefix="/v1/configurations/{namespace}", tags=["configurations"])
Namespace = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


@router.get("", responses={304: {"description": "You have it already."}})
def fetch(
    namespace: Namespace, parts: Parts, response: Response, _caller: Fetcher, if_none_match: IfNoneMatch = None
) -> Envelope:
    """The envelope in force. Callers verify it themselves, with the issuer's public key."""
    envelope = parts.configurations.read(namespace)
    if envelope is None:
        raise not_found("configuration", namespace)
    response.headers["ETag"] = etag(envelope)
    if if_none_match is not None and if_none_match.strip() == etag(envelope):
        return Response(status_code=304, headers={"ETag": etag(envelope)})  # pyright: ignore[reportReturnType]: FastAPI passes responses through
    return envelope


@router.put("")
def issue(
    namespace: Namespace,
    envelope: Envelope,
    parts: Parts,
    response: Response,
    _caller: Editor,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Envelope:
    """Put a signed configuration in force.

    Refused: a signature that does not fit, an unknown key, an expired document, a version that is not newer, and
    changes that would move units already placed.
    """
    before = parts.configurations.read(namespace)
    current = None if before is None else etag(before)
    check_precondition(current, if_match, if_none_match)
    configuration = parts.configurations.checked(namespace, envelope, before)
    try:
        parts.configurations.replace(configuration, envelope, before)
    except ConditionFailedError:
        raise changed(None) from None
    response.headers["ETag"] = etag(envelope)
    return envelope
