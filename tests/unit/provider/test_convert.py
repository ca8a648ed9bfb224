"""Properties become parameters and come back the same; what is wrong is named by its path."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.local.provider import schema
from infra.local.provider.cloud import Cloud
from infra.local.provider.convert import Conversion, Reading, find_member
from infra.local.provider.table import TABLE
from infra.local.provider.values import UNKNOWN, plain_map, wrap_map

CLOUD = Cloud("http://127.0.0.1:1")


def converted(token: str, operation: str, properties: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    spec = TABLE[token].spec
    conversion = Conversion(spec.rename, spec.to_aws)
    shape = CLOUD.model(spec.service).operation_model(operation).input_shape
    params = conversion.params(properties, shape, schema.type_schema(token).inputs)
    return params, [f"{failure.path} {failure.reason}" for failure in conversion.failures]


VARIANT = "aws:sagemaker/endpointConfiguration:EndpointConfiguration"
names = st.from_regex(r"[a-zA-Z0-9](-?[a-zA-Z0-9]){0,30}", fullmatch=True)
variants: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"modelName": names, "variantName": names},
    optional={
        "initialInstanceCount": st.integers(1, 50),
        "initialVariantWeight": st.integers(0, 100),
        "instanceType": st.sampled_from(["ml.m5.large", "ml.g5.xlarge"]),
        "containerStartupHealthCheckTimeoutInSeconds": st.integers(60, 3600),
        "enableSsmAccess": st.booleans(),
        "serverlessConfig": st.fixed_dictionaries(
            {"maxConcurrency": st.integers(1, 200), "memorySizeInMb": st.just(2048)}
        ),
    },
)


@settings(max_examples=50)
@given(st.lists(variants, min_size=1, max_size=5))
def test_what_is_sent_reads_back_the_same(production: list[dict[str, Any]]) -> None:
    params, failures = converted(VARIANT, "CreateEndpointConfig", {"name": "x", "productionVariants": production})
    assert not failures
    spec = TABLE[VARIANT].spec
    read = Reading(spec.rename, spec.from_aws).properties(params, schema.type_schema(VARIANT).outputs)
    assert read == {"name": "x", "productionVariants": production}


plain_values = st.recursive(
    st.booleans() | st.integers(-(2**50), 2**50) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=100)
@given(st.dictionaries(st.text(min_size=1, max_size=8), plain_values, max_size=5))
def test_plain_values_survive_the_engine(values: dict[str, Any]) -> None:
    assert plain_map(wrap_map(values)) == values


def test_an_unknown_is_passed_over() -> None:
    params, failures = converted(
        "aws:ec2/subnet:Subnet", "CreateSubnet", {"vpcId": UNKNOWN, "cidrBlock": "10.0.0.0/24"}
    )
    assert (params, failures) == ({"CidrBlock": "10.0.0.0/24"}, [])


@pytest.mark.parametrize(
    ("name", "members", "renamed", "found"),
    [
        ("cidrBlock", ("CidrBlock",), None, "CidrBlock"),
        ("rule", ("Rules",), None, "Rules"),
        ("policies", ("Policy",), None, "Policy"),
        ("sseAlgorithm", ("SSEAlgorithm",), None, "SSEAlgorithm"),
        ("name", ("RoleName",), "RoleName", "RoleName"),
        ("policy", ("PolicyDocument",), "AssumeRolePolicyDocument|PolicyDocument", "PolicyDocument"),
        ("endpoint", ("Endpoint",), "", None),
        ("cidrBlock", ("VpcId",), None, None),
    ],
)
def test_names_find_their_member(name: str, members: tuple[str, ...], renamed: str | None, found: str | None) -> None:
    assert find_member(name, members, renamed) == found


@pytest.mark.parametrize(
    ("token", "operation", "properties", "failure"),
    [
        (
            "aws:sagemaker/model:Model",
            "CreateModel",
            {"name": "a" * 64},
            "name must have at most 63 characters, got 64",
        ),
        (
            VARIANT,
            "CreateEndpointConfig",
            {"productionVariants": [{"variantName": "a b"}]},
            "productionVariants[0].variantName must match [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}, got 'a b'",
        ),
        (
            "aws:ec2/vpc:Vpc",
            "CreateVpc",
            {"instanceTenancy": "shared"},
            "instanceTenancy must be one of default, dedicated, host, got 'shared'",
        ),
        (
            VARIANT,
            "CreateEndpointConfig",
            {"productionVariants": [{"serverlessConfig": {"memorySizeInMb": 1, "maxConcurrency": 1}}]},
            "productionVariants[0].serverlessConfig.memorySizeInMb must be 1024 to 6144, got 1",
        ),
        (
            "aws:ec2/vpc:Vpc",
            "CreateVpc",
            {"ipv4NetmaskLength": "wide"},
            "ipv4NetmaskLength must be a whole number, got 'wide'",
        ),
    ],
)
def test_what_the_model_forbids_is_named(token: str, operation: str, properties: dict[str, Any], failure: str) -> None:
    _, failures = converted(token, operation, properties)
    assert failures == [failure]


def test_a_value_sent_as_a_list_of_blocks_is_wrapped_once_and_reads_back() -> None:
    token = "aws:lb/listener:Listener"
    arn = "arn:aws:acm:eu-west-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"

    params, failures = converted(token, "CreateListener", {"certificateArn": arn})

    assert (params, failures) == ({"Certificates": [{"CertificateArn": arn}]}, [])
    spec = TABLE[token].spec
    assert Reading(spec.rename, spec.from_aws).properties(params, schema.type_schema(token).outputs) == {
        "certificateArn": arn
    }
