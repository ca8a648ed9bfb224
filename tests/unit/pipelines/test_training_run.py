"""Finding, repeating and giving up on jobs; what a job really does is for the tests with a deployed platform."""

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipelines import aws as clients
from pipelines.training import job as jobs
from pipelines.training import run
from stacks.outputs import PlatformOutputs
from tests.support.outputs import JOB

MODEL = "s3://mlp-test-artifacts/training/output/job/output/model.tar.gz"


class Jobs:
    """SageMaker and S3 as far as a run asks them. `ends` says how each job ends that is created, in order."""

    def __init__(self, *ends: str) -> None:
        self._ends = list(ends)
        self.known: dict[str, dict[str, Any]] = {}
        self.model_exists = True

    def create_training_job(self, *, TrainingJobName: str, **request: Any) -> None:  # noqa: N803 - AWS's name
        self.known[TrainingJobName] = {
            "TrainingJobName": TrainingJobName,
            "TrainingJobStatus": self._ends.pop(0),
            "FailureReason": "AlgorithmError: out of memory",
            "ModelArtifacts": {"S3ModelArtifacts": MODEL},
            **request,
        }

    def describe_training_job(self, *, TrainingJobName: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        if TrainingJobName not in self.known:
            answer: Any = {"Error": {"Code": "ValidationException", "Message": "Requested resource not found."}}
            raise ClientError(answer, "DescribeTrainingJob")
        return self.known[TrainingJobName]

    def head_object(self, **_object: str) -> None:
        if not self.model_exists:
            raise ClientError({"Error": {"Code": "404"}}, "HeadObject")

    def describe_log_streams(self, **_group: str) -> dict[str, Any]:
        return {"logStreams": [{"logStreamName": "job/algo-1"}]}

    def get_log_events(self, **request: str) -> dict[str, Any]:
        events = [] if request.get("nextToken") else [{"message": "one line\n"}, {"message": "MemoryError\n"}]
        return {"events": events, "nextForwardToken": "end"}


def _jobs(monkeypatch: pytest.MonkeyPatch, *ends: str) -> Jobs:
    made = Jobs(*ends)
    for client in ("sagemaker", "s3", "logs"):
        monkeypatch.setattr(clients, client, lambda: made)
    return made


def _name(outputs: PlatformOutputs, attempt: int = 1) -> str:
    return jobs.name(jobs.platform_training(outputs), JOB, jobs.request(outputs, JOB), attempt)


def test_the_same_job_is_found_and_not_trained_again(outputs: PlatformOutputs, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _jobs(monkeypatch, "Completed")
    first, second = run.train(outputs, JOB), run.train(outputs, JOB)
    assert (first.found, second.found) == (False, True)
    assert list(made.known) == [_name(outputs)]
    assert second == replace(first, found=True)


def test_a_failed_job_tells_its_reason_and_last_lines(
    outputs: PlatformOutputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    _jobs(monkeypatch, "Failed")
    with pytest.raises(run.TrainingError, match=r"ended as Failed: AlgorithmError: out of memory") as failure:
        run.train(outputs, JOB)
    assert str(failure.value).endswith("its last lines:\n  one line\n  MemoryError")


def test_a_failed_job_is_tried_again_under_the_next_name(
    outputs: PlatformOutputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _jobs(monkeypatch, "Failed", "Completed")
    with pytest.raises(run.TrainingError):
        run.train(outputs, JOB)
    assert run.train(outputs, JOB).job_name == _name(outputs, 2)
    assert run.train(outputs, JOB).found
    assert list(made.known) == [_name(outputs), _name(outputs, 2)]


def test_a_job_whose_model_is_gone_is_trained_again(outputs: PlatformOutputs, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _jobs(monkeypatch, "Completed", "Completed")
    run.train(outputs, JOB)
    made.model_exists = False
    assert run.train(outputs, JOB).job_name == _name(outputs, 2)


def test_attempts_have_an_end(outputs: PlatformOutputs, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _jobs(monkeypatch, *["Failed"] * run.MOST_ATTEMPTS)
    for _ in range(run.MOST_ATTEMPTS):
        with pytest.raises(run.TrainingError, match="ended as Failed"):
            run.train(outputs, JOB)
    with pytest.raises(run.TrainingError, match="failed 20 times; change the code, the data or the profile"):
        run.train(outputs, JOB)
    assert len(made.known) == run.MOST_ATTEMPTS
