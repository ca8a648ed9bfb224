"""One embedded AWS for all tests of this folder that do not kill it."""

import contextlib
import json
import socket
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest
from botocore.config import Config

from infra.local import server

TINY = "tests/support/images/tiny"
ROLE = "arn:aws:iam::123456789012:role/any"
T = TypeVar("T")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition: Callable[[], T | None], seconds: float = 30.0, what: str = "condition") -> T:
    """The first truthy answer, asked for again and again; an assertion error after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = condition()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come true within {seconds} s")


class Cloud:
    """Clients of one embedded AWS, and the image of the tests in its ECR."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.cloud = server.start(home, f"http://127.0.0.1:{free_port()}")
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        if service not in self._clients:
            session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=server.REGION)
            self._clients[service] = session.client(  # pyright: ignore[reportCallIssue, reportUnknownMemberType] - the service's name is not a literal here
                service,  # pyright: ignore[reportArgumentType] - as above
                endpoint_url=self.cloud.endpoint,
                config=Config(retries={"total_max_attempts": 1}, read_timeout=70),
            )
        return self._clients[service]

    def image(self, folder: str = TINY, tag: str = "one", repository: str = "tiny") -> str:
        ecr = self.client("ecr")
        with contextlib.suppress(ecr.exceptions.RepositoryAlreadyExistsException):
            ecr.create_repository(repositoryName=repository)
        manifest: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.empty.v1+json",
                "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
                "size": 2,
            },
            "layers": [],
            "annotations": {"mlp.image.folder": folder},
        }
        with contextlib.suppress(ecr.exceptions.ImageAlreadyExistsException):
            ecr.put_image(repositoryName=repository, imageManifest=json.dumps(manifest), imageTag=tag)
        return f"123456789012.dkr.ecr.{server.REGION}.amazonaws.com/{repository}:{tag}"

    def bucket(self, name: str) -> str:
        s3 = self.client("s3")
        if name not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
            s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": server.REGION})
        return name


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Generator[Cloud]:
    home = tmp_path_factory.mktemp("home")
    started = Cloud(home)
    yield started
    server.stop(home)


@pytest.fixture(scope="session")
def subnets(cloud: Cloud) -> list[str]:
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    zones = zip("ab", ("10.9.1.0/24", "10.9.2.0/24"), strict=True)
    return [
        ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=f"{server.REGION}{zone}")["Subnet"]["SubnetId"]
        for zone, block in zones
    ]


@pytest.fixture(scope="session")
def cluster(cloud: Cloud) -> str:
    cloud.client("ecs").create_cluster(clusterName="main")
    return "main"
