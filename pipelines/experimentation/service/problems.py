"""Problem documents (RFC 9457): what was wrong, what was got, what is allowed."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any


class ProblemError(Exception):
    """An answer other than success; `more` are members of the document beyond the standard ones."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, dict(headers or {}), dict(more or {})

    def document(self) -> dict[str, Any]:
        """The body, of media type `application/problem+json`."""
        return {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
            **self.more,
        }


class StoreUnavailableError(Exception):
    """DynamoDB did not answer, or asked to slow down, after every retry; nothing is known to be stored."""

    advice = "not known to be stored; send the same request again, with the same identifiers"


class StoreUnreadableError(StoreUnavailableError):
    """The same while reading."""

    advice = "the store did not answer in time; send the same request again"


def not_found(what: str, name: str) -> ProblemError:
    """404 for a thing that is not there."""
    return ProblemError(HTTPStatus.NOT_FOUND, f"there is no {what} {name!r}")


def conflict(detail: str, **more: object) -> ProblemError:
    """409: the request is fine, the state it meets is not."""
    return ProblemError(HTTPStatus.CONFLICT, detail, more=more)


def unprocessable(detail: str, **more: object) -> ProblemError:
    """422: the request says something that cannot be."""
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, more=more)
