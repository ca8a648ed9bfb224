import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.bucket import bucket_policy
from infra.documents import document, read_objects, trust, write_objects
from infra.environment import Environment, arn, partition
from infra.keys import key_policy
from infra.network import dynamodb_endpoint_policy, s3_endpoint_policy
from infra.repositories import lifecycle_policy
from infra.storage import log_delivery
from infra.tags import DataClass

ENVIRONMENT: Environment = {
    "environment": "test",
    "account_id": "123456789012",
    "region": "eu-west-1",
    "owner": "team",
    "cost_center": "ml",
}
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1"
prefixes = st.lists(st.from_regex(r"([a-z]{1,8}/){0,3}", fullmatch=True), min_size=1, max_size=4)


def statements(policy: str) -> dict[str, dict[str, Any]]:
    return {each["Sid"]: each for each in json.loads(policy)["Statement"]}


@given(prefixes)
def test_reading_stays_under_its_prefixes_and_writes_nothing(allowed: list[str]) -> None:
    granted = read_objects("Data", "arn:aws:s3:::data", allowed, KEY)
    actions = {action for each in granted for action in each["Action"]}
    assert actions == {"s3:ListBucket", "s3:GetObject", "kms:Decrypt"}
    objects = next(each for each in granted if each["Action"] == ["s3:GetObject"])
    assert objects["Resource"] == [f"arn:aws:s3:::data/{prefix}*" for prefix in allowed]
    listing = next(each for each in granted if each["Action"] == ["s3:ListBucket"])
    assert listing["Condition"] == {"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in allowed]}}


@given(prefixes)
def test_writing_never_deletes(allowed: list[str]) -> None:
    actions = {action for each in write_objects("Data", "arn:aws:s3:::data", allowed, KEY) for action in each["Action"]}
    assert not any("Delete" in action or "*" in action for action in actions)


def test_without_a_key_of_ours_no_key_is_granted() -> None:
    granted = [*read_objects("A", "arn:aws:s3:::a", [""], None), *write_objects("B", "arn:aws:s3:::b", [""], None)]
    assert not any(action.startswith("kms:") for each in granted for action in each["Action"])


@given(st.permutations(["b", "a", "c"]))
def test_a_document_reads_the_same_however_its_statements_were_built(order: list[str]) -> None:
    assert document([dict.fromkeys(order, 1)]) == document([{"a": 1, "b": 1, "c": 1}])


def test_a_role_trusts_a_service_for_this_account_only() -> None:
    (only,) = statements(trust("sagemaker.amazonaws.com", "123456789012")).values()
    assert only["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


@pytest.mark.parametrize("data_class", DataClass)
def test_a_key_is_used_through_its_services_and_from_this_account(data_class: DataClass) -> None:
    policy = statements(key_policy(ENVIRONMENT, data_class))
    own = {"AWS": "arn:aws:iam::123456789012:root"}
    assert {each["Principal"] == own for sid, each in policy.items() if sid != "EncryptLogGroups"} == {True}
    use = policy["UseThroughServices"]["Condition"]["StringEquals"]
    assert use["kms:CallerAccount"] == "123456789012"
    assert all(service.endswith(".eu-west-1.amazonaws.com") for service in use["kms:ViaService"])
    assert policy["GrantToServices"]["Condition"]["Bool"] == {"kms:GrantIsForAWSResource": "true"}
    assert not any("crypt" in action or "Generate" in action for action in policy["Administer"]["Action"])
    # Without it nobody could ever mend the policy.
    assert "kms:PutKeyPolicy" in policy["Administer"]["Action"]


def test_only_the_operational_key_encrypts_log_groups() -> None:
    with_logs = [each for each in DataClass if "EncryptLogGroups" in statements(key_policy(ENVIRONMENT, each))]
    assert with_logs == [DataClass.OPERATIONAL]


def test_a_bucket_refuses_plain_text_old_tls_and_other_keys() -> None:
    policy = statements(bucket_policy("arn:aws:s3:::data", KEY, []))
    assert set(policy) == {"PlainText", "OldTls", "OtherEncryption", "OtherKey"}
    assert {each["Effect"] for each in policy.values()} == {"Deny"}
    assert policy["PlainText"]["Resource"] == ["arn:aws:s3:::data", "arn:aws:s3:::data/*"]
    # A request that names no key gets the bucket's: the denial must not meet it.
    header = "s3:x-amz-server-side-encryption-aws-kms-key-id"
    assert policy["OtherKey"]["Condition"] == {"Null": {header: "false"}, "StringNotEquals": {header: KEY}}


def test_a_bucket_of_s3s_own_key_takes_any() -> None:
    assert set(statements(bucket_policy("arn:aws:s3:::logs", None, []))) == {"PlainText", "OldTls"}


def test_logs_are_delivered_by_services_for_this_account() -> None:
    delivery = {each["Sid"]: each for each in log_delivery(ENVIRONMENT)}
    assert set(delivery) == {"LakeAccessLogs", "ArtifactsAccessLogs", "LoadBalancerLogs"}
    logs = "arn:aws:s3:::mlp-test-logs-123456789012-eu-west-1"
    assert delivery["LakeAccessLogs"]["Resource"] == f"{logs}/s3/lake/*"
    assert delivery["LakeAccessLogs"]["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}
    assert delivery["LoadBalancerLogs"]["Resource"] == f"{logs}/load-balancers/AWSLogs/123456789012/*"


def test_gateway_endpoints_lead_to_this_account_only() -> None:
    s3 = statements(s3_endpoint_policy(ENVIRONMENT))
    assert s3["OwnAccount"]["Condition"]["StringEquals"] == {
        "aws:PrincipalAccount": "123456789012",
        "aws:ResourceAccount": "123456789012",
    }
    assert s3["ImageLayers"]["Resource"] == ["arn:aws:s3:::prod-eu-west-1-starport-layer-bucket/*"]
    dynamodb = statements(dynamodb_endpoint_policy(ENVIRONMENT))
    assert dynamodb["OwnAccount"]["Resource"] == ["arn:aws:dynamodb:eu-west-1:123456789012:table/*"]


def test_images_are_tidied_by_rules_of_different_priority() -> None:
    rules = json.loads(lifecycle_policy())["rules"]
    assert len({rule["rulePriority"] for rule in rules}) == len(rules)
    assert {rule["selection"]["tagStatus"] for rule in rules} == {"untagged", "any"}


@pytest.mark.parametrize(
    ("region", "name"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_a_region_has_a_partition(region: str, name: str) -> None:
    assert partition(region) == name
    assert arn({**ENVIRONMENT, "region": region}, "sqs", "q") == f"arn:{name}:sqs:{region}:123456789012:q"
