"""The four environments' planned resources, from the real program under mocks."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pulumi.runtime import mocks

from stacks.loading import load, stack_values
from stacks.outputs import PlatformOutputs, Release, ReleasedModel
from stacks.platform import Platform
from tests.support.graph import ACCOUNT, REGION, Cloud, Registered, record

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ("local", "dev", "staging", "prod")
_TOKEN = "aws:ssm/getParametersByPath:getParametersByPath"


@cache
def planned(environment: str) -> list[dict[str, Any]]:
    """Every resource of an environment that serves a release, as a checkpoint gives it."""
    before = _graph(environment, {})
    outputs = PlatformOutputs.model_validate(before.outputs["platform"])
    if outputs.serving is None:
        return [_entry(each) for each in before.resources]
    image = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/training:abc"
    model = ReleasedModel(version="1", image_uri=image, model_data_url="s3://artifacts/models/1/model.tar.gz")
    release = Release(models={variant.name: model for variant in outputs.serving.variants})
    after = _graph(environment, {outputs.serving.release_parameter: release.model_dump_json()})
    return [_entry(each) for each in after.resources]


def _graph(environment: str, parameters: Mapping[str, str]) -> Any:
    declared = yaml.safe_load((ROOT / "stacks" / f"Pulumi.{environment}.yaml").read_text("utf-8"))["config"]
    settings = {key: value if isinstance(value, str) else json.dumps(value) for key, value in declared.items()}
    values = stack_values(settings, "mlp")
    variables = {"AWS_ENDPOINT_URL": values["endpoint"]} if "endpoint" in values else {}
    config = load(environment, values, variables)
    answers = {_TOKEN: {"names": list(parameters), "values": list(parameters.values())}}
    return record(lambda: Platform(environment, config), stack=environment, invokes=answers)


def _entry(registered: Registered) -> dict[str, Any]:
    inputs = dict(registered.inputs)
    identity: str | None = None
    if registered.custom and ":providers:" not in registered.type:
        args = mocks.MockResourceArgs(registered.type, registered.name, inputs, "", "", registered.custom)
        identity, _ = Cloud().new_resource(args)
    return {
        "type": registered.type,
        "urn": registered.urn,
        "id": identity,
        "inputs": inputs,
        "protect": registered.protect,
    }
