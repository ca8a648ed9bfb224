"""The `mlp` command called in this process."""

import sys
from dataclasses import dataclass

import pytest

from cli.main import main


@dataclass(frozen=True)
class Ended:
    """A call that ended: exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """Standard error of a failure that is told to a person; anything like a traceback fails the test."""
        assert self.code != 0
        assert "Traceback" not in self.err
        assert 'File "' not in self.err
        return self.err


class Mlp:
    """Calls `mlp` as its entry point does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Ended:
        """Run the command to its end. An exception that the command does not turn into a sentence is raised."""
        self._monkeypatch.setattr(sys, "argv", ["mlp", *arguments])
        self._capsys.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        written = self._capsys.readouterr()
        assert isinstance(code, int | None)
        return Ended(code or 0, written.out, written.err)
