"""An AWS in this process, and the document of a platform on it."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from stacks.outputs import PlatformOutputs
from tests.support.outputs import platform_outputs


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield


@pytest.fixture
def outputs() -> PlatformOutputs:
    return platform_outputs("test")
