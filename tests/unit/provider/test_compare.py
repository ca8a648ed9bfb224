"""Two spellings of one thing are no difference; a difference is named where it lies."""

import json
from typing import Any

import pytest

from infra.local.provider.compare import canonical_document, differences, needs_replacement
from infra.local.provider.table import TABLE
from infra.local.provider.values import UNKNOWN


def paths(token: str, state: dict[str, Any], inputs: dict[str, Any]) -> list[str]:
    return [difference.path for difference in differences(TABLE[token].spec, state, inputs)]


def statement(**content: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **content}]})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (statement(Action="s3:Get*", Resource="*"), statement(Resource=["*"], Action=["s3:Get*"])),
        (statement(Action=["a", "b"]), statement(Action=["b", "a"])),
        (statement(Principal={"AWS": "*"}), statement(Principal="*")),
        (statement(Principal={"Service": ["b", "a"]}), statement(Principal={"Service": ["a", "b"]})),
        (
            statement(Condition={"Bool": {"aws:SecureTransport": False}}),
            statement(Condition={"Bool": {"aws:SecureTransport": ["false"]}}),
        ),
        ('{"a": 1, "b": 2}', '{"b":2,"a":1}'),
    ],
)
def test_documents_of_one_meaning_are_equal(one: str, other: str) -> None:
    assert canonical_document(one) == canonical_document(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (statement(Action="s3:Get*"), statement(Action="s3:*")),
        (statement(Action="s3:Get*"), statement(NotAction="s3:Get*")),
        ('{"rules": [1, 2]}', '{"rules": [2, 1]}'),
        ("no json", "other"),
    ],
)
def test_documents_of_two_meanings_differ(one: str, other: str) -> None:
    assert canonical_document(one) != canonical_document(other)


def test_sets_and_empty_values_are_no_difference() -> None:
    token = "aws:rds/subnetGroup:SubnetGroup"
    state: dict[str, Any] = {"subnetIds": ["b", "a"], "description": "x", "tags": {}}
    assert not paths(token, state, {"subnetIds": ["a", "b"], "description": "x"})


def test_a_nested_difference_has_its_path() -> None:
    token = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    before = {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]}
    after = {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms"}}]}
    assert paths(token, before, after) == ["rules[0].applyServerSideEncryptionByDefault.sseAlgorithm"]


def test_what_aws_fills_in_is_no_difference_until_the_program_says_it() -> None:
    token = "aws:lb/targetGroup:TargetGroup"
    state = {"targetType": "ip", "healthCheck": {"path": "/health", "interval": 30}}
    assert not paths(token, state, {"targetType": "ip", "healthCheck": {"path": "/health"}})
    wanted = {"targetType": "ip", "healthCheck": {"path": "/health", "interval": 10}}
    assert paths(token, state, wanted) == ["healthCheck.interval"]


def test_an_unknown_is_a_difference() -> None:
    found = differences(TABLE["aws:ec2/vpc:Vpc"].spec, {"cidrBlock": "10.0.0.0/16"}, {"cidrBlock": UNKNOWN})
    assert [difference.path for difference in found] == ["cidrBlock"]
    assert needs_replacement(TABLE["aws:ec2/vpc:Vpc"].spec, found[0])


def test_a_difference_inside_a_property_that_cannot_change_replaces() -> None:
    spec = TABLE["aws:sagemaker/model:Model"].spec
    found = differences(spec, {"primaryContainer": {"image": "a"}}, {"primaryContainer": {"image": "b"}})
    assert [(one.path, needs_replacement(spec, one)) for one in found] == [("primaryContainer.image", True)]


def test_container_definitions_are_equal_with_what_ecs_fills_in() -> None:
    token = "aws:ecs/taskDefinition:TaskDefinition"
    given = [{"name": "a", "image": "i", "portMappings": [{"containerPort": 80}]}]
    kept = [
        {
            "name": "a",
            "image": "i",
            "cpu": 0,
            "essential": True,
            "environment": [],
            "mountPoints": [],
            "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}],
        }
    ]
    state = {"containerDefinitions": json.dumps(kept)}
    assert not paths(token, state, {"containerDefinitions": json.dumps(given)})
    other = json.dumps([{**given[0], "image": "j"}])
    assert paths(token, state, {"containerDefinitions": other}) == ["containerDefinitions"]
