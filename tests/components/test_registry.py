import json
from typing import Any, cast

import pytest

from components.errors import ArgumentError
from components.example import ARTIFACTS, ENVIRONMENT, KEY, NETWORK, image
from components.registry import Registry, RegistryArgs
from components.registry.example import example
from tests.support.graph import Graph, record

CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/0"


def registry(**changes: object) -> Graph:
    args: dict[str, Any] = {
        "environment": ENVIRONMENT,
        "network": NETWORK,
        "artifacts": ARTIFACTS,
        "image": image("registry-server"),
        "logs_key_arn": KEY,
        "access_logs_bucket": "logs",
        "access_logs_prefix": "load-balancers",
    }
    return record(lambda: Registry("registry", cast("RegistryArgs", args | changes)))


def container(graph: Graph) -> dict[str, Any]:
    (found,) = json.loads(graph.named("registry-task").inputs["containerDefinitions"])
    return found


def test_the_registry_is_made_of_exactly_these() -> None:
    ingress = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    egress = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    assert record(example).children() == {
        ("aws:rds/instance:Instance", "registry-database-instance"),
        ("aws:rds/subnetGroup:SubnetGroup", "registry-database-subnets"),
        ("aws:rds/parameterGroup:ParameterGroup", "registry-database-parameters"),
        ("aws:iam/role:Role", "registry-database-monitoring-role"),
        ("aws:iam/rolePolicy:RolePolicy", "registry-database-monitoring-policy"),
        ("aws:cloudwatch/logGroup:LogGroup", "registry-database-postgresql-logs"),
        ("aws:cloudwatch/logGroup:LogGroup", "registry-database-upgrade-logs"),
        ("aws:ec2/securityGroup:SecurityGroup", "registry-database-access-group"),
        ("aws:lb/loadBalancer:LoadBalancer", "registry-balancer-alb"),
        ("aws:lb/targetGroup:TargetGroup", "registry-balancer-tasks"),
        ("aws:lb/listener:Listener", "registry-balancer-listener"),
        ("aws:ec2/securityGroup:SecurityGroup", "registry-balancer-access-group"),
        (ingress, "registry-balancer-access-from-vpc"),
        ("aws:ec2/securityGroup:SecurityGroup", "registry-server-group"),
        (egress, "registry-balancer-to-server"),
        (ingress, "registry-server-from-balancer"),
        (egress, "registry-server-to-database"),
        (ingress, "registry-database-from-server"),
        (egress, "registry-server-to-endpoints"),
        (egress, "registry-server-to-s3"),
        ("aws:ecs/cluster:Cluster", "registry-cluster"),
        ("aws:cloudwatch/logGroup:LogGroup", "registry-server-logs"),
        ("aws:iam/role:Role", "registry-task-role"),
        ("aws:iam/rolePolicy:RolePolicy", "registry-task-policy"),
        ("aws:iam/role:Role", "registry-start-role"),
        ("aws:iam/rolePolicy:RolePolicy", "registry-start-policy"),
        ("aws:ecs/taskDefinition:TaskDefinition", "registry-task"),
        ("aws:ecs/service:Service", "registry-service"),
        ("aws:sagemaker/modelPackageGroup:ModelPackageGroup", "registry-models"),
    }


def test_the_password_is_a_reference_and_never_a_value() -> None:
    graph = registry()
    made = container(graph)
    assert made["secrets"] == [
        {
            "name": "DATABASE_PASSWORD",
            "valueFrom": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1234:password::",
        }
    ]
    assert not any("PASSWORD" in each["name"] for each in made["environment"])
    database = graph.named("registry-database-instance").inputs
    assert database["manageMasterUserPassword"] is True
    assert "password" not in database


def test_the_container_cannot_write_or_rise() -> None:
    made = container(registry())
    assert made["readonlyRootFilesystem"] is True
    assert made["user"] == "10001"
    assert made["privileged"] is False
    assert made["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}
    assert made["mountPoints"] == [{"sourceVolume": "tmp", "containerPath": "/tmp", "readOnly": False}]  # noqa: S108 - the volume's path in the container


def test_with_a_certificate_only_tls_is_served() -> None:
    graph = registry(certificate_arn=CERTIFICATE, hostname="mlflow.example.com")
    listener = graph.named("registry-balancer-listener").inputs
    assert (listener["protocol"], listener["port"], listener["certificateArn"]) == ("HTTPS", 443, CERTIFICATE)
    assert listener["sslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"
    assert {"name": "ALLOWED_HOSTS", "value": "mlflow.example.com"} in container(graph)["environment"]


def test_without_a_certificate_plain_http_is_served_on_the_servers_own_port() -> None:
    graph = registry()
    listener = graph.named("registry-balancer-listener").inputs
    assert (listener["protocol"], listener["port"]) == ("HTTP", 5000)
    assert graph.named("registry-balancer-access-from-vpc").inputs["fromPort"] == 5000


def test_by_default_nothing_of_value_can_be_deleted() -> None:
    graph = registry()
    database = graph.named("registry-database-instance")
    assert database.protect
    assert database.inputs["deletionProtection"] is True
    assert database.inputs["skipFinalSnapshot"] is False
    assert database.inputs["multiAz"] is True
    assert graph.named("registry-balancer-alb").inputs["enableDeletionProtection"] is True
    assert graph.named("registry-models").protect


def test_a_disposable_registry_goes_whole() -> None:
    graph = registry(disposable=True)
    database = graph.named("registry-database-instance")
    assert not database.protect
    assert database.inputs["deletionProtection"] is False
    assert database.inputs["skipFinalSnapshot"] is True
    assert not any(each.protect for each in graph.resources)


@pytest.mark.parametrize(("required", "value", "mode"), [(True, "1", "require"), (False, "0", None)])
def test_the_database_refuses_plain_connections_unless_told(required: bool, value: str, mode: str | None) -> None:
    graph = registry(database={"require_tls": required})
    parameters = {
        each["name"]: each["value"] for each in graph.named("registry-database-parameters").inputs["parameters"]
    }
    assert parameters["rds.force_ssl"] == value
    environment = {each["name"]: each["value"] for each in container(graph)["environment"]}
    assert environment.get("PGSSLMODE") == mode


def test_only_the_server_reaches_the_database() -> None:
    graph = registry()
    group = "registry-database-access-group-id"
    rules = [
        each
        for each in graph.of_type("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
        if each.inputs["securityGroupId"] == group
    ]
    (rule,) = rules
    assert rule.inputs["referencedSecurityGroupId"] == "registry-server-group-id"
    assert rule.inputs["fromPort"] == rule.inputs["toPort"] == graph.named("registry-database-instance").inputs["port"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"cpu": 100},
            "cpu: must be one of 256, 512, 1024, 2048, 4096, 8192, 16384 units, got 100; leave it out for 1024",
        ),
        (
            {"cpu": 256, "memory_mib": 4096},
            "memory_mib: must be one of 512, 1024, 2048 with 256 units of CPU, got 4096",
        ),
        ({"tasks": 0}, "tasks: must be between 1 and 20, got 0"),
        ({"database": {"backup_days": 0}}, "database.backup_days: must be between 1 and 35, got 0"),
        ({"database": {"port": 80}}, "database.port: must be between 1150 and 65535, got 80"),
    ],
)
def test_bad_arguments_are_named_by_their_path(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ArgumentError) as raised:
        registry(**changes)
    assert sentence in str(raised.value)


def test_names_leave_room_for_autonaming_within_a_load_balancers_budget() -> None:
    graph = registry()
    for token in ("aws:lb/loadBalancer:LoadBalancer", "aws:lb/targetGroup:TargetGroup"):
        assert all(len(each.name) + len("-1234567") <= 32 for each in graph.of_type(token))
