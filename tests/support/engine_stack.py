"""A stack of the embedded engine on a directory cloud, for tests."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.local.engine import Engine, Event, Result, passphrase
from tests.support.directory_cloud import PACKAGE, DirectoryProvider

Program = Callable[[], Any]


class EngineStack:
    """Runs programs on one stack in a folder and shows what became of them."""

    def __init__(self, folder: Path, hook: Callable[[str], None] = lambda _: None) -> None:
        self.folder = folder
        self.cloud = DirectoryProvider(folder / "cloud", hook)
        self.backend = folder / "state"
        self.events: list[Event] = []

    def engine(self, program: Program | None = None, **settings: Any) -> Engine:
        """The stack, about to run a program."""
        defaults: dict[str, Any] = {"config": {}, "on_event": self.events.append, "passphrase": "a passphrase"}
        return Engine(
            project="proj",
            stack="dev",
            root=self.folder,
            backend=self.backend,
            providers={PACKAGE: self.cloud},
            program=program,
            **defaults | settings,
        )

    def up(self, program: Program, **settings: Any) -> Result:
        """Run `up`."""
        return self.engine(program, **settings).up()

    def preview(self, program: Program, **settings: Any) -> Result:
        """Run `preview`."""
        return self.engine(program, **settings).preview()

    @property
    def file(self) -> Path:
        """The state file."""
        return self.backend / ".pulumi" / "stacks" / "proj" / "dev.json"

    def latest(self) -> dict[str, Any]:
        """The deployment that the state file records."""
        return json.loads(self.file.read_text())["checkpoint"]["latest"]

    def recorded(self) -> dict[str, dict[str, Any]]:
        """Recorded resources by name, providers and the stack itself left out."""
        return {
            resource["urn"].split("::")[-1]: resource
            for resource in self.latest().get("resources", [])
            if not resource["type"].startswith("pulumi:")
        }

    def messages(self) -> str:
        """Everything the events said."""
        return "\n".join(event.message for event in self.events)


def changes(result: Result) -> Mapping[str, int]:
    """The counts that are not zero, `same` left out."""
    return {name: count for name, count in result.changes.items() if count and name != "same"}


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EngineStack:
    """A new stack; its key is derived in fewer rounds than a real one's."""
    monkeypatch.setattr(passphrase, "ROUNDS", 10)
    return EngineStack(tmp_path)
