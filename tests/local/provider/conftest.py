"""A plain AWS on a free port for a module's tests."""

from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

from infra.local.provider import AwsProvider

from .stack import Stack


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    yield Stack(AwsProvider(endpoint), endpoint)
    server.stop()
