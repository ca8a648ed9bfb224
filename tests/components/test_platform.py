import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.tags import REQUIRED_TAGS
from stacks.loading import load, stack_values
from stacks.outputs import PlatformOutputs
from stacks.platform import Platform
from tests.support.graph import Graph, placeholders, record, texts

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "graphs"
ENVIRONMENTS = ("local", "dev", "staging", "prod")
REGENERATE = "MLP_REGENERATE_GOLDEN"
NO_RELEASE: Mapping[str, Mapping[str, Any]] = {
    "aws:ssm/getParametersByPath:getParametersByPath": {"names": [], "values": []}
}


def settings(environment: str) -> dict[str, Any]:
    """A stack file's settings as Pulumi hands them to a program."""
    declared = yaml.safe_load((ROOT / "stacks" / f"Pulumi.{environment}.yaml").read_text())["config"]
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in declared.items()}


@cache
def platform(environment: str) -> Graph:
    values = stack_values(settings(environment), "mlp")
    variables = {"AWS_ENDPOINT_URL": values["endpoint"]} if "endpoint" in values else {}
    config = load(environment, values, variables)
    return record(lambda: Platform(environment, config), stack=environment, invokes=NO_RELEASE)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_graph_of_an_environment_is_the_golden_one(environment: str) -> None:
    graph = {
        each.urn: placeholders(
            {
                "type": each.type,
                "parent": each.parent,
                "protect": each.protect,
                "ignoreChanges": list(each.ignore_changes),
                "inputs": dict(each.inputs),
            }
        )
        for each in platform(environment).resources
    }
    text = json.dumps(graph, indent=1, sort_keys=True) + "\n"
    golden = GOLDEN / f"{environment}.json"
    if os.environ.get(REGENERATE):
        golden.write_text(text)
    assert json.loads(golden.read_text()) == graph, f"set {REGENERATE}=1 to accept the new graph"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_no_input_holds_an_output_turned_into_text(environment: str) -> None:
    broken = [each.urn for each in platform(environment).resources for text in texts(each.inputs) if "__str__" in text]
    assert broken == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_exported_document_is_what_pipelines_read(environment: str) -> None:
    graph = platform(environment)
    document = PlatformOutputs.model_validate(graph.outputs["platform"])
    assert document.environment == environment
    stored = json.loads(graph.named("outputs-document").inputs["content"])
    assert stored == document.model_dump(mode="json")
    assert graph.named("outputs-pointer").inputs["value"] == f"s3://{document.storage.artifacts_bucket}/platform/outputs.json"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_taggable_resource_states_the_required_tags(environment: str) -> None:
    untagged = [
        each.urn
        for each in platform(environment).resources
        if each.custom and each.type not in UNTAGGABLE and not set(REQUIRED_TAGS) <= set(each.inputs.get("tags", {}))
    ]
    assert untagged == []


UNTAGGABLE = frozenset({"pulumi:providers:aws"})
