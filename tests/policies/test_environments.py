"""The platform obeys its own rules: no finding on any environment but the exempted ones, and no exemption too many."""

import copy
from typing import Any

import pytest

from policies.catalog import RULES
from policies.evaluation import evaluate
from policies.exemptions import read as read_exemptions
from policies.report import Report, report
from policies.rules import ec2, ecr, s3
from policies.rules.ownership import TAGGABLE
from tests.policies.environments import ENVIRONMENTS, planned

JUDGED_WITH_ANOTHER = {
    ec2.ROUTE_TABLE_ASSOCIATION,
    ecr.LIFECYCLE_POLICY,
    s3.ENCRYPTION,
    s3.LIFECYCLE,
    s3.LOGGING,
    s3.OWNERSHIP,
    s3.PUBLIC_ACCESS_BLOCK,
    s3.VERSIONING,
}
NOTHING_TO_JUDGE = {
    "aws:appautoscaling/policy:Policy",  # how fast to scale
    "aws:kms/alias:Alias",  # a name
}


def judged(environment: str, resources: list[dict[str, Any]] | None = None) -> Report:
    entries = planned(environment) if resources is None else resources
    return report(evaluate(entries), read_exemptions(), environments=[environment], preview=False)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_has_no_finding_and_no_stale_exemption(environment: str) -> None:
    result = judged(environment)

    assert result.clean, result.render()
    assert not result.undecided


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_type_is_judged_or_known_to_need_no_judge(environment: str) -> None:
    judged_types = {token for rule in RULES for token in rule.control.types}
    types = {each["type"] for each in planned(environment) if each["type"].startswith("aws:")}

    assert types <= judged_types | JUDGED_WITH_ANOTHER | NOTHING_TO_JUDGE


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_type_that_carries_tags_has_to(environment: str) -> None:
    types = {
        each["type"] for each in planned(environment) if each["type"].startswith("aws:") and "tags" in each["inputs"]
    }

    assert types <= set(TAGGABLE)


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
