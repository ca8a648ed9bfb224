import json
from typing import Any, cast

import pytest

from components.errors import ArgumentError
from components.example import ARTIFACTS, ENVIRONMENT, KEY, LAKE, NETWORK, image
from components.serving import Serving, ServingArgs
from components.serving.example import example
from tests.support.graph import Graph, record

MODEL = {"image_uri": "1.dkr.ecr.eu-west-1.amazonaws.com/training:0", "model_data_url": "s3://b/model.tar.gz"}
SCALING = {"min_instances": 1, "max_instances": 4, "invocations_per_instance": 600}


def serving(**changes: object) -> Graph:
    args: dict[str, Any] = {
        "environment": ENVIRONMENT,
        "network": NETWORK,
        "lake": LAKE,
        "artifacts": ARTIFACTS,
        "model_prefixes": ["training/output/"],
        "image": image("training"),
        "logs_key_arn": KEY,
        "variants": [{"name": "champion", "weight": 100}],
    }
    return record(lambda: Serving("serving", cast("ServingArgs", args | changes)))


def types(graph: Graph) -> set[str]:
    return {each.type for each in graph.resources}


def test_serving_is_made_of_exactly_these() -> None:
    alarm = "aws:cloudwatch/metricAlarm:MetricAlarm"
    assert record(example).children() == {
        ("aws:cloudwatch/logGroup:LogGroup", "serving-endpoint-logs"),
        ("aws:ec2/securityGroup:SecurityGroup", "serving-model-group"),
        ("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "serving-model-to-endpoints"),
        ("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "serving-model-to-s3"),
        ("aws:iam/role:Role", "serving-execution-role"),
        ("aws:iam/rolePolicy:RolePolicy", "serving-execution-policy"),
        (alarm, "serving-champion-errors"),
        (alarm, "serving-champion-latency"),
        (alarm, "serving-challenger-errors"),
        (alarm, "serving-challenger-latency"),
        ("aws:sagemaker/model:Model", "serving-champion"),
        ("aws:sagemaker/endpointConfiguration:EndpointConfiguration", "serving-configuration"),
        ("aws:sagemaker/endpoint:Endpoint", "serving-endpoint"),
        ("aws:appautoscaling/target:Target", "serving-champion-scaling"),
        ("aws:appautoscaling/policy:Policy", "serving-champion-scaling-policy"),
    }


def test_before_a_release_everything_stands_but_the_endpoint() -> None:
    made = types(serving())
    assert "aws:cloudwatch/metricAlarm:MetricAlarm" in made
    assert not {each for each in made if each.startswith(("aws:sagemaker", "aws:appautoscaling"))}


def test_a_deployment_never_touches_what_a_rollout_sets() -> None:
    graph = serving(models={"champion": MODEL})
    assert set(graph.named("serving-endpoint").ignore_changes) == {"endpointConfigName", "deploymentConfig"}
    assert "productionVariants" in graph.named("serving-configuration").ignore_changes
    assert graph.named("serving-champion").ignore_changes == ("primaryContainer",)


def test_a_rollout_is_called_off_by_the_alarms_of_every_variant() -> None:
    variants = [{"name": "champion", "weight": 90}, {"name": "challenger", "weight": 10}]
    graph = serving(variants=variants, models={"champion": MODEL}, canary_percent=20, bake_seconds=60)
    deployment = graph.named("serving-endpoint").inputs["deploymentConfig"]
    assert [each["alarmName"] for each in deployment["autoRollbackConfiguration"]["alarms"]] == [
        "mlp-example-serving-champion-errors",
        "mlp-example-serving-champion-latency",
        "mlp-example-serving-challenger-errors",
        "mlp-example-serving-challenger-latency",
    ]
    routing = deployment["blueGreenUpdatePolicy"]["trafficRoutingConfiguration"]
    assert routing == {
        "type": "CANARY",
        "canarySize": {"type": "CAPACITY_PERCENT", "value": 20},
        "waitIntervalInSeconds": 60,
    }


def test_alarms_speak_the_metrics_units() -> None:
    graph = serving(error_percent=2.5, latency_p99_ms=300)
    errors, latency = (graph.named(f"serving-champion-{kind}").inputs for kind in ("errors", "latency"))
    assert (errors["statistic"], errors["threshold"]) == ("Average", 0.025)
    assert (latency["extendedStatistic"], latency["threshold"]) == ("p99", 300_000)
    assert errors["dimensions"] == {"EndpointName": "mlp-example-serving", "VariantName": "champion"}


def test_a_variant_without_a_model_takes_no_part_yet() -> None:
    variants = [{"name": "champion", "weight": 90}, {"name": "challenger", "weight": 10, "scaling": SCALING}]
    graph = serving(variants=variants, models={"champion": MODEL})
    (only,) = graph.named("serving-configuration").inputs["productionVariants"]
    assert only["variantName"] == "champion"
    assert "aws:appautoscaling/target:Target" not in types(graph)


def test_requests_are_captured_into_the_lake_under_its_key() -> None:
    capture = serving(models={"champion": MODEL}, capture_percent=25).named("serving-configuration").inputs
    assert capture["dataCaptureConfig"]["initialSamplingPercentage"] == 25
    assert capture["dataCaptureConfig"]["destinationS3Uri"] == "s3://example-lake/serving/capture"
    assert capture["dataCaptureConfig"]["kmsKeyId"] == KEY
    assert capture["kmsKeyArn"] == KEY


def test_an_instance_with_storage_of_its_own_takes_no_key() -> None:
    variants = [{"name": "champion", "weight": 100, "instance_type": "ml.g5.xlarge"}]
    assert (
        "kmsKeyArn" not in serving(variants=variants, models={"champion": MODEL}).named("serving-configuration").inputs
    )


def test_models_stand_in_the_private_network_and_alone() -> None:
    model = serving(models={"champion": MODEL}).named("serving-champion").inputs
    assert model["enableNetworkIsolation"] is True
    assert model["vpcConfig"] == {
        "subnets": ["subnet-1234", "subnet-5678"],
        "securityGroupIds": ["serving-model-group-id"],
    }


def test_a_model_may_write_captures_and_nothing_else_of_the_lake() -> None:
    document = json.loads(serving().named("serving-execution-policy").inputs["policy"])
    on_lake = [
        (action, resource)
        for statement in document["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
        if resource.startswith("arn:aws:s3:::example-lake/")
    ]
    assert {resource for _, resource in on_lake} == {"arn:aws:s3:::example-lake/serving/capture/*"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"variants": []}, "variants: must be 1 to 10, got 0"),
        ({"variants": [{"name": "champion", "weight": 90}]}, "variants: weights must sum to 100, got 90"),
        (
            {"variants": [{"name": "champion", "weight": 100, "scaling": SCALING, "instance_count": 9}]},
            "variants[0].instance_count: must be within the scaling of 1 to 4, got 9",
        ),
        ({"models": {"stranger": MODEL}}, "models.stranger: belongs to no variant; variants are champion"),
        ({"canary_percent": 60}, "canary_percent: must be between 1 and 50, got 60"),
    ],
)
def test_bad_arguments_are_named_by_their_path(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ArgumentError) as raised:
        serving(**changes)
    assert sentence in str(raised.value)
