"""Reading members of requests, which are documents: what is left out is empty."""

from typing import Any

Document = dict[str, Any]


def rows(document: Document, member: str) -> list[Document]:
    """A list member; empty when it is left out."""
    return document.get(member) or []


def section(document: Document, member: str) -> Document:
    """A structure member; empty when it is left out."""
    return document.get(member) or {}
