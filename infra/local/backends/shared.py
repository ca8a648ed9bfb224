"""Things made when they are first needed, so that a server that nobody asks for them starts quickly."""

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def lazily(make: Callable[[], T]) -> Callable[[], T]:
    """A function that makes a thing at its first call and returns that thing ever after."""
    lock = threading.Lock()
    made: list[T] = []

    def get() -> T:
        with lock:
            if not made:
                made.append(make())
            return made[0]

    return get
