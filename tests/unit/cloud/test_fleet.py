"""A fleet of model servers starts whole or not at all."""

from collections.abc import Callable
from typing import cast

import pytest

from infra.local.backends.sagemaker.fleet import Fleet, FleetError, ModelServer


class Server:
    """Stands for a model server: starts as told, and remembers that it was stopped."""

    def __init__(self, name: str, start: Callable[[], None]) -> None:
        self.name = name
        self.start = start
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True


def _raising(error: Exception) -> Callable[[], None]:
    def start() -> None:
        raise error

    return start


@pytest.mark.parametrize("error", [FleetError("no such image"), TypeError("a fault of ours")])
def test_one_server_that_cannot_start_fails_the_fleet_and_stops_the_others(error: Exception) -> None:
    healthy, broken = Server("champion", lambda: None), Server("challenger", _raising(error))
    fleet = Fleet(cast("list[ModelServer]", [healthy, broken]))

    with pytest.raises(type(error), match=str(error)):
        fleet.start()

    assert healthy.stopped
