"""What a deployment relies on beyond the life of a single resource."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from pulumi.provider.experimental import provider as api
from pulumi.provider.experimental.property_value import PropertyValue

from infra.local.errors import LocalError
from infra.local.provider import AwsProvider, lifecycle
from infra.local.provider.cloud import Cloud
from infra.local.provider.handler import Handler
from infra.local.provider.table import TABLE
from infra.local.provider.values import plain_map, wrap_map

from .examples import EXAMPLES, allow, bucket, trust
from .stack import Deployed, Stack

pytestmark = pytest.mark.local

ROLE = "aws:iam/role:Role"
BUCKET = "aws:s3/bucket:Bucket"
VPC = "aws:ec2/vpc:Vpc"


@pytest.mark.parametrize(
    "token",
    ["aws:ec2/subnet:Subnet", ROLE, BUCKET, "aws:s3/bucketObjectv2:BucketObjectv2", "aws:iam/policy:Policy"],
)
def test_an_imported_resource_needs_no_change(stack: Stack, token: str) -> None:
    inputs = EXAMPLES[token].inputs(stack)
    if token == "aws:ec2/subnet:Subnet":
        inputs["cidrBlock"] = "10.9.40.0/24"
    made = stack.create(token, "imported", inputs)
    imported = stack.refresh(Deployed(token, "imported", made.id, {}, {}))
    assert imported is not None
    wanted = {**inputs, **({"bucket": made.id} if token == BUCKET else {})}
    if TABLE[token].spec.name:
        name = TABLE[token].spec.name
        assert name is not None
        wanted[name.property] = made.outputs[name.property]
    found = stack.diff(imported, wanted)
    unknowable = TABLE[token].spec.local | {"content"}
    assert set(found.diffs) <= unknowable


def test_an_interrupted_create_is_completed(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    class KilledError(BaseException):
        pass

    def killed(*_: object) -> None:
        raise KilledError

    inputs = {"cidrBlock": "10.77.0.0/16", "enableDnsHostnames": True, "tags": {"Stage": "network"}}
    with monkeypatch.context() as patch:
        patch.setattr(Handler, "created", killed)
        with pytest.raises(KilledError):
            stack.create(VPC, "interrupted", inputs)
    made = stack.create(VPC, "interrupted", inputs)
    vpcs = stack.client("ec2").describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.77.0.0/16"]}])["Vpcs"]
    assert [vpc["VpcId"] for vpc in vpcs] == [made.id]
    assert made.outputs["enableDnsHostnames"] is True
    assert made.outputs["tagsAll"] == {"Stage": "network"}


def test_what_an_interrupted_create_left_takes_the_programs_new_values(stack: Stack) -> None:
    first = stack.create(ROLE, "edited", {"assumeRolePolicy": trust("ec2.amazonaws.com"), "description": "one"})
    second = stack.create(ROLE, "edited", {"assumeRolePolicy": trust("ecs.amazonaws.com"), "description": "two"})
    assert second.id == first.id
    assert second.outputs["description"] == "two"
    assert json.loads(second.outputs["assumeRolePolicy"]) == json.loads(trust("ecs.amazonaws.com"))


def test_a_resource_of_someone_else_is_not_adopted(stack: Stack) -> None:
    stack.client("iam").create_role(
        RoleName="foreign", AssumeRolePolicyDocument=trust("ec2.amazonaws.com"), Tags=[{"Key": "Owner", "Value": "me"}]
    )
    with pytest.raises(LocalError, match="foreign exists already and was not made for"):
        stack.create(ROLE, "mine", {"name": "foreign", "assumeRolePolicy": trust("ec2.amazonaws.com")})


def test_a_change_of_what_cannot_change_replaces(stack: Stack) -> None:
    made = stack.create(VPC, "replaced", {"cidrBlock": "10.60.0.0/16"})
    found = stack.diff(made, {"cidrBlock": "10.61.0.0/16"})
    assert found.replaces == ["cidrBlock"]
    assert not found.delete_before_replace
    kind = found.detailed_diff["cidrBlock"].kind
    assert kind is api.PropertyDiffKind.UPDATE_REPLACE


def test_a_resource_with_a_name_of_its_own_is_deleted_before_it_is_replaced(stack: Stack) -> None:
    inputs = {"name": "named", "assumeRolePolicy": trust("ec2.amazonaws.com"), "path": "/a/"}
    made = stack.create(ROLE, "named", inputs)
    found = stack.diff(made, {**inputs, "path": "/b/"})
    assert (found.replaces, found.delete_before_replace) == (["path"], True)


def test_a_bucket_with_content_goes_only_by_force(stack: Stack) -> None:
    kept = stack.create(BUCKET, "kept", {})
    stack.client("s3").put_object(Bucket=kept.id, Key="a", Body=b"x")
    with pytest.raises(LocalError, match="BucketNotEmpty"):
        stack.delete(kept)
    forced = stack.update(kept, {"forceDestroy": True})
    stack.client("s3").put_bucket_versioning(Bucket=kept.id, VersioningConfiguration={"Status": "Enabled"})
    stack.client("s3").put_object(Bucket=kept.id, Key="a", Body=b"y")
    stack.client("s3").delete_object(Bucket=kept.id, Key="a")
    stack.delete(forced)
    assert stack.refresh(forced) is None


def test_provider_tags_reach_every_resource_and_its_own_win(stack: Stack) -> None:
    provider = AwsProvider(stack.endpoint)
    tags = json.dumps({"tags": {"Project": "mlp", "Stage": "none"}})
    arguments = wrap_map({"region": "eu-west-1", "defaultTags": tags})
    asyncio.run(provider.configure(api.ConfigureRequest({}, arguments, accept_secrets=True, accept_resources=False)))
    tagged = Stack(provider, stack.endpoint)
    made = tagged.create(ROLE, "tagged", {"assumeRolePolicy": trust("ec2.amazonaws.com"), "tags": {"Stage": "lake"}})
    assert made.outputs["tagsAll"] == {"Project": "mlp", "Stage": "lake"}
    assert made.outputs["tags"] == {"Stage": "lake"}
    read = tagged.refresh(made)
    assert read is not None
    assert not tagged.diff(read, {"assumeRolePolicy": trust("ec2.amazonaws.com"), "tags": {"Stage": "lake"}}).changes


def test_another_account_is_refused(stack: Stack) -> None:
    provider = AwsProvider(stack.endpoint)
    arguments = wrap_map({"allowedAccountIds": json.dumps(["999999999999"])})
    asyncio.run(provider.configure(api.ConfigureRequest({}, arguments, accept_secrets=True, accept_resources=False)))
    with pytest.raises(LocalError, match=r"123456789012.*999999999999"):
        Stack(provider, stack.endpoint).create(VPC, "elsewhere", {"cidrBlock": "10.1.0.0/16"})


def test_secrets_stay_secret(stack: Stack) -> None:
    token = "aws:ssm/parameter:Parameter"
    urn = stack.urn(token, "hush")
    inputs = {"type": PropertyValue("SecureString"), "value": PropertyValue("canary", is_secret=True)}
    checked = asyncio.run(stack.provider.check(api.CheckRequest(urn, {}, inputs, b"s"))).inputs or {}
    made = asyncio.run(stack.provider.create(api.CreateRequest(urn, checked, 0, preview=False)))
    read = asyncio.run(stack.provider.read(api.ReadRequest(urn, made.resource_id or "", made.properties, checked)))
    for values in (made.properties, read.properties, read.inputs):
        assert values["value"].is_secret
        open_values = {name: value for name, value in values.items() if not value.contains_secret()}
        assert "canary" not in repr(plain_map(open_values))


def test_a_refusal_is_said_in_one_sentence(stack: Stack) -> None:
    with pytest.raises(LocalError, match=r"^ec2 refused CreateVpc: InvalidVpc.Range: "):
        stack.create(VPC, "wide", {"cidrBlock": "10.0.0.0/8"})


def test_nothing_answering_is_said(unused_tcp_endpoint: str) -> None:
    with pytest.raises(LocalError, match="mlp local start"):
        lifecycle.create(Cloud(unused_tcp_endpoint), TABLE[VPC], "v", {"cidrBlock": "10.0.0.0/16"})


def test_a_file_is_uploaded_anew_when_it_changes(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "document.txt"
    path.write_text("one")
    inputs = {"bucket": bucket(stack), "key": "document.txt", "sourceHash": "1"}
    made = stack.create("aws:s3/bucketObjectv2:BucketObjectv2", "file", {**inputs, "content": path.read_text()})
    assert not stack.diff(made, {**inputs, "content": "one"}).changes
    updated = stack.update(made, {**inputs, "content": "two"})
    body = stack.client("s3").get_object(Bucket=bucket(stack), Key="document.txt")["Body"].read()
    assert body == b"two"
    assert updated.outputs["content"] == "two"


def test_a_property_that_is_dropped_is_emptied(stack: Stack) -> None:
    inputs = {"assumeRolePolicy": trust("ec2.amazonaws.com")}
    made = stack.create(ROLE, "dropped", {**inputs, "description": "one", "tags": {"Stage": "lake"}})
    emptied = stack.refresh(stack.update(made, inputs))
    assert emptied is not None
    assert not emptied.outputs.get("description")
    assert emptied.outputs["tags"] == {}


FUNCTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": ({}, {"accountId": "123456789012"}),
    "aws:index/getRegion:getRegion": ({}, {"region": "eu-west-1"}),
    "aws:index/getPartition:getPartition": ({}, {"partition": "aws", "dnsSuffix": "amazonaws.com"}),
    "aws:index/getAvailabilityZones:getAvailabilityZones": (
        {"state": "available"},
        {"names": ["eu-west-1a", "eu-west-1b", "eu-west-1c"]},
    ),
    "aws:ssm/getParametersByPath:getParametersByPath": ({"path": "/nothing/"}, {"names": [], "values": []}),
    "aws:ec2/getPrefixList:getPrefixList": (
        {"name": "com.amazonaws.eu-west-1.s3"},
        {"name": "com.amazonaws.eu-west-1.s3"},
    ),
    "aws:ec2/getManagedPrefixList:getManagedPrefixList": (
        {"name": "com.amazonaws.eu-west-1.s3"},
        {"name": "com.amazonaws.eu-west-1.s3"},
    ),
}


@pytest.mark.parametrize("token", FUNCTIONS)
def test_functions_answer_as_the_sdk_promises(stack: Stack, token: str) -> None:
    arguments, expected = FUNCTIONS[token]
    response = asyncio.run(stack.provider.invoke(api.InvokeRequest(token, wrap_map(arguments))))
    result = plain_map(response.return_value or {})
    assert {name: result[name] for name in expected} == expected


def test_parameters_below_a_path_are_found_and_secret(stack: Stack) -> None:
    for name in ("/tree/a", "/tree/b"):
        stack.create("aws:ssm/parameter:Parameter", name.strip("/"), {"name": name, "type": "String", "value": name})
    token = "aws:ssm/getParametersByPath:getParametersByPath"
    response = asyncio.run(stack.provider.invoke(api.InvokeRequest(token, wrap_map({"path": "/tree"}))))
    assert response.return_value is not None
    assert plain_map(response.return_value)["names"] == ["/tree/a", "/tree/b"]
    assert response.return_value["values"].is_secret


def test_a_role_goes_with_what_is_still_attached(stack: Stack) -> None:
    role = stack.create(ROLE, "attached", {"assumeRolePolicy": trust("ec2.amazonaws.com")})
    stack.client("iam").put_role_policy(RoleName=role.id, PolicyName="p", PolicyDocument=allow("s3:GetObject"))
    stack.delete(role)
    assert stack.refresh(role) is None
