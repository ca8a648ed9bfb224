"""Changes made behind the stack's back are found by `refresh` and mended by `up`."""

import json
from typing import Any

import pulumi
import pytest

from infra.local.errors import LocalError
from tests.support.directory_cloud import Group, Item
from tests.support.engine_stack import EngineStack, changes


def program() -> None:
    first = Item("a", {"name": "first", "size": 1})
    Item("b", {"name": "second", "links": [first.arn]})
    Group("g", 1)


def tamper(stack: EngineStack, name: str, **inputs: Any) -> None:
    path = stack.folder / "cloud" / f"{name}.json"
    content = json.loads(path.read_text())
    content["inputs"] |= inputs
    path.write_text(json.dumps(content))


def test_a_clean_stack_shows_no_drift(stack: EngineStack) -> None:
    stack.up(program)
    written = stack.file.read_bytes()
    assert changes(stack.engine().refresh()) == {}
    assert stack.file.read_bytes() == written


def test_a_changed_property_is_found_and_mended(stack: EngineStack) -> None:
    stack.up(program)
    tamper(stack, "first", size=99)
    assert changes(stack.up(program)) == {}
    result = stack.engine().refresh()
    assert changes(result) == {"update": 1}
    assert [change["keys"] for change in result.resources if change["name"] == "a"] == [["size"]]
    assert "differs from its record: size" in stack.messages()
    assert changes(stack.up(program)) == {"update": 1}
    assert stack.cloud.resources()["first"]["inputs"]["size"] == 1


def test_a_resource_that_is_gone_is_made_again(stack: EngineStack) -> None:
    stack.up(program)
    (stack.folder / "cloud" / "first.json").unlink()
    assert changes(stack.engine().refresh()) == {"delete": 1}
    assert stack.recorded()["b"].get("dependencies", []) == []
    assert changes(stack.up(program)) == {"create": 1}
    assert changes(stack.preview(program)) == {}


def test_a_resource_that_cannot_be_read_does_not_hide_the_others(stack: EngineStack) -> None:
    stack.up(program)

    def hook(call: str) -> None:
        if call == "read a":
            raise LocalError("access denied")

    tamper(stack, "second", size=5)
    failing = EngineStack(stack.folder, hook)
    with pytest.raises(LocalError, match=r"^dir:index:Item a: access denied$"):
        failing.engine().refresh()
    assert stack.recorded()["b"]["inputs"]["size"] == 5


def test_what_a_provider_only_computes_is_recorded_and_is_no_drift(stack: EngineStack) -> None:
    stack.up(program)
    path = stack.folder / "cloud" / "first.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"generation": 7}))
    assert changes(stack.engine().refresh()) == {}
    assert stack.recorded()["a"]["outputs"]["generation"] == 7


def test_an_ignored_property_that_changed_is_no_drift_and_stays(stack: EngineStack) -> None:
    def ignoring() -> None:
        Item("a", {"name": "first", "size": 1}, pulumi.ResourceOptions(ignore_changes=["size"]))

    stack.up(ignoring)
    tamper(stack, "first", size=99)
    assert changes(stack.engine().refresh()) == {}
    assert changes(stack.up(ignoring)) == {}
    assert stack.cloud.resources()["first"]["inputs"]["size"] == 99
    assert stack.recorded()["a"]["inputs"]["size"] == 99
