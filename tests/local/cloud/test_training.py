import io
import tarfile
from typing import Any

import pytest

from tests.local.cloud.conftest import ROLE, Cloud, until

pytestmark = pytest.mark.local


def create(cloud: Cloud, name: str, *, hyperparameters: dict[str, str] | None = None, **more: Any) -> None:
    bucket = cloud.bucket("training")
    cloud.client("s3").put_object(Bucket=bucket, Key="data/train/numbers.txt", Body=b"1\n2\n6\n")
    request: dict[str, Any] = {
        "TrainingJobName": name,
        "AlgorithmSpecification": {
            "TrainingImage": cloud.image(),
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "mean", "Regex": r"mean=([0-9.]+)"}],
        },
        "RoleArn": ROLE,
        "HyperParameters": hyperparameters or {},
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/data/train"}},
            }
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "EnableNetworkIsolation": True,
    }
    cloud.client("sagemaker").create_training_job(**{**request, **more})


def ended(cloud: Cloud, name: str, seconds: float = 30.0) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        job = cloud.client("sagemaker").describe_training_job(TrainingJobName=name)
        return job if job["TrainingJobStatus"] in ("Completed", "Failed", "Stopped") else None

    return until(look, seconds, f"end of {name}")


def log_lines(cloud: Cloud, group: str, prefix: str) -> list[str]:
    logs = cloud.client("logs")
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=prefix)["logStreams"]
    return [
        event["message"]
        for stream in streams
        for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)[
            "events"
        ]
    ]


def unpacked(cloud: Cloud, uri: str) -> dict[str, bytes]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    content = cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # pyright: ignore[reportOptionalMemberAccess] - files only


def test_a_job_trains_on_its_channel_and_uploads_model_and_output(cloud: Cloud) -> None:
    create(cloud, "good", hyperparameters={"depth": "3"})
    assert cloud.client("sagemaker").describe_training_job(TrainingJobName="good")["TrainingJobStatus"] == "InProgress"

    job = ended(cloud, "good")

    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert [step["Status"] for step in job["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == "s3://training/models/good/output/model.tar.gz"
    assert b'"mean": 3.0, "depth": "3"' in unpacked(cloud, job["ModelArtifacts"]["S3ModelArtifacts"])["model.json"]
    assert unpacked(cloud, "s3://training/models/good/output/output.tar.gz") == {"report.txt": b"3.0"}
    assert {metric["MetricName"]: metric["Value"] for metric in job["FinalMetricDataList"]} == {"mean": 3.0}
    lines = log_lines(cloud, "/aws/sagemaker/TrainingJobs", "good/algo-1-")
    assert "seen=3 mean=3.000" in lines
    assert "endpoint visible: False" in lines, "an isolated job must not be told where services are"
