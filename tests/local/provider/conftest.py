"""The embedded AWS on a free port for a module's tests."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local import server
from infra.local.provider import AwsProvider

from .stack import Stack


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home: Path = tmp_path_factory.mktemp("home")
    endpoint = f"http://127.0.0.1:{_free_port()}"
    server.start(home, endpoint)
    try:
        yield Stack(AwsProvider(endpoint), endpoint)
    finally:
        server.stop(home)


@pytest.fixture
def unused_tcp_endpoint() -> str:
    return f"http://127.0.0.1:{_free_port()}"
