"""Shapes that rules of this kind are known to read wrongly."""

from typing import Any

import pytest

from policies.evaluation import evaluate
from policies.rules import ec2, ecs, elb, iam, rds, s3, sagemaker, secrets, security_groups
from tests.policies.cases._case import UNKNOWN, Entry, as_text, entry
from tests.policies.cases.ec2 import VPC
from tests.policies.cases.rds import INSTANCE
from tests.policies.cases.s3 import BUCKET, TLS_STATEMENT
from tests.policies.test_rules import verdict

NETWORK = {"enableNetworkIsolation": True, "enableInterContainerTrafficEncryption": True}


def one(control: str, token: str, **properties: Any) -> str:
    return verdict(control, as_text([entry(token, "it", **properties)]))


@pytest.mark.parametrize("control", ["SageMaker.14", "SageMaker.22"])
def test_a_schedules_network_configuration_counts_only_inside_its_job_definition(control: str) -> None:
    misplaced: dict[str, Any] = {"networkConfig": NETWORK, "monitoringJobDefinition": {"monitoringResources": {}}}

    assert one(control, sagemaker.MONITORING_SCHEDULE, monitoringScheduleConfig=misplaced) == "fails"


@pytest.mark.parametrize("control", ["SageMaker.14", "SageMaker.22"])
def test_a_schedule_that_names_a_job_definition_is_judged_there(control: str) -> None:
    named = {"monitoringJobDefinitionName": "data-quality", "monitoringType": "DataQuality"}

    assert one(control, sagemaker.MONITORING_SCHEDULE, monitoringScheduleConfig=named) == "passes"


@pytest.mark.parametrize("control", ["SageMaker.9", "SageMaker.11"])
def test_a_data_quality_job_of_one_instance_is_judged_like_any_other(control: str) -> None:
    one_instance = {"clusterConfig": {"instanceCount": 1}}

    assert one(control, sagemaker.DATA_QUALITY_JOB, jobResources=one_instance) == "fails"


def test_a_serverless_variant_has_no_instances_to_count() -> None:
    variants = [{"variantName": "a", "serverlessConfig": {"maxConcurrency": 5}}]

    assert one("SageMaker.4", sagemaker.ENDPOINT_CONFIGURATION, productionVariants=variants) == "passes"


def test_one_weak_variant_among_strong_ones_is_found() -> None:
    variants = [{"initialInstanceCount": 4}, {"initialInstanceCount": 1}, {"initialInstanceCount": 4}]

    assert one("SageMaker.4", sagemaker.ENDPOINT_CONFIGURATION, productionVariants=variants) == "fails"


def test_a_violation_beside_an_unknown_variant_is_a_violation() -> None:
    variants = [{"initialInstanceCount": 1}, {"initialInstanceCount": UNKNOWN}]

    assert one("SageMaker.4", sagemaker.ENDPOINT_CONFIGURATION, productionVariants=variants) == "fails"


@pytest.mark.parametrize("control", ["ECS.5", "ECS.9", "ECS.20"])
def test_every_container_of_a_task_is_judged(control: str) -> None:
    good = {
        "name": "main",
        "user": "1000",
        "readonlyRootFilesystem": True,
        "logConfiguration": {"logDriver": "awslogs"},
    }

    assert one(control, ecs.TASK_DEFINITION, containerDefinitions=[good, good]) == "passes"
    assert one(control, ecs.TASK_DEFINITION, containerDefinitions=[good, {"name": "sidecar"}]) == "fails"


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ({"name": "SECRET_ARN", "value": "arn:aws:secretsmanager:x"}, "passes"),
        ({"name": "TOKEN_TTL_SECONDS", "value": "60"}, "passes"),
        ({"name": "DATABASE_PASSWORD", "value": ""}, "passes"),
        ({"name": "TOKENIZER", "value": "bpe"}, "passes"),
        ({"name": "API_KEY", "value": "x"}, "fails"),
        ({"name": "mlflow_tracking_token", "value": "x"}, "fails"),
        ({"name": "ANYTHING", "value": "AKIAIOSFODNN7EXAMPLE"}, "fails"),
        ({"name": "ANYTHING", "value": "-----BEGIN RSA PRIVATE KEY-----"}, "fails"),
    ],
)
def test_plain_text_secrets_are_told_from_what_only_sounds_like_them(variable: dict[str, str], expected: str) -> None:
    containers = [{"name": "main", "environment": [variable]}]

    assert one("MLP.ECS.1", ecs.TASK_DEFINITION, containerDefinitions=containers) == expected


def test_secrets_handed_over_as_secrets_are_not_in_plain_text() -> None:
    containers = [{"name": "main", "secrets": [{"name": "DATABASE_PASSWORD", "valueFrom": "arn:aws:secretsmanager:x"}]}]

    assert one("MLP.ECS.1", ecs.TASK_DEFINITION, containerDefinitions=containers) == "passes"


def test_the_value_of_a_secret_is_not_repeated_in_a_finding() -> None:
    containers = [{"name": "main", "environment": [{"name": "API_KEY", "value": "hunter2"}]}]
    findings = evaluate(as_text([entry(ecs.TASK_DEFINITION, "it", containerDefinitions=containers)]))

    assert not [each for each in findings if "hunter2" in each.message]


def test_malformed_container_definitions_are_a_finding() -> None:
    assert verdict("ECS.4", [entry(ecs.TASK_DEFINITION, "it", containerDefinitions="[{")]) == "fails"


def _tls(*statements: dict[str, Any]) -> list[Entry]:
    return as_text([BUCKET, entry(s3.POLICY, "policy", bucket="lake", policy={"Statement": list(statements)})])


def test_a_tls_denial_for_objects_alone_leaves_the_bucket_open() -> None:
    only_objects = {**TLS_STATEMENT, "Resource": "arn:aws:s3:::lake/*"}

    assert verdict("S3.5", _tls(only_objects)) == "fails"


@pytest.mark.parametrize("value", ["false", ["false"], False])
def test_every_spelling_of_the_tls_condition_counts(value: object) -> None:
    statement: dict[str, Any] = {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": ["s3:*"],
        "Resource": "*",
        "Condition": {"Bool": {"AWS:SecureTransport": value}},
    }

    assert verdict(
        "S3.5", _tls({"Effect": "Allow", "Action": "s3:GetObject", "Principal": {"AWS": "1"}}, statement)
    ) == ("passes")


def test_a_companion_of_another_bucket_does_not_count() -> None:
    other = entry(s3.LOGGING, "logging", bucket="other", targetBucket="logs")

    assert verdict("S3.9", [BUCKET, other]) == "fails"


def test_every_action_but_one_lets_everybody_read() -> None:
    policy = {"Statement": {"Effect": "Allow", "Principal": "*", "NotAction": "s3:DeleteObject", "Resource": "*"}}

    assert one("S3.2", s3.POLICY, bucket="lake", policy=policy) == "fails"


def test_every_protocol_means_every_port_whatever_the_range_says() -> None:
    rule = {"ipProtocol": "-1", "fromPort": 0, "toPort": 0, "cidrIpv4": "0.0.0.0/0"}

    assert one("EC2.13", security_groups.INGRESS_RULE, **rule) == "fails"


def test_icmp_types_are_not_ports() -> None:
    rule = {"ipProtocol": "icmp", "fromPort": 8, "toPort": 22, "cidrIpv4": "0.0.0.0/0"}

    assert one("EC2.13", security_groups.INGRESS_RULE, **rule) == "passes"


def test_a_group_as_the_source_is_not_the_world() -> None:
    rule = {"ipProtocol": "tcp", "fromPort": 5432, "toPort": 5432, "referencedSecurityGroupId": "sg-1"}

    assert one("EC2.19", security_groups.INGRESS_RULE, **rule) == "passes"


def test_egress_rules_are_not_judged_as_ingress() -> None:
    rule = {"type": "egress", "protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": ["0.0.0.0/0"]}

    assert one("EC2.13", security_groups.GROUP_RULE, **rule) == "passes"


def test_a_flow_log_of_a_subnet_is_not_one_of_the_vpc() -> None:
    log = entry(ec2.FLOW_LOG, "log", subnetId="subnet-1", trafficType="ALL")

    assert verdict("EC2.6", [VPC, log]) == "fails"


def test_each_of_two_vpcs_needs_its_own_flow_log() -> None:
    second = entry(ec2.VPC, "second", id="vpc-2")
    log = entry(ec2.FLOW_LOG, "log", vpcId="vpc-1", trafficType="ALL")

    assert verdict("EC2.6", [VPC, second, log]) == "fails"


def test_an_endpoint_of_another_service_with_a_longer_name_does_not_count() -> None:
    endpoint = entry(
        ec2.VPC_ENDPOINT,
        "endpoint",
        vpcId="vpc-1",
        vpcEndpointType="Interface",
        serviceName="com.amazonaws.eu-west-1.ssmmessages",
    )

    assert verdict("EC2.57", [VPC, endpoint]) == "fails"


def test_a_read_replica_is_backed_up_at_its_source() -> None:
    assert one("RDS.11", rds.INSTANCE, engine="postgres", replicateSourceDb="main") == "passes"


def test_a_database_in_an_unknown_subnet_group_cannot_be_placed() -> None:
    instance = {**INSTANCE, "properties": {**INSTANCE["properties"], "dbSubnetGroupName": UNKNOWN}}
    group = entry(rds.SUBNET_GROUP, "group", name="private", subnetIds=["subnet-1"])

    assert verdict("RDS.46", [instance, group]) == "undecided"


def test_a_listener_that_redirects_and_forwards_does_not_only_redirect() -> None:
    actions = [{"type": "redirect", "redirect": {"protocol": "HTTPS"}}, {"type": "forward"}]

    assert one("ELB.1", elb.LISTENER, protocol="HTTP", defaultActions=actions) == "fails"


def test_a_network_load_balancer_has_no_headers_to_drop() -> None:
    assert one("ELB.4", elb.LOAD_BALANCER, loadBalancerType="network") == "passes"


@pytest.mark.parametrize(
    ("name", "type_", "expected"),
    [
        ("/mlp/prod/database/secret-arn", "String", "passes"),
        ("/mlp/prod/api-token", "String", "fails"),
        ("/mlp/prod/api-token", "SecureString", "passes"),
        ("/mlp/prod/outputs", "String", "passes"),
    ],
)
def test_parameters_that_hold_secrets_are_told_from_those_that_point_at_them(
    name: str, type_: str, expected: str
) -> None:
    assert one("MLP.SSM.1", secrets.PARAMETER, name=name, type=type_) == expected


def test_a_wildcard_inside_a_list_of_resources_is_found() -> None:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": ["arn:aws:s3:::lake/*", "*"]}

    assert one("MLP.IAM.4", iam.ROLE_POLICY, policy={"Statement": statement}) == "fails"


def test_a_denial_of_everything_is_no_grant() -> None:
    statement = {"Effect": "Deny", "Action": "*", "Resource": "*"}

    for control in ("MLP.IAM.1", "MLP.IAM.2", "MLP.IAM.4", "KMS.2"):
        assert one(control, iam.ROLE_POLICY, policy={"Statement": statement}) == "passes"


def test_a_namespace_condition_does_not_narrow_other_actions() -> None:
    statement = {
        "Effect": "Allow",
        "Action": ["cloudwatch:PutMetricData", "cloudwatch:DeleteAlarms"],
        "Resource": "*",
        "Condition": {"StringEquals": {"cloudwatch:namespace": "mlp"}},
    }

    assert one("MLP.IAM.4", iam.ROLE_POLICY, policy={"Statement": statement}) == "fails"
