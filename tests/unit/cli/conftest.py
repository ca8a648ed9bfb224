"""The command on a home of its own where nothing runs."""

from pathlib import Path

import pytest

from tests.support.command import Mlp


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`MLP_HOME` of the command; it does not exist yet."""
    folder = tmp_path / "home"
    monkeypatch.setenv("MLP_HOME", str(folder))
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    return folder


@pytest.fixture
def mlp(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mlp:
    """The command; `home` is its home."""
    del home
    return Mlp(monkeypatch, capsys)
