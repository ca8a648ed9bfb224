import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from infra.local import server
from infra.local.errors import LocalError
from infra.local.runtime import marks, scratch
from tests.local.cloud.conftest import Cloud, free_port, until
from tests.local.cloud.test_endpoints import endpoint, invoke, model
from tests.local.cloud.test_rds import instance
from tests.local.cloud.test_training import create

pytestmark = pytest.mark.local


def everything_of(home: Path) -> list[psutil.Process]:
    """Our processes by their mark, and the guard by its argument."""
    cloud = home / "cloud"
    guards = [process for process in psutil.process_iter(["cmdline"]) if str(cloud) in (process.info["cmdline"] or [])]
    return marks.ours(cloud) + guards


def busy(home: Path) -> Cloud:
    """An embedded AWS with a database, an endpoint and a training job under way."""
    cloud = Cloud(home)
    model(cloud, "m", mean=1)
    endpoint(cloud, "e", {"m": 1.0})
    create(cloud, "j", hyperparameters={"sleep": "120"})
    instance(cloud, "d", MasterUserPassword="only-for-tests")
    assert {row.name.split("-")[0] for row in server.services(home)} == {"aws", "endpoint", "training", "rds"}
    return cloud


def test_stopping_leaves_no_process_port_or_folder(tmp_path: Path) -> None:
    cloud = busy(tmp_path)
    addresses = [
        row.address.rpartition(":")[::2] for row in server.services(tmp_path) if row.address and "//" not in row.address
    ]
    temporary = scratch.scratch(tmp_path / "cloud")

    assert server.stop(tmp_path)

    assert everything_of(tmp_path) == []
    assert server.status(tmp_path) is None
    for host, port in [*addresses, ("127.0.0.1", cloud.cloud.endpoint.rpartition(":")[2])]:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)), 1)
    assert not temporary.exists()
    assert not (tmp_path / "cloud" / "data").exists()
    assert not server.stop(tmp_path)


def test_a_killed_server_leaves_no_process_and_the_next_start_is_a_new_cloud(tmp_path: Path) -> None:
    cloud = busy(tmp_path)
    temporary = scratch.scratch(tmp_path / "cloud")

    os.kill(cloud.cloud.pid, signal.SIGKILL)

    until(lambda: not everything_of(tmp_path), what="every process to be gone")
    until(lambda: not temporary.exists(), what="the scratch folder to be gone")
    assert server.status(tmp_path) is None
    again = server.start(tmp_path, cloud.cloud.endpoint)
    assert again.cloud_id != cloud.cloud.cloud_id
    assert server.inventory(again.endpoint) == {}
    server.stop(tmp_path)


def test_a_server_killed_together_with_its_guard_is_cleaned_up_by_the_next_start(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    model(cloud, "m", mean=1)
    endpoint(cloud, "e", {"m": 1.0})
    [guard] = [process for process in everything_of(tmp_path) if "infra.local.runtime.guard" in process.cmdline()]

    guard.kill()
    os.kill(cloud.cloud.pid, signal.SIGKILL)
    psutil.wait_procs([guard], 5)
    assert marks.ours(tmp_path / "cloud"), "the model server should have survived both"

    server.start(tmp_path, f"http://127.0.0.1:{free_port()}")
    assert marks.ours(tmp_path / "cloud") == []
    server.stop(tmp_path)


def test_starting_twice_is_the_same_cloud_and_another_endpoint_is_refused(cloud: Cloud) -> None:
    found: list[server.Cloud] = []
    threads = [
        threading.Thread(target=lambda: found.append(server.start(cloud.home, cloud.cloud.endpoint))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {item.cloud_id for item in found} == {cloud.cloud.cloud_id}
    with pytest.raises(LocalError, match="already answers at"):
        server.start(cloud.home, f"http://127.0.0.1:{free_port()}")


def test_a_taken_port_names_its_holder(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(LocalError, match=rf"port {port} on 127.0.0.1 is taken .* by .*pid {os.getpid()}"):
            server.start(tmp_path, f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    "endpoint",
    ["http://0.0.0.0:4566", "https://127.0.0.1:4566", "http://sagemaker.eu-west-1.amazonaws.com", "http://127.0.0.1"],
)
def test_only_a_loopback_endpoint_is_served(tmp_path: Path, endpoint: str) -> None:
    with pytest.raises(LocalError, match="not allowed"):
        server.start(tmp_path, endpoint)


def test_a_full_disk_is_told_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def usage(_: Path) -> SimpleNamespace:
        return SimpleNamespace(free=1024 * 1024)

    monkeypatch.setattr("shutil.disk_usage", usage)
    with pytest.raises(LocalError, match=r"1 MiB are free .* at least 256 MiB are needed"):
        server.start(tmp_path, f"http://127.0.0.1:{free_port()}")


def test_the_inventory_lists_what_is_deployed_and_nothing_else(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    ec2, iam, kms = (cloud.client(name) for name in ("ec2", "iam", "kms"))
    ec2.describe_vpcs()
    assert server.inventory(cloud.cloud.endpoint) == {}
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    cloud.client("ssm").put_parameter(Name="/mlp/p", Value="v", Type="String")

    assert server.inventory(cloud.cloud.endpoint) == {
        "ec2": [f"vpc {vpc}"],
        "iam": ["role r"],
        "kms": [f"key {key}"],
        "ssm": ["parameter /mlp/p"],
    }
    ec2.delete_vpc(VpcId=vpc)
    iam.delete_role(RoleName="r")
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    cloud.client("ssm").delete_parameter(Name="/mlp/p")
    assert server.inventory(cloud.cloud.endpoint) == {}
    server.stop(tmp_path)


def test_logs_are_found_by_service_and_an_unknown_one_names_those_there_are(cloud: Cloud) -> None:
    assert server.log_path(cloud.home, "aws").is_file()
    with pytest.raises(LocalError, match=r"no log of a service 'nope'; logs there are: .*aws"):
        server.log_path(cloud.home, "nope")
    with pytest.raises(LocalError):
        server.log_path(cloud.home, "../server")


def test_connections_are_kept_open_and_large_objects_come_back_whole(cloud: Cloud, tmp_path: Path) -> None:
    bucket = cloud.bucket("large")
    body = os.urandom(9 * 1024 * 1024)
    blob = tmp_path / "blob"
    blob.write_bytes(body)
    cloud.client("s3").put_object(Bucket=bucket, Key="blob", Body=body, Metadata={"under_score": "kept"})
    cloud.client("s3").upload_file(str(blob), bucket, "multipart")

    found = cloud.client("s3").get_object(Bucket=bucket, Key="blob")
    assert (found["Body"].read() == body, found["Metadata"]) == (True, {"under_score": "kept"})
    assert (
        cloud.client("s3").get_object(Bucket=bucket, Key="multipart", Range="bytes=8388608-8388617")["Body"].read()
        == body[8388608:8388618]
    )
    pool: Any = cloud.client("s3")._endpoint.http_session._manager.connection_from_url(cloud.cloud.endpoint)
    assert pool.num_connections <= 2 + 10  # upload_file opens up to ten at once


def test_the_server_answers_while_a_model_is_invoked_from_another_process(cloud: Cloud) -> None:
    model(cloud, "shared", mean=1)
    endpoint(cloud, "shared", {"shared": 1.0})
    script = (
        "import boto3;c=boto3.client('sagemaker-runtime');"
        "print(c.invoke_endpoint(EndpointName='shared',Body=b'1',ContentType='text/csv')['Body'].read().decode())"
    )
    environment = {**os.environ, **server.environment(cloud.cloud)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "2.0"
    assert invoke(cloud, "shared")["Body"] == b"2.0"
