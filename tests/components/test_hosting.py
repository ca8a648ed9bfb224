"""Components keep to what Pulumi's component host can offer to other languages."""

from pathlib import Path

import pulumi
import pytest
from pulumi.provider.experimental.analyzer import Analyzer

from components.registry import Registry
from components.serving import Serving
from components.training import Training
from components.training.example import example
from tests.support.graph import record

STAGES: dict[str, type[pulumi.ComponentResource]] = {"training": Training, "registry": Registry, "serving": Serving}


@pytest.mark.parametrize("component", STAGES.values())
def test_a_component_can_be_analyzed_for_other_languages(component: type[pulumi.ComponentResource]) -> None:
    analyzed = Analyzer("mlp").analyze([component])
    definition = analyzed["component_definitions"][component.__name__]
    assert definition.inputs
    assert definition.outputs
    undocumented = [name for name, each in definition.inputs.items() if not each.description]
    assert undocumented == []
    assert not any(name.startswith("_") for name in definition.outputs)


def test_a_components_token_is_its_class() -> None:
    (component,) = [each for each in record(example).resources if not each.custom]
    assert component.type == "mlp:index:Training"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_tells_its_arguments_and_outputs(stage: str) -> None:
    folder = Path(__file__).resolve().parents[2] / "components" / stage
    readme = (folder / "README.md").read_text()
    component = STAGES[stage]
    arguments = component.__init__.__annotations__["args"].__annotations__
    untold = [name for name in (*arguments, *component.__annotations__) if f"`{name}`" not in readme]
    assert untold == []
    assert "```mermaid" in readme
