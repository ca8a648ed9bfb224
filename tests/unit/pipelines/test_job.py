from dataclasses import replace
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from pipelines.errors import PipelineError
from pipelines.training.job import Job, content, name, platform_training, request
from stacks.outputs import PlatformOutputs
from tests.support.outputs import JOB


def _name(outputs: PlatformOutputs, job: Job, attempt: int = 1) -> str:
    return name(platform_training(outputs), job, request(outputs, job), attempt)


@pytest.mark.parametrize("profile", ["default", "spot"])
def test_a_request_is_one_that_sagemaker_knows(outputs: PlatformOutputs, profile: str) -> None:
    job = replace(JOB, profile=profile)
    document = {"TrainingJobName": _name(outputs, job), **request(outputs, job)}
    model: Any = botocore.session.get_session().get_service_model("sagemaker")
    report = ParamValidator().validate(document, model.operation_model("CreateTrainingJob").input_shape)
    assert report.generate_report() == ""


def test_the_platform_decides_isolation_network_and_encryption(outputs: PlatformOutputs) -> None:
    document = request(outputs, JOB)
    training = platform_training(outputs)
    assert document["EnableNetworkIsolation"]
    assert document["EnableInterContainerTrafficEncryption"]
    assert document["OutputDataConfig"]["KmsKeyId"] == training.key_arn
    assert document["ResourceConfig"]["VolumeKmsKeyId"] == training.profiles["default"].volume_key_arn
    assert document["VpcConfig"] == {"SecurityGroupIds": training.security_group_ids, "Subnets": training.subnet_ids}
    assert "EnableManagedSpotTraining" not in document


def test_spot_has_checkpoints_and_a_wait_and_takes_no_volume_key_where_storage_encrypts_itself(
    outputs: PlatformOutputs,
) -> None:
    document = request(outputs, replace(JOB, profile="spot"))
    assert document["EnableManagedSpotTraining"]
    assert document["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200}
    assert document["CheckpointConfig"]["S3Uri"].startswith("s3://mlp-test-artifacts/training/checkpoints/toy/")
    assert "VolumeKmsKeyId" not in document["ResourceConfig"]


def test_checkpoints_of_one_job_are_not_those_of_another(outputs: PlatformOutputs) -> None:
    one = request(outputs, replace(JOB, profile="spot"))
    other = request(outputs, replace(JOB, profile="spot", hyperparameters={"depth": "4"}))
    assert one["CheckpointConfig"] != other["CheckpointConfig"]


def test_the_same_work_has_the_same_name_and_any_other_work_another(outputs: PlatformOutputs) -> None:
    others = [
        replace(JOB, code_uri="s3://mlp-test-artifacts/code/toy/4567/"),
        replace(JOB, channels={**JOB.channels, "train": "s3://mlp-test-lake/training/toy/v2/train/"}),
        replace(JOB, hyperparameters={"depth": "4"}),
        replace(JOB, program="other.py"),
        replace(JOB, profile="spot"),
    ]
    names = {_name(outputs, job) for job in [JOB, *others]}
    assert len(names) == 1 + len(others)
    assert _name(outputs, replace(JOB)) == _name(outputs, JOB)
    assert all(each.startswith("mlp-test-toy-") for each in names)


def test_a_new_image_is_new_work(outputs: PlatformOutputs) -> None:
    training = platform_training(outputs)
    image = training.image.model_copy(update={"uri": training.image.uri + "1"})
    other = outputs.model_copy(update={"training": training.model_copy(update={"image": image})})
    assert content(request(other, JOB)) != content(request(outputs, JOB))


def test_another_attempt_has_a_name_of_its_own(outputs: PlatformOutputs) -> None:
    assert _name(outputs, JOB, 2) == _name(outputs, JOB) + "-2"


def test_a_workload_whose_name_does_not_fit_is_told_how_long_it_may_be(outputs: PlatformOutputs) -> None:
    with pytest.raises(PipelineError, match="a name of at most 37"):
        _name(outputs, replace(JOB, workload="w" * 38))
    assert len(_name(outputs, replace(JOB, workload="w" * 37))) == 63


def test_an_unknown_profile_names_those_there_are(outputs: PlatformOutputs) -> None:
    with pytest.raises(PipelineError, match="no training profile gpu; the platform has default, spot"):
        request(outputs, replace(JOB, profile="gpu"))


def test_a_platform_without_training_says_what_to_add(outputs: PlatformOutputs) -> None:
    with pytest.raises(PipelineError, match="add `mlp:training`"):
        request(outputs.model_copy(update={"training": None}), JOB)
