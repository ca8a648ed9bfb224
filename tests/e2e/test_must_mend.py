"""A deployed platform whose resources are changed behind its back, and whose secrets and lock are looked for."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

from tests.e2e.conftest import Deployment

pytestmark = [pytest.mark.local, pytest.mark.timeout(280), pytest.mark.xdist_group("platform")]

ROOT = Path(__file__).parents[2]
STARTED_WITHIN_SECONDS = 60


class Account:
    """What is really there, asked and changed without the engine."""

    def __init__(self, deployment: Deployment) -> None:
        self.outputs = deployment.outputs
        self._endpoint = deployment.environment["AWS_ENDPOINT_URL"]

    def client(self, service: str) -> Any:
        make: Callable[..., Any] = boto3.client  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - stubs of the services we use, not of all
        return make(service, endpoint_url=self._endpoint, region_name=self.outputs.region)


def sabotage(account: Account, ids: dict[str, str]) -> dict[str, str]:
    """Change resources of many services, found by their `ids`; what happened to which, by the program's names."""
    outputs = account.outputs
    assert outputs.registry is not None
    storage, registry = outputs.storage, outputs.registry
    account.client("s3").put_bucket_versioning(
        Bucket=storage.lake_bucket, VersioningConfiguration={"Status": "Suspended"}
    )
    account.client("s3").delete_bucket_policy(Bucket=storage.artifacts_bucket)
    account.client("logs").put_retention_policy(logGroupName="/aws/sagemaker/TrainingJobs", retentionInDays=1)
    account.client("kms").disable_key_rotation(KeyId=storage.lake_key_arn)
    account.client("ecr").put_image_tag_mutability(
        repositoryName=registry.image.repository, imageTagMutability="MUTABLE"
    )
    account.client("ecs").update_service(
        cluster=registry.cluster, service=registry.service, healthCheckGracePeriodSeconds=1
    )
    account.client("cloudwatch").delete_alarms(AlarmNames=["mlp-local-serving-champion-errors"])
    account.client("rds").modify_db_instance(
        DBInstanceIdentifier="mlp-local-registry", BackupRetentionPeriod=3, ApplyImmediately=True
    )
    account.client("elbv2").modify_target_group(
        TargetGroupArn=ids["registry-balancer-tasks"], HealthCheckIntervalSeconds=77
    )
    rule = ids["registry-database-from-server"]
    account.client("ec2").revoke_security_group_ingress(
        GroupId=ids["registry-database-access-group"], SecurityGroupRuleIds=[rule]
    )
    stranger = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    account.client("iam").update_assume_role_policy(
        RoleName=ids["training-execution-role"],
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [stranger]}),
    )
    account.client("ssm").put_parameter(Name="/mlp/local/outputs", Value="elsewhere", Type="String", Overwrite=True)
    return {
        "storage-lake-versioning": "update",
        "storage-artifacts-policy": "delete",
        "training-job-logs": "update",
        "keys-confidential": "update",
        "images-registry-server": "update",
        "outputs-pointer": "update",
        "registry-service": "update",
        "serving-champion-errors": "delete",
        "registry-database-instance": "update",
        "registry-balancer-tasks": "update",
        "registry-database-from-server": "delete",
        "training-execution-role": "update",
    }


def changed(document: str) -> dict[str, str]:
    """What happened to which resource, where something did."""
    resources = json.loads(document)["resources"]
    return {each["name"]: each["operation"] for each in resources if each["operation"] not in {"same", "refresh"}}


def test_what_changed_behind_its_back_is_found_by_refresh_and_mended_by_up(deployment: Deployment) -> None:
    clean = deployment.mlp("refresh", "--yes", "--json")
    assert changed(clean) == {}
    ids = {each["name"]: each["id"] for each in json.loads(clean)["resources"]}
    expected = sabotage(Account(deployment), ids)
    assert changed(deployment.mlp("refresh", "--yes", "--json")) == expected
    mended = {name: "create" if what == "delete" else what for name, what in expected.items()}
    assert changed(deployment.mlp("up", "--yes", "--json")) == mended
    assert changed(deployment.mlp("preview", "--json")) == {}
    assert changed(deployment.mlp("refresh", "--yes", "--json")) == {}


def begin(deployment: Deployment) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [str(Path(sys.executable).parent / "mlp"), "up", "--yes"],
        cwd=ROOT,
        env=deployment.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_of_two_deployments_at_once_one_wins_and_the_other_names_the_holder(deployment: Deployment) -> None:
    locks = Path(deployment.environment["MLP_HOME"]) / "state" / ".pulumi" / "locks"
    first = begin(deployment)
    try:
        deadline = time.monotonic() + STARTED_WITHIN_SECONDS
        while not list(locks.rglob("*.json")):
            assert first.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        first.send_signal(signal.SIGSTOP)
        second = begin(deployment)
        _, said = second.communicate(timeout=STARTED_WITHIN_SECONDS)
    finally:
        first.send_signal(signal.SIGCONT)
    _, progress = first.communicate(timeout=120)
    assert second.returncode == 1
    assert f"process {first.pid}" in said
    assert "Traceback" not in said
    assert first.returncode == 0, progress


def test_no_secret_is_in_state_logs_output_or_process_arguments(deployment: Deployment) -> None:
    home = Path(deployment.environment["MLP_HOME"])
    account = Account(deployment)
    database = account.client("rds").describe_db_instances()["DBInstances"][0]
    held = account.client("secretsmanager").get_secret_value(SecretId=database["MasterUserSecret"]["SecretArn"])
    secrets = [json.loads(held["SecretString"])["password"], (home / "passphrase").read_text()]
    assert all(len(secret) >= 16 for secret in secrets)

    shown = "".join(deployment.mlp(*verb, "--json") for verb in (("up", "--yes"), ("outputs",), ("local", "status")))
    arguments = "\n".join(of_home(home))
    assert "postgres" in arguments
    # The database keeps a hash of its password, and the passphrase's own file is its owner's alone.
    files = [
        path
        for path in home.rglob("*")
        if path.is_file() and path != home / "passphrase" and "site-packages" not in path.parts
    ]
    assert any(path.suffix == ".log" for path in files)
    assert home / "state" / ".pulumi" / "stacks" / "mlp" / "local.json" in files
    for secret in secrets:
        assert secret not in shown
        assert secret not in arguments
        assert [str(path) for path in files if secret.encode() in path.read_bytes()] == []


def of_home(home: Path) -> list[str]:
    """The arguments of every process that the embedded AWS of this home runs, itself among them."""
    found: list[str] = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("MLP_LOCAL_CLOUD") == str(home / "cloud"):
                found.append(" ".join(process.cmdline()))
        except (psutil.Error, OSError):
            continue
    return found
