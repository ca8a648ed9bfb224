import io
import json
import tarfile
from typing import Any

import psutil
import pytest

from tests.local.cloud.conftest import ROLE, Cloud, until

pytestmark = pytest.mark.local


def model(cloud: Cloud, name: str, **content: Any) -> str:
    bucket = cloud.bucket("serving")
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        document = json.dumps(content).encode()
        info = tarfile.TarInfo("model.json")
        info.size = len(document)
        tar.addfile(info, io.BytesIO(document))
    cloud.client("s3").put_object(Bucket=bucket, Key=f"{name}/model.tar.gz", Body=raw.getvalue())
    cloud.client("sagemaker").create_model(
        ModelName=name,
        PrimaryContainer={"Image": cloud.image(), "ModelDataUrl": f"s3://{bucket}/{name}/model.tar.gz"},
        ExecutionRoleArn=ROLE,
    )
    return name


def config(cloud: Cloud, name: str, weights: dict[str, float], **more: Any) -> str:
    """A configuration whose variants carry the names of their models."""
    variants = [
        {
            "VariantName": variant,
            "ModelName": variant,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
            "InitialVariantWeight": weight,
        }
        for variant, weight in weights.items()
    ]
    cloud.client("sagemaker").create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants, **more)
    return name


def settled(cloud: Cloud, name: str, seconds: float = 30.0) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        endpoint = cloud.client("sagemaker").describe_endpoint(EndpointName=name)
        return endpoint if endpoint["EndpointStatus"] in ("InService", "Failed") else None

    return until(look, seconds, f"{name} to settle")


def endpoint(cloud: Cloud, name: str, weights: dict[str, float], **more: Any) -> None:
    config(cloud, f"{name}-1", weights, **more)
    cloud.client("sagemaker").create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-1")
    described = settled(cloud, name)
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")


def invoke(cloud: Cloud, name: str, body: bytes = b"1", **more: Any) -> dict[str, Any]:
    answer = cloud.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=name, Body=body, ContentType="text/csv", **more
    )
    return {**answer, "Body": answer["Body"].read()}


def processes(cloud: Cloud, part: str) -> list[psutil.Process]:
    from infra.local import server

    return [psutil.Process(row.pid) for row in server.services(cloud.home) if part in row.name]


def test_an_endpoint_answers_with_its_model_and_names_the_variant(cloud: Cloud) -> None:
    model(cloud, "answers", mean=10)
    endpoint(cloud, "answers", {"answers": 1.0})

    answer = invoke(cloud, "answers", b"2.5", CustomAttributes="trace=7")

    assert (answer["Body"], answer["ContentType"], answer["InvokedProductionVariant"], answer["CustomAttributes"]) == (
        b"12.5",
        "text/csv",
        "answers",
        "trace=7",
    )
