import json
import os
import signal
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.local import server
from tests.local.cloud.conftest import ROLE, Cloud, until

pytestmark = pytest.mark.local


def network(subnets: list[str]) -> dict[str, Any]:
    return {"awsvpcConfiguration": {"subnets": subnets, "securityGroups": [], "assignPublicIp": "DISABLED"}}


def define(cloud: Cloud, family: str, image: str, **container: Any) -> str:
    definition = {
        "name": "web",
        "image": image,
        "command": ["task"],
        "portMappings": [{"containerPort": 5000}],
        "stopTimeout": 2,
        "environment": [{"name": "GREETING", "value": "hello"}],
    }
    answer = cloud.client("ecs").register_task_definition(
        family=family,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        executionRoleArn=ROLE,
        containerDefinitions=[{**definition, **container}],
    )
    return answer["taskDefinition"]["taskDefinitionArn"]


def described(cloud: Cloud, name: str) -> dict[str, Any]:
    return cloud.client("ecs").describe_services(cluster="main", services=[name])["services"][0]


def steady(cloud: Cloud, name: str, count: int) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        service = described(cloud, name)
        there = (
            service["runningCount"] == count
            and len(service["deployments"]) == 1
            and service["deployments"][0]["rolloutState"] == "COMPLETED"
        )
        return service if there else None

    return until(look, 30.0, f"{name} to be steady")


def balancer(cloud: Cloud, name: str, subnets: list[str], port: int = 5080) -> tuple[str, str]:
    elb = cloud.client("elbv2")
    vpc = cloud.client("ec2").describe_subnets(SubnetIds=subnets)["Subnets"][0]["VpcId"]
    made = elb.create_load_balancer(Name=name, Subnets=subnets, Scheme="internal")["LoadBalancers"][0]
    group = elb.create_target_group(
        Name=name,
        Protocol="HTTP",
        Port=5000,
        VpcId=vpc,
        TargetType="ip",
        HealthCheckPath="/health",
        HealthCheckIntervalSeconds=5,
    )["TargetGroups"][0]["TargetGroupArn"]
    elb.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"],
        Protocol="HTTP",
        Port=port,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    return f"http://{made['DNSName']}:{port}", group


def get(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - an address of our own
        return json.load(answer)


def test_a_service_runs_behind_its_load_balancer_heals_rolls_and_goes(
    cloud: Cloud, subnets: list[str], cluster: str
) -> None:
    ecs, elb = cloud.client("ecs"), cloud.client("elbv2")
    cloud.client("logs").create_log_group(logGroupName="/web")
    secret = cloud.client("secretsmanager").create_secret(Name="web", SecretString='{"password": "only-for-tests"}')[
        "ARN"
    ]
    cloud.client("ssm").put_parameter(Name="/web/color", Value="green", Type="SecureString")
    url, group = balancer(cloud, "web", subnets)
    with pytest.raises(urllib.error.HTTPError, match="503"):
        get(f"{url}/environment")
    definition = define(
        cloud,
        "web",
        cloud.image(),
        secrets=[
            {"name": "PASSWORD", "valueFrom": f"{secret}:password::"},
            {"name": "COLOR", "valueFrom": "/web/color"},
        ],
        logConfiguration={
            "logDriver": "awslogs",
            "options": {"awslogs-group": "/web", "awslogs-region": server.REGION, "awslogs-stream-prefix": "s"},
        },
    )
    ecs.create_service(
        cluster=cluster,
        serviceName="web",
        taskDefinition=definition,
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration=network(subnets),
        loadBalancers=[{"targetGroupArn": group, "containerName": "web", "containerPort": 5000}],
        deploymentConfiguration={
            "maximumPercent": 200,
            "minimumHealthyPercent": 100,
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        },
    )
    service = steady(cloud, "web", 1)
    assert service["deploymentConfiguration"]["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}

    first = get(f"{url}/environment")
    environment = first["environment"]
    assert (environment["GREETING"], environment["PASSWORD"], environment["COLOR"]) == (
        "hello",
        "only-for-tests",
        "green",
    )
    assert environment["AWS_ENDPOINT_URL"] == cloud.cloud.endpoint
    [task] = ecs.describe_tasks(cluster=cluster, tasks=ecs.list_tasks(cluster=cluster, serviceName="web")["taskArns"])[
        "tasks"
    ]
    assert task["lastStatus"] == "RUNNING"
    [stream] = cloud.client("logs").describe_log_streams(logGroupName="/web")["logStreams"]
    assert stream["logStreamName"] == f"s/web/{task['taskArn'].rpartition('/')[2]}"
    [health] = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert health["TargetHealth"]["State"] == "healthy"
    assert health["Target"]["Id"] in {item["value"] for item in task["attachments"][0]["details"]}

    os.kill(first["pid"], signal.SIGKILL)
    until(lambda: described(cloud, "web")["deployments"][0]["failedTasks"] == 1, what="the death to be noticed")
    steady(cloud, "web", 1)
    second = until(lambda: _maybe(f"{url}/environment"), what="the new task to answer")
    assert second["pid"] != first["pid"]
    stopped = ecs.describe_tasks(cluster=cluster, tasks=[task["taskArn"]])["tasks"][0]
    assert (stopped["lastStatus"], stopped["stopCode"], stopped["containers"][0]["exitCode"]) == (
        "STOPPED",
        "EssentialContainerExited",
        137,
    )

    ecs.update_service(
        cluster=cluster,
        service="web",
        taskDefinition=define(cloud, "web", cloud.image(), environment=[{"name": "GREETING", "value": "again"}]),
    )
    steady(cloud, "web", 1)
    assert get(f"{url}/environment")["environment"]["GREETING"] == "again"
    assert "has reached a steady state." in described(cloud, "web")["events"][0]["message"]

    with pytest.raises(ClientError, match="cannot be deleted while Services are active"):
        ecs.delete_cluster(cluster=cluster)
    ecs.update_service(cluster=cluster, service="web", desiredCount=0)
    ecs.delete_service(cluster=cluster, service="web")
    until(lambda: described(cloud, "web")["status"] == "INACTIVE", what="the service to be inactive")
    assert not [row for row in server.services(cloud.home) if row.name.startswith("web-")]
    assert elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"] == []


def _maybe(url: str) -> dict[str, Any] | None:
    try:
        return get(url)
    except (urllib.error.URLError, ConnectionError):
        return None


def test_a_service_whose_image_is_missing_keeps_trying_until_it_is_there(
    cloud: Cloud, subnets: list[str], cluster: str
) -> None:
    cloud.image()
    uri = f"123456789012.dkr.ecr.{server.REGION}.amazonaws.com/tiny:late"
    cloud.client("ecs").create_service(
        cluster=cluster,
        serviceName="late",
        taskDefinition=define(cloud, "late", uri),
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration=network(subnets),
    )
    until(
        lambda: any("CannotPullContainerError" in event["message"] for event in described(cloud, "late")["events"]),
        what="the pull to fail",
    )

    cloud.image(tag="late")

    steady(cloud, "late", 1)
    cloud.client("ecs").delete_service(cluster=cluster, service="late", force=True)
    until(lambda: described(cloud, "late")["status"] == "INACTIVE", what="the service to be inactive")
