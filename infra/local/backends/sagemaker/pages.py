"""Filtering, sorting and paging of SageMaker's List operations."""

from collections.abc import Iterable
from datetime import datetime

from moto.sagemaker.exceptions import AWSValidationException as Invalid

from infra.local.backends.members import Document

_STATUSES = ("TrainingJobStatus", "EndpointStatus")
_TIMES = ("CreationTime", "LastModifiedTime")


def page(items: Iterable[Document], request: Document, name_member: str) -> tuple[list[Document], str | None]:
    """One page of summaries, newest first unless the request says otherwise, and the token of the next page.

    Raises:
        AWSValidationException: a token that no page gave out.
    """
    found = [item for item in items if _wanted(item, request, name_member)]
    by = {"Name": name_member, "Status": _status_member(found)}.get(request.get("SortBy", ""), "CreationTime")
    found.sort(key=lambda row: row[by], reverse=request.get("SortOrder", "Descending") == "Descending")
    token: str = request.get("NextToken") or "0"
    if not token.isdigit():
        raise Invalid(f"Invalid pagination token: {token}")
    begin, size = int(token), request.get("MaxResults") or 100
    following = begin + size
    return found[begin:following], str(following) if following < len(found) else None


def _wanted(row: Document, request: Document, name_member: str) -> bool:
    contained: str = request.get("NameContains") or ""
    status = request.get("StatusEquals")
    if contained.lower() not in row[name_member].lower() or (status and row[_status_member([row])] != status):
        return False
    for member in _TIMES:
        moment: datetime | None = row.get(member)
        after, before = request.get(f"{member}After"), request.get(f"{member}Before")
        if moment is None:
            continue
        if (after is not None and moment.timestamp() <= after) or (before is not None and moment.timestamp() >= before):
            return False
    return True


def _status_member(found: list[Document]) -> str:
    return next((member for member in _STATUSES if found and member in found[0]), "CreationTime")
