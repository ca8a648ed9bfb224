"""Policy packs run as processes: advisory violations are reported, mandatory ones stop the run."""

from pathlib import Path

import psutil
import pulumi
import pytest

from infra.local.errors import LocalError
from tests.support.directory_cloud import Item
from tests.support.engine_stack import EngineStack, changes

pytestmark = [pytest.mark.local, pytest.mark.timeout(120)]

PACK = """
from pulumi_policy import (
    EnforcementLevel, PolicyPack, ResourceValidationPolicy, StackValidationPolicy,
)

def small(args, report):
    if args.props.get("size", 0) > args.get_config().get("limit", 10):
        report(f"size is {args.props['size']:g}, at most 10 is allowed")

def named(args, report):
    if args.resource_type == "dir:index:Item" and not args.props["name"].startswith("mlp"):
        report("names begin with mlp")

def few(args, report):
    items = [each for each in args.resources if each.resource_type == "dir:index:Item"]
    if len(items) > 2:
        report(f"{len(items)} items, at most 2 are allowed", items[0].urn)

PolicyPack("pack", [
    ResourceValidationPolicy("small", "Items are small", small, EnforcementLevel.MANDATORY),
    ResourceValidationPolicy("named", "Items are named", named, EnforcementLevel.ADVISORY),
    StackValidationPolicy("few", "There are few items", few, EnforcementLevel.MANDATORY),
])
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "PulumiPolicy.yaml").write_text("runtime: python\n")
    (folder / "__main__.py").write_text(PACK)
    return folder


def test_mandatory_violations_stop_the_run_before_the_resource_is_made(stack: EngineStack, pack: Path) -> None:
    def program() -> None:
        good = Item("good", {"name": "mlp-good", "size": 1})
        Item("bad", {"name": "other", "size": 11}, pulumi.ResourceOptions(depends_on=[good]))

    with pytest.raises(LocalError) as raised:
        stack.up(program, policy_packs=[pack])
    assert str(raised.value).startswith("dir:index:Item bad: policy small of pack pack: Items are small")
    assert "size is 11, at most 10 is allowed" in str(raised.value)
    assert "names begin with mlp" in stack.messages()
    assert list(stack.cloud.resources()) == ["mlp-good"]
    assert not [child for child in psutil.Process().children() if "pulumi.policy" in " ".join(child.cmdline())]


def test_a_preview_collects_all_violations_and_the_stack_is_judged_as_a_whole(stack: EngineStack, pack: Path) -> None:
    def program() -> None:
        for index in range(3):
            Item(f"i{index}", {"name": f"mlp-{index}", "size": 20 + index})

    with pytest.raises(LocalError) as raised:
        stack.preview(program, policy_packs=[pack])
    told = str(raised.value)
    assert [f"size is 2{index}" in told for index in range(3)] == [True, True, True]
    assert "3 items, at most 2 are allowed" in told


def test_a_clean_program_passes(stack: EngineStack, pack: Path) -> None:
    assert changes(stack.up(lambda: Item("a", {"name": "mlp-a", "size": 1}), policy_packs=[pack])) == {"create": 2}


def test_a_pack_that_cannot_start_is_told_with_its_words(stack: EngineStack, pack: Path) -> None:
    (pack / "__main__.py").write_text("raise RuntimeError('no catalogue here')")
    with pytest.raises(LocalError, match=r"(?s)did not start:.*no catalogue here"):
        stack.up(lambda: Item("a"), policy_packs=[pack])
    assert stack.cloud.resources() == {}
    with pytest.raises(LocalError, match=r"is no policy pack: PulumiPolicy\.yaml is missing"):
        stack.up(lambda: Item("a"), policy_packs=[stack.folder])
