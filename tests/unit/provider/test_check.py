"""Inputs are completed and checked before anything is deployed; no AWS is needed for it."""

import asyncio
from typing import Any

import pytest
from pulumi.provider.experimental import provider as api
from pulumi.provider.experimental.property_value import Computed, PropertyValue

from infra.local.errors import LocalError
from infra.local.provider import AwsProvider
from infra.local.provider.values import plain_map, wrap_map

PROVIDER = AwsProvider("http://127.0.0.1:1")


def check(
    token: str, inputs: dict[str, Any], old: dict[str, Any] | None = None, seed: bytes = b"one", name: str = "thing"
) -> tuple[dict[str, Any], list[str]]:
    urn = f"urn:pulumi:local::mlp::mlp:index:Thing${token}::{name}"
    response = asyncio.run(PROVIDER.check(api.CheckRequest(urn, wrap_map(old or {}), wrap_map(inputs), seed)))
    failures = [f"{failure.property} {failure.reason}" for failure in response.failures or ()]
    return plain_map(response.inputs or {}), failures


BUCKET = "aws:s3/bucket:Bucket"


def test_a_name_is_made_from_the_resources_and_stays() -> None:
    made, failures = check(BUCKET, {}, name="Lake")
    assert not failures
    assert made["bucket"].startswith("lake-")
    assert len(made["bucket"]) == len("lake-") + 7
    assert check(BUCKET, {}, name="Lake")[0]["bucket"] == made["bucket"], "the same create makes the same name"
    assert check(BUCKET, {}, old=made, seed=b"other", name="Lake")[0]["bucket"] == made["bucket"], "an update keeps it"
    assert check(BUCKET, {}, seed=b"other", name="Lake")[0]["bucket"] != made["bucket"], "a replacement has another"


def test_without_a_seed_the_inputs_that_replace_make_the_name() -> None:
    token = "aws:sagemaker/model:Model"
    inputs = {"executionRoleArn": "arn:aws:iam::123456789012:role/a"}
    first = check(token, inputs, seed=b"")[0]["name"]
    assert check(token, inputs, seed=b"")[0]["name"] == first
    other = {"executionRoleArn": "arn:aws:iam::123456789012:role/b"}
    assert check(token, other, seed=b"")[0]["name"] != first


def test_a_given_name_stays_and_a_dropped_one_is_made_anew() -> None:
    given, _ = check(BUCKET, {"bucket": "mine"})
    assert given["bucket"] == "mine"
    assert check(BUCKET, {}, old=given)[0]["bucket"].startswith("thing-")


def test_long_names_are_cut_to_what_aws_takes() -> None:
    assert len(check("aws:lb/loadBalancer:LoadBalancer", {}, name="x" * 100)[0]["name"]) == 32


@pytest.mark.parametrize(
    ("token", "inputs", "failure"),
    [
        (BUCKET, {"bucketName": "x"}, "bucketName is no property of this type; did you mean bucketNamespace?"),
        (BUCKET, {"forceDestroy": "yes"}, "forceDestroy must be true or false, got 'yes'"),
        (BUCKET, {"tags": {"Stage": 1}}, "tags.Stage must be a string, got 1"),
        (BUCKET, {"acl": "private"}, "acl is not supported by the local provider; leave it out"),
        ("aws:ec2/subnet:Subnet", {}, "vpcId is required and was not given"),
        (
            "aws:s3/bucketVersioning:BucketVersioning",
            {"bucket": "b", "versioningConfiguration": {"status": "On"}},
            "versioningConfiguration.status must be one of Enabled, Suspended, got 'On'",
        ),
        (
            "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
            {"bucket": "b", "rules": [{"id": "a", "status": "Enabled", "expiration": {"dayz": 1}}]},
            "rules[0].expiration.dayz is no property of this type; did you mean days?",
        ),
        (
            "aws:cloudwatch/logGroup:LogGroup",
            {"retentionInDays": 8},
            (
                "retentionInDays must be one of 0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, "
                "1096, 1827, 2192, 2557, 2922, 3288, 3653, got 8"
            ),
        ),
        (
            "aws:ecs/taskDefinition:TaskDefinition",
            {"family": "f", "containerDefinitions": "{}"},
            "containerDefinitions must be a JSON list of containers, got '{}'",
        ),
        (
            "aws:iam/role:Role",
            {"assumeRolePolicy": "{}", "maxSessionDuration": 60},
            "maxSessionDuration must be 3600 to 43200, got 60",
        ),
    ],
)
def test_bad_input_is_named(token: str, inputs: dict[str, Any], failure: str) -> None:
    assert check(token, inputs)[1] == [failure]


def test_unknowns_and_secrets_pass_through_a_check() -> None:
    urn = "urn:pulumi:local::mlp::aws:ssm/parameter:Parameter::p"
    inputs = {
        "type": PropertyValue("SecureString"),
        "value": PropertyValue("hush", is_secret=True),
        "keyId": PropertyValue.computed(),
    }
    response = asyncio.run(PROVIDER.check(api.CheckRequest(urn, {}, inputs, b"")))
    assert not response.failures
    assert response.inputs is not None
    assert response.inputs["value"].is_secret
    assert isinstance(response.inputs["keyId"].value, Computed)


def test_an_unknown_type_names_the_coverage_page() -> None:
    with pytest.raises(LocalError, match=r"aws:mwaa/environment:Environment.*infra/local/COVERAGE\.md"):
        check("aws:mwaa/environment:Environment", {})


def test_an_unknown_function_names_the_coverage_page() -> None:
    with pytest.raises(LocalError, match=r"infra/local/COVERAGE\.md"):
        asyncio.run(PROVIDER.invoke(api.InvokeRequest("aws:index/getArn:getArn", {})))


@pytest.mark.parametrize("endpoint", ["https://s3.amazonaws.com", "http://10.0.0.1:4566", "http://example.com"])
def test_an_endpoint_elsewhere_is_refused(endpoint: str) -> None:
    urn = "urn:pulumi:local::mlp::pulumi:providers:aws::default"
    response = asyncio.run(AwsProvider(endpoint).check_config(api.CheckRequest(urn, {}, {}, b"")))
    assert [failure.property for failure in response.failures or ()] == ["endpoints"]
    assert endpoint in (response.failures or [])[0].reason


def test_a_missing_endpoint_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    urn = "urn:pulumi:local::mlp::pulumi:providers:aws::default"
    response = asyncio.run(AwsProvider().check_config(api.CheckRequest(urn, {}, {}, b"")))
    assert "AWS_ENDPOINT_URL is not set" in (response.failures or [])[0].reason


def test_a_planned_resource_tells_what_it_knows() -> None:
    urn = "urn:pulumi:local::mlp::aws:s3/bucket:Bucket::b"
    inputs = wrap_map({"bucket": "mine", "tags": {"Stage": "lake"}})
    response = asyncio.run(PROVIDER.create(api.CreateRequest(urn, inputs, 0, preview=True)))
    assert response.properties["bucket"].value == "mine"
    assert isinstance(response.properties["arn"].value, Computed)
    assert plain_map(response.properties)["tagsAll"] == {"Stage": "lake"}
