import io
import tarfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.local import server
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


def test_a_program_that_raises_fails_its_job_with_reason_exit_code_and_log(cloud: Cloud) -> None:
    create(cloud, "raising", hyperparameters={"raise": "no such column"})

    job = ended(cloud, "raising")

    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed")
    assert job["FailureReason"] == "AlgorithmError: ValueError: no such column, exit code: 3"
    assert "ModelArtifacts" not in job
    assert "Traceback: ValueError: no such column" in log_lines(cloud, "/aws/sagemaker/TrainingJobs", "raising/")


def test_a_job_without_data_or_image_fails_and_says_where_it_looked(cloud: Cloud) -> None:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://training/nothing-here/"}}
    create(cloud, "dataless", InputDataConfig=[{"ChannelName": "train", "DataSource": source}])
    image = cloud.image().replace(":one", ":absent")
    create(cloud, "imageless", AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"})

    assert 'No S3 objects found under S3 URL "s3://training/nothing-here/"' in ended(cloud, "dataless")["FailureReason"]
    assert "Cannot pull algorithm container" in ended(cloud, "imageless")["FailureReason"]


def test_stopping_a_job_ends_its_program_and_keeps_what_it_saved(cloud: Cloud) -> None:
    create(cloud, "stopped", hyperparameters={"sleep": "60"})
    sagemaker = cloud.client("sagemaker")
    until(
        lambda: sagemaker.describe_training_job(TrainingJobName="stopped")["SecondaryStatus"] == "Training",
        what="training",
    )
    until(lambda: log_lines(cloud, "/aws/sagemaker/TrainingJobs", "stopped/"), what="the program to run")

    sagemaker.stop_training_job(TrainingJobName="stopped")
    job = ended(cloud, "stopped")

    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert unpacked(cloud, job["ModelArtifacts"]["S3ModelArtifacts"]) == {"stopped.txt": b"saved on SIGTERM"}
    assert not [row for row in server.services(cloud.home) if row.name == "training-stopped"]
    with pytest.raises(ClientError, match="is in status Stopped"):
        sagemaker.stop_training_job(TrainingJobName="stopped")


def test_a_job_over_its_time_is_stopped(cloud: Cloud) -> None:
    create(cloud, "slow", hyperparameters={"sleep": "60"}, StoppingCondition={"MaxRuntimeInSeconds": 1})

    job = ended(cloud, "slow")

    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_a_spot_job_resumes_from_the_checkpoints_of_another(cloud: Cloud) -> None:
    spot: dict[str, Any] = {
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 120},
        "CheckpointConfig": {"S3Uri": "s3://training/checkpoints/shared"},
    }
    create(cloud, "spot-1", **spot)
    first = ended(cloud, "spot-1")
    create(cloud, "spot-2", **spot)
    ended(cloud, "spot-2")

    assert first["EnableManagedSpotTraining"]
    assert first["BillableTimeInSeconds"] <= first["TrainingTimeInSeconds"]
    assert "resumed at 1" in log_lines(cloud, "/aws/sagemaker/TrainingJobs", "spot-2/")
    assert cloud.client("s3").get_object(Bucket="training", Key="checkpoints/shared/step.txt")["Body"].read() == b"2"


def test_what_cannot_be_done_here_is_refused_when_asked_for(cloud: Cloud) -> None:
    with pytest.raises(ClientError, match="MaxWaitTimeInSeconds"):
        create(cloud, "refused", EnableManagedSpotTraining=True)
    with pytest.raises(ClientError, match="InstanceCount must be 1"):
        create(
            cloud, "refused", ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}
        )
    with pytest.raises(
        ClientError, match="CreateProcessingJob is not written for the embedded AWS: run a training job"
    ):
        cloud.client("sagemaker").create_processing_job(
            ProcessingJobName="p",
            ProcessingResources={
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
            AppSpecification={"ImageUri": "x"},
            RoleArn=ROLE,
        )
    with pytest.raises(ClientError, match="update_domain"):
        cloud.client("sagemaker").update_domain(DomainId="d-abcdefghijkl")
    with pytest.raises(ClientError, match="not written for the embedded AWS"):
        cloud.client("rds").create_db_cluster(DBClusterIdentifier="c", Engine="aurora-postgresql")
    create(cloud, "unique")
    with pytest.raises(ClientError, match="Training job names must be unique"):
        create(cloud, "unique")


def test_jobs_are_listed_by_name_status_and_time(cloud: Cloud) -> None:
    for name in ("listed-a", "listed-b"):
        create(cloud, name)
        ended(cloud, name)
    sagemaker = cloud.client("sagemaker")

    found = sagemaker.list_training_jobs(
        NameContains="listed-", StatusEquals="Completed", SortBy="CreationTime", SortOrder="Descending", MaxResults=1
    )
    rest = sagemaker.list_training_jobs(
        NameContains="listed-", StatusEquals="Completed", MaxResults=1, NextToken=found["NextToken"]
    )

    assert [job["TrainingJobName"] for job in found["TrainingJobSummaries"] + rest["TrainingJobSummaries"]] == [
        "listed-b",
        "listed-a",
    ]
    arn = found["TrainingJobSummaries"][0]["TrainingJobArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}])
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "2"}])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "2"}]
