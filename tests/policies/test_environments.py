"""The platform obeys its own rules: no finding on any environment but the exempted ones, and no exemption too many."""

import copy
from typing import Any

import pytest

from policies.catalog import RULES
from policies.evaluation import evaluate
from policies.exemptions import read as read_exemptions
from policies.report import Report, report
from tests.policies.environments import ENVIRONMENTS, planned


def judged(environment: str, resources: list[dict[str, Any]] | None = None) -> Report:
    entries = planned(environment) if resources is None else resources
    return report(evaluate(entries), read_exemptions(), environments=[environment], preview=False)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_has_no_finding_and_no_stale_exemption(environment: str) -> None:
    result = judged(environment)

    assert result.clean, result.render()
    assert not result.undecided


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_most_controls_have_something_to_judge(environment: str) -> None:
    types = {each["type"] for each in planned(environment)}
    judging = [rule for rule in RULES if types & set(rule.control.types)]

    # The rest are for types the platform does not use, which is how it stays without them.
    assert len(judging) > 0.85 * len(RULES)


def test_production_is_exempted_from_nothing_that_only_small_environments_opt_out_of() -> None:
    exempted = {finding.control.id for finding, _ in judged("prod").exempted}

    assert exempted == {"S3.9", "S3.17", "EC2.58", "EC2.60", "CloudWatch.15"}


@pytest.mark.parametrize(
    ("token", "key", "value", "control"),
    [
        ("aws:rds/instance:Instance", "publiclyAccessible", True, "RDS.2"),
        ("aws:kms/key:Key", "enableKeyRotation", False, "KMS.4"),
        ("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "blockPublicPolicy", False, "S3.8"),
        ("aws:ec2/flowLog:FlowLog", "vpcId", "vpc-of-somebody-else", "EC2.6"),
        ("aws:sagemaker/model:Model", "enableNetworkIsolation", False, "SageMaker.5"),
        ("aws:ecr/repository:Repository", "imageTagMutability", "MUTABLE", "ECR.2"),
    ],
)
def test_a_weakened_production_is_stopped(token: str, key: str, value: object, control: str) -> None:
    weakened = copy.deepcopy(planned("prod"))
    next(each for each in weakened if each["type"] == token)["inputs"][key] = value
    result = judged("prod", weakened)

    assert result.violated
    assert {finding.control.id for finding in result.violations} == {control}


@pytest.mark.parametrize(
    ("token", "control"),
    [
        ("aws:s3/bucketPolicy:BucketPolicy", "S3.5"),
        ("aws:s3/bucketVersioning:BucketVersioning", "S3.14"),
        ("aws:s3/bucketOwnershipControls:BucketOwnershipControls", "S3.12"),
        ("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", "EC2.2"),
        ("aws:ecr/lifecyclePolicy:LifecyclePolicy", "ECR.3"),
    ],
)
def test_a_forgotten_companion_is_found(token: str, control: str) -> None:
    result = judged("prod", [each for each in planned("prod") if each["type"] != token])

    assert control in {finding.control.id for finding in result.violations}
