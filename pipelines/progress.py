"""How a pipeline tells where it stands."""

import time
from collections.abc import Callable, Iterator

Progress = Callable[[str, str], None]
"""Called with the step's word (a stage, as `training`) and a message."""


def silent(_step: str, _message: str, /) -> None:
    """Tell nobody."""


def until(deadline_seconds: float, *, first: float = 0.25, longest: float = 3.0) -> Iterator[float]:
    """Yield the seconds gone by, at growing intervals, once at once and once more at the deadline; then end.

    For polling: short jobs are seen to end soon, long ones cost few calls.
    """
    start = time.monotonic()
    pause = first
    while (gone := time.monotonic() - start) < deadline_seconds:
        yield gone
        time.sleep(min(pause, max(0.0, deadline_seconds - (time.monotonic() - start))))
        pause = min(pause * 1.4, longest)
    yield time.monotonic() - start
