"""From impressions and clicks, which arrive apart, to one outcome per impression."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.experimentation.interleaving.preference import Outcome
from pipelines.experimentation.interleaving.rankings import Interleaved, Interleaver, InterleavingError


@dataclass(frozen=True, slots=True)
class Impression:
    """One interleaved list that somebody was shown."""

    id: str
    user: str
    """Pseudonymous id of who saw it: outcomes are tested by user."""
    query: str
    """What was asked; any constant where there is no query."""
    shown: Interleaved


class InterleavingLog:
    """Joins clicks to impressions in memory. Clicks may repeat; impressions may not."""

    def __init__(self, method: Interleaver) -> None:
        self._method = method
        self._impressions: dict[str, Impression] = {}
        self._clicks: dict[str, set[int]] = {}

    def show(self, impression: Impression) -> None:
        """Record an impression; a second with the same id is refused, since its clicks could not be told apart."""
        if impression.id in self._impressions:
            raise InterleavingError(f"impression {impression.id!r}: recorded before; every impression needs its own id")
        self._impressions[impression.id] = impression
        self._clicks[impression.id] = set()

    def click(self, impression_id: str, position: int) -> None:
        """Record a click; once recorded, the same click again changes nothing."""
        impression = self._impressions.get(impression_id)
        if impression is None:
            raise InterleavingError(f"click: impression {impression_id!r} was never shown; record it first")
        if not 0 <= position < len(impression.shown.items):
            last = len(impression.shown.items) - 1
            raise InterleavingError(
                f"click on {impression_id!r}: position must be between 0 and {last}, got {position}"
            )
        self._clicks[impression_id].add(position)

    def outcomes(self) -> Iterator[Outcome]:
        """One outcome per impression, clicked or not, in the order they were shown."""
        for impression in self._impressions.values():
            credit = self._method.credit(impression.shown, self._clicks[impression.id])
            yield Outcome(impression.id, impression.user, impression.query, impression.shown.first, credit)
