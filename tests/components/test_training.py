import json
from typing import Any, cast

import pytest

from components.errors import ArgumentError
from components.example import ARTIFACTS, ENVIRONMENT, KEY, LAKE, NETWORK, image
from components.training import Training, TrainingArgs
from components.training.example import example
from tests.support.graph import record


def arguments(**changes: object) -> TrainingArgs:
    args: dict[str, Any] = {
        "environment": ENVIRONMENT,
        "network": NETWORK,
        "lake": LAKE,
        "artifacts": ARTIFACTS,
        "image": image("training"),
        "logs_key_arn": KEY,
        "profiles": {"default": {"instance_type": "ml.m5.large"}},
    }
    return cast("TrainingArgs", args | changes)


def submitter(**changes: object) -> dict[str, dict[str, Any]]:
    graph = record(lambda: Training("training", arguments(**changes)))
    document = json.loads(graph.named("training-submitter").inputs["policy"])
    return {statement["Sid"]: statement for statement in document["Statement"]}


def test_training_is_made_of_exactly_these() -> None:
    assert record(example).children() == {
        ("aws:iam/role:Role", "training-execution-role"),
        ("aws:iam/rolePolicy:RolePolicy", "training-execution-policy"),
        ("aws:iam/policy:Policy", "training-submitter"),
        ("aws:ec2/securityGroup:SecurityGroup", "training-job-group"),
        ("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "training-job-to-endpoints"),
        ("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "training-job-to-s3"),
        ("aws:cloudwatch/logGroup:LogGroup", "training-job-logs"),
    }


def test_instances_of_a_distributed_job_reach_each_other() -> None:
    profiles = {"default": {"instance_type": "ml.m5.large", "instance_count": 2}}
    children = record(lambda: Training("training", arguments(profiles=profiles))).children()
    assert ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "training-job-from-job") in children
    assert ("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "training-job-to-job") in children


def test_a_submitter_may_only_ask_for_the_profiles() -> None:
    profiles = {
        "default": {"instance_type": "ml.m5.large", "max_runtime_seconds": 600},
        "large": {"instance_type": "ml.m5.4xlarge", "max_runtime_seconds": 7200},
    }
    statement = submitter(profiles=profiles)["StartJobs"]
    assert statement["Resource"] == ["arn:aws:sagemaker:eu-west-1:123456789012:training-job/mlp-example*"]
    condition = statement["Condition"]
    assert condition["ForAllValues:StringEquals"] == {
        "sagemaker:InstanceTypes": ["ml.m5.4xlarge", "ml.m5.large"],
        "sagemaker:VpcSubnets": ["subnet-1234", "subnet-5678"],
        "sagemaker:VpcSecurityGroupIds": ["training-job-group-id"],
    }
    assert condition["Null"] == dict.fromkeys(condition["ForAllValues:StringEquals"], "false")
    assert condition["NumericLessThanEquals"] == {"sagemaker:MaxRuntimeInSeconds": "7200"}
    assert condition["ArnEquals"] == {"sagemaker:VolumeKmsKey": KEY, "sagemaker:OutputKmsKey": KEY}
    assert condition["Bool"] == {
        "sagemaker:InterContainerTrafficEncryption": "true",
        "sagemaker:NetworkIsolation": "true",
    }


def test_instances_with_storage_of_their_own_take_no_volume_key() -> None:
    profiles = {"default": {"instance_type": "ml.m5.large"}, "gpu": {"instance_type": "ml.g5.xlarge"}}
    statements = submitter(profiles=profiles)
    own = statements["StartJobsOnOwnStorage"]["Condition"]
    assert own["ForAllValues:StringEquals"]["sagemaker:InstanceTypes"] == ["ml.g5.xlarge"]
    assert own["ArnEquals"] == {"sagemaker:OutputKmsKey": KEY}
    keyed = statements["StartJobs"]["Condition"]
    assert keyed["ForAllValues:StringEquals"]["sagemaker:InstanceTypes"] == ["ml.m5.large"]


def test_without_isolation_both_kinds_of_job_may_start() -> None:
    assert "sagemaker:NetworkIsolation" not in submitter(network_isolation=False)["StartJobs"]["Condition"]["Bool"]


def test_the_role_goes_to_sagemaker_alone() -> None:
    statement = submitter()["PassExecutionRole"]
    assert statement["Action"] == ["iam:PassRole"]
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    trust = json.loads(record(example).named("training-execution-role").inputs["assumeRolePolicy"])
    assert trust["Statement"][0]["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert trust["Statement"][0]["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


@pytest.mark.parametrize(
    ("profiles", "sentence"),
    [
        ({}, "profiles: must hold a profile named default, got none"),
        ({"default": {"instance_type": "m5.large"}}, "profiles.default.instance_type: must be a SageMaker type"),
        (
            {"default": {"instance_type": "ml.m5.large", "volume_gib": 0}},
            "profiles.default.volume_gib: must be between 1 and 16384, got 0; leave it out for the default",
        ),
        (
            {"default": {"instance_type": "ml.m5.large", "max_wait_seconds": 5}},
            "profiles.default.max_wait_seconds: must be at least max_runtime_seconds (3600), got 5",
        ),
    ],
)
def test_bad_arguments_are_named_by_their_path(profiles: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ArgumentError) as raised:
        record(lambda: Training("training", arguments(profiles=profiles)))
    assert sentence in str(raised.value)


def test_all_problems_are_raised_together_with_property_paths() -> None:
    profiles = {"default": {"instance_type": "m5", "volume_gib": 0}}
    with pytest.raises(ArgumentError) as raised:
        record(lambda: Training("training", arguments(profiles=profiles)))
    paths = [each["property_path"] for each in raised.value.errors or []]
    assert paths == ["profiles.default.instance_type", "profiles.default.volume_gib"]
