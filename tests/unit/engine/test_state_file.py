"""The state file: damaged ones, those of another cloud, full disks, journals of others."""

import json
import os
import shutil
from typing import Any

import pytest

from infra.local.engine import checkpoint
from infra.local.errors import LocalError
from tests.support.directory_cloud import Item
from tests.support.engine_stack import EngineStack, changes


def program() -> None:
    Item("a", {"size": 1})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "Expecting value"),
        ('{"version": 3, "checkpoint": {"latest": {"reso', "Unterminated string"),
        ("[]", "it is not a JSON object"),
        ('{"version": 9}', "its version is 9, this engine reads version 3"),
        ('{"version": 3, "checkpoint": {"latest": {"resources": [{"urn": "u"}]}}}', "lacks one of urn, type, custom"),
        (
            '{"version": 3, "checkpoint": {"latest": {"secrets_providers": {"type": "cloud"}}}}',
            "its secrets provider is 'cloud'",
        ),
    ],
)
def test_a_damaged_state_is_kept_and_refused(stack: EngineStack, content: str, said: str) -> None:
    stack.up(program)
    stack.file.write_text(content)
    for operation in ("up", "preview", "refresh", "destroy", "outputs"):
        with pytest.raises(LocalError) as raised:
            getattr(stack.engine(program), operation)()
        assert said in str(raised.value)
        assert "nothing was changed" in str(raised.value)
        assert f"{stack.file}.bak" in str(raised.value)
    assert stack.file.read_text() == content
    kept = list((stack.backend / "engine" / "proj").glob("dev-corrupt-*.json"))
    assert [path.read_text() for path in kept] == [content]
    assert len(stack.cloud.resources()) == 1


def test_the_state_before_is_kept_beside_it(stack: EngineStack) -> None:
    stack.up(program)
    before = stack.file.read_bytes()
    stack.up(lambda: Item("a", {"size": 2}))
    assert stack.file.with_name("dev.json.bak").read_bytes() == before


def test_a_wrong_passphrase_is_refused_before_anything_is_made(stack: EngineStack) -> None:
    stack.up(lambda: Item("a", {"fail": None}))
    with pytest.raises(LocalError, match="the passphrase does not open the secrets of this stack's state"):
        stack.up(lambda: Item("b"), passphrase="another")
    assert len(stack.cloud.resources()) == 1


def test_a_new_cloud_starts_empty_and_keeps_the_old_state(stack: EngineStack) -> None:
    stack.up(program, cloud_id="one")
    shutil.rmtree(stack.folder / "cloud")
    (stack.folder / "cloud").mkdir()
    assert changes(stack.preview(program, cloud_id="two")) == {"create": 2}
    assert changes(stack.up(program, cloud_id="two")) == {"create": 2}
    assert "the cloud this stack was made on is gone" in stack.messages()
    kept = list((stack.backend / "engine" / "proj").glob("dev-gone-cloud-*.json"))
    assert len(kept) == 1
    assert changes(stack.up(program, cloud_id="two")) == {}


def test_a_state_of_unknown_cloud_is_taken_to_be_of_this_one(stack: EngineStack) -> None:
    stack.up(program)
    assert changes(stack.up(program, cloud_id="one")) == {}


def test_a_full_disk_is_told_in_a_sentence(stack: EngineStack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.up(program)

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(checkpoint, "replace", full)
    with pytest.raises(LocalError, match=r"could not be written \(No space left on device\): free disk space"):
        stack.up(lambda: Item("a", {"size": 2}))
    monkeypatch.undo()
    assert changes(stack.up(lambda: Item("a", {"size": 2}))) == {}


def test_a_journal_that_another_tool_overtook_is_put_aside(stack: EngineStack) -> None:
    stack.up(program)
    journal = stack.backend / "engine" / "proj" / "dev.journal"
    journal.write_text(json.dumps({"base": "of another file"}) + "\n")
    assert changes(stack.up(program)) == {}
    assert "the state file was changed by another tool" in stack.messages()
    assert not journal.exists()
    assert len(list(journal.parent.glob("dev-journal-*.json"))) == 1


def test_fields_of_the_file_that_the_engine_does_not_know_are_kept(stack: EngineStack) -> None:
    stack.up(program)
    document: dict[str, Any] = json.loads(stack.file.read_text())
    for resource in document["checkpoint"]["latest"]["resources"]:
        resource["sourcePosition"] = "project:///__main__.py#1"
    document["checkpoint"]["latest"]["somethingNew"] = {"x": 1}
    stack.file.write_text(json.dumps(document))
    stack.up(lambda: Item("a", {"size": 2}))
    assert stack.latest()["somethingNew"] == {"x": 1}
    assert stack.recorded()["a"]["sourcePosition"] == "project:///__main__.py#1"


def test_a_state_written_by_nobody_is_an_empty_stack(stack: EngineStack) -> None:
    assert stack.engine(program).outputs() == {}
    assert changes(stack.engine().destroy()) == {}


def test_a_compressed_state_is_not_taken_for_an_absent_one(stack: EngineStack) -> None:
    stack.up(program)
    stack.file.rename(stack.file.with_name("dev.json.gz"))
    with pytest.raises(LocalError, match="the state is compressed"):
        stack.up(program)
    assert len(stack.cloud.resources()) == 1
