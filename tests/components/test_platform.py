import importlib
import inspect
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.tags import REQUIRED_TAGS
from stacks.loading import ConfigError, load, stack_values
from stacks.outputs import PlatformOutputs, Release, ReleasedModel
from stacks.platform import Platform
from tests.support.graph import Graph, Registered, placeholders, record, texts

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "graphs"
ENVIRONMENTS = ("local", "dev", "staging", "prod")
REGENERATE = "MLP_REGENERATE_GOLDEN"
RELEASE = Release(
    models={
        name: ReleasedModel(version="1", image_uri="image:1", model_data_url=f"s3://artifacts/{name}.tar.gz")
        for name in ("champion", "challenger")
    }
)


def settings(environment: str) -> dict[str, Any]:
    """A stack file's settings as Pulumi hands them to a program."""
    declared = yaml.safe_load((ROOT / "stacks" / f"Pulumi.{environment}.yaml").read_text())["config"]
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in declared.items()}


def deployed(environment: str, values: dict[str, Any], parameter: str | None = None) -> Graph:
    """The graph of an environment; `parameter` is what the release parameter holds."""
    variables = {"AWS_ENDPOINT_URL": values["endpoint"]} if "endpoint" in values else {}
    config = load(environment, values, variables)
    found = {} if parameter is None else {f"/mlp/{environment}/serving/release": parameter}
    invokes = {
        "aws:ssm/getParametersByPath:getParametersByPath": {"names": list(found), "values": list(found.values())}
    }
    return record(lambda: Platform(environment, config), stack=environment, invokes=invokes)


@cache
def platform(environment: str, *, released: bool = False) -> Graph:
    """The graph of a stack file as it is, before or after a first release."""
    values = stack_values(settings(environment), "mlp")
    return deployed(environment, values, RELEASE.model_dump_json() if released else None)


GRAPHS = [(environment, False) for environment in ENVIRONMENTS] + [("prod", True)]
every_graph = pytest.mark.parametrize(("environment", "released"), GRAPHS)


@every_graph
def test_the_graph_of_an_environment_is_the_golden_one(environment: str, released: bool) -> None:
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
        for each in platform(environment, released=released).resources
    }
    golden = GOLDEN / f"{environment}{'-released' if released else ''}.json"
    if os.environ.get(REGENERATE):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(json.dumps(graph, indent=1, sort_keys=True) + "\n")
    assert json.loads(golden.read_text()) == graph, f"set {REGENERATE}=1 to accept the new graph"


@every_graph
def test_no_input_holds_an_output_turned_into_text(environment: str, released: bool) -> None:
    resources = platform(environment, released=released).resources
    broken = [each.urn for each in resources for text in texts(each.inputs) if "Calling __str__ on an Output" in text]
    assert broken == []


@every_graph
def test_every_taggable_resource_states_the_required_tags(environment: str, released: bool) -> None:
    untagged = [
        each.urn
        for each in platform(environment, released=released).resources
        if taggable(each) and set(each.inputs.get("tags", {})) < set(REQUIRED_TAGS)
    ]
    assert untagged == []


def taggable(resource: Registered) -> bool:
    """Whether the SDK's class of the resource takes tags."""
    if not resource.custom or resource.type.startswith("pulumi:"):
        return False
    _, module, name = resource.type.split(":")
    made = getattr(importlib.import_module(f"pulumi_aws.{module.split('/')[0]}"), name)
    return "tags" in inspect.signature(made._internal_init).parameters


@every_graph
def test_a_wildcard_resource_in_an_identity_policy_is_one_that_iam_forces(environment: str, released: bool) -> None:
    """Actions without a resource type, or narrowed by their condition: Service Authorization Reference."""
    without_resource_type = {
        "ecr:GetAuthorizationToken",
        "cloudwatch:PutMetricData",
        "sagemaker:ListTrainingJobs",
        "ec2:DescribeDhcpOptions",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
    }
    for each in platform(environment, released=released).resources:
        if each.type not in ("aws:iam/policy:Policy", "aws:iam/rolePolicy:RolePolicy"):
            continue
        statements = json.loads(each.inputs["policy"])["Statement"]
        assert not any("*" in action for statement in statements for action in statement["Action"]), each.urn
        wide = {action for statement in statements if "*" in statement["Resource"] for action in statement["Action"]}
        assert wide <= without_resource_type, each.urn
        ids = [statement["Sid"] for statement in statements]
        assert len(set(ids)) == len(ids), each.urn


@every_graph
def test_policies_fit_what_iam_stores(environment: str, released: bool) -> None:
    """Characters without white space: 10,240 of a role's inline policies, 6,144 of a managed policy (IAM quotas)."""
    quotas = {"aws:iam/policy:Policy": 6144, "aws:iam/rolePolicy:RolePolicy": 10240}
    for each in platform(environment, released=released).resources:
        if each.type in quotas:
            compact = json.dumps(json.loads(each.inputs["policy"]), separators=(",", ":"))
            assert len(compact) <= quotas[each.type], each.urn


def test_data_goes_only_where_environment_and_stage_both_say_so() -> None:
    stateful = {"keys-internal", "storage-lake-bucket", "storage-artifacts-bucket", "registry-database-instance"}
    for environment_says, stage_says in ((False, True), (True, False), (True, True)):
        values = stack_values(settings("local"), "mlp")
        values["disposable"] = environment_says
        values["storage"]["disposable"] = values["registry"]["disposable"] = stage_says
        graph = deployed("local", values)
        kept = {name for name in stateful if graph.named(name).protect}
        assert kept == (set() if environment_says and stage_says else stateful)
        bucket = graph.named("storage-lake-bucket")
        assert bucket.inputs["forceDestroy"] is not bucket.protect


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_what_holds_data_is_protected(environment: str) -> None:
    graph = platform(environment)
    types = ("aws:s3/bucket:Bucket", "aws:kms/key:Key", "aws:rds/instance:Instance")
    assert all(each.protect for token in types for each in graph.of_type(token))


def test_a_stage_left_out_is_not_deployed() -> None:
    values = {key: value for key, value in stack_values(settings("dev"), "mlp").items() if key != "serving"}
    graph = deployed("dev", values)
    assert not any(each.name.startswith("serving") for each in graph.resources)
    assert PlatformOutputs.model_validate(graph.outputs["platform"]).serving is None


def test_a_foundation_alone_stands() -> None:
    stages = {"training", "registry", "serving"}
    values = {key: value for key, value in stack_values(settings("dev"), "mlp").items() if key not in stages}
    document = PlatformOutputs.model_validate(deployed("dev", values).outputs["platform"])
    assert (document.training, document.registry, document.serving) == (None, None, None)


def test_a_parameter_that_holds_no_release_is_named() -> None:
    values = stack_values(settings("dev"), "mlp")
    with pytest.raises(ConfigError, match=r"/mlp/dev/serving/release: holds no release, got 'nonsense'"):
        deployed("dev", values, "nonsense")


def test_a_release_makes_the_endpoint() -> None:
    tokens = {each.type for each in platform("prod", released=True).resources}
    assert "aws:sagemaker/endpoint:Endpoint" in tokens
    assert "aws:sagemaker/endpoint:Endpoint" not in {each.type for each in platform("prod").resources}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_endpoint_of_the_local_cloud_is_in_no_input(environment: str) -> None:
    inside = [each.urn for each in platform(environment).resources for text in texts(each.inputs) if "4566" in text]
    assert inside == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_exported_document_is_what_pipelines_read(environment: str) -> None:
    graph = platform(environment)
    document = PlatformOutputs.model_validate(graph.outputs["platform"])
    assert document.environment == environment
    stored = json.loads(graph.named("outputs-document").inputs["content"])
    assert stored == document.model_dump(mode="json")
    pointer = graph.named("outputs-pointer").inputs["value"]["value"]  # the SDK wraps it as a secret
    assert pointer == f"s3://{document.storage.artifacts_bucket}/platform/outputs.json"
