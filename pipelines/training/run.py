"""Run a training job, or find the one that already did the same."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pipelines import aws
from pipelines.aws import is_missing, split_uri
from pipelines.errors import PipelineError
from pipelines.progress import Progress, silent, until
from pipelines.training import job as jobs
from stacks.outputs import PlatformOutputs

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
LAST_LINES = 15
# Queueing, starting an instance and uploading come on top of the time a job may run.
GRACE_SECONDS = 1800
MOST_ATTEMPTS = 20


class TrainingError(PipelineError):
    """The job failed; the text has its reason and its last log lines."""


@dataclass(frozen=True)
class Trained:
    """A completed job."""

    job_name: str
    image_uri: str
    model_uri: str
    """`s3://` address of the model archive."""
    seconds: float
    """Billable time, or the time it trained when AWS states none."""
    found: bool
    """Whether it had been trained before."""


def train(outputs: PlatformOutputs, job: jobs.Job, progress: Progress = silent) -> Trained:
    """Submit the job, unless one of the same content is done or under way, and follow it to its end.

    Raises TrainingError when it fails, is stopped, or outlives its limits.
    """
    document = jobs.request(outputs, job)
    training = jobs.platform_training(outputs)
    for attempt in range(1, MOST_ATTEMPTS + 1):
        name = jobs.name(training, job, document, attempt)
        known = describe(name)
        if known is None:
            progress("training", f"start {name} on {document['ResourceConfig']['InstanceType']}")
            aws.sagemaker().create_training_job(TrainingJobName=name, **document)
            return _completed(follow(name, progress), found=False)
        if known["TrainingJobStatus"] in ("InProgress", "Stopping"):
            progress("training", f"{name} is under way: follow it")
            known = follow(name, progress)
        if known["TrainingJobStatus"] == "Completed" and _has_model(known):
            progress("training", f"{name} has trained the same before: nothing to do")
            return _completed(known, found=True)
    raise TrainingError(
        f"{jobs.name(training, job, document)} failed {MOST_ATTEMPTS} times; change the code, the data or the profile"
    )


def describe(name: str) -> dict[str, Any] | None:
    """DescribeTrainingJob's answer, or None when there is no such job."""
    try:
        return dict(aws.sagemaker().describe_training_job(TrainingJobName=name))
    except ClientError as error:
        if is_missing(error):
            return None
        raise


def follow(name: str, progress: Progress = silent) -> dict[str, Any]:
    """Wait for the job's end, telling its states and log lines on the way; DescribeTrainingJob's last answer.

    Raises TrainingError unless it completes.
    """
    log = _Log(name)
    told = ""
    found: dict[str, Any] = {}
    limit = GRACE_SECONDS
    for gone in until(float("inf")):
        found = describe(name) or {}
        status, secondary = found.get("TrainingJobStatus", "InProgress"), found.get("SecondaryStatus", "")
        stopping = found.get("StoppingCondition", {})
        limit = GRACE_SECONDS + stopping.get("MaxWaitTimeInSeconds", stopping.get("MaxRuntimeInSeconds", 0))
        state = f"{status} ({secondary})" if secondary and secondary != status else status
        if state != told:
            progress("training", f"{name}: {state}")
            told = state
        for line in log.new_lines():
            progress("training", f"  {line}")
        if status in ("Completed", "Failed", "Stopped"):
            break
        if gone > limit:
            raise TrainingError(f"{name} is still {state} after {gone:.0f} s; stop it, or give its profile more time")
    if found["TrainingJobStatus"] == "Completed":
        return found
    last = "\n".join(f"  {line}" for line in log.last()) or "  (no log)"
    reason = found.get("FailureReason", "no reason was given")
    raise TrainingError(f"training job {name} ended as {found['TrainingJobStatus']}: {reason}\nits last lines:\n{last}")


class _Log:
    """The job's stream in CloudWatch Logs, read from where the last reading ended."""

    def __init__(self, job: str) -> None:
        self._job = job
        self._logs = aws.logs()
        self._stream: str | None = None
        self._token: str | None = None
        self._lines: list[str] = []

    def new_lines(self) -> list[str]:
        """Lines since the last call; none while there is no stream."""
        try:
            lines = self._read()
        except ClientError as error:
            if is_missing(error):
                return []
            raise
        self._lines += lines
        return lines

    def last(self) -> list[str]:
        """The last lines of all."""
        return self._lines[-LAST_LINES:]

    def _read(self) -> list[str]:
        if self._stream is None:
            streams = self._logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=f"{self._job}/")
            self._stream = next((each.get("logStreamName") for each in streams["logStreams"]), None)
        if self._stream is None:
            return []
        lines: list[str] = []
        while True:
            more: Mapping[str, str] = {"nextToken": self._token} if self._token else {}
            page = self._logs.get_log_events(
                logGroupName=LOG_GROUP,
                logStreamName=self._stream,
                startFromHead=True,
                **more,  # pyright: ignore[reportArgumentType] - a token, or nothing at all
            )
            lines += [each.get("message", "") for each in page["events"]]
            # The same token twice marks the end of what there is.
            if page["nextForwardToken"] == self._token or not page["events"]:
                self._token = page["nextForwardToken"]
                return [re.sub(r"\s+$", "", line) for line in lines]
            self._token = page["nextForwardToken"]


def _has_model(described: Mapping[str, Any]) -> bool:
    """Whether the model archive is still where the job left it: jobs outlive buckets."""
    bucket, key = split_uri(described["ModelArtifacts"]["S3ModelArtifacts"])
    try:
        aws.s3().head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if is_missing(error):
            return False
        raise
    return True


def _completed(described: Mapping[str, Any], *, found: bool) -> Trained:
    return Trained(
        job_name=described["TrainingJobName"],
        image_uri=described["AlgorithmSpecification"]["TrainingImage"],
        model_uri=described["ModelArtifacts"]["S3ModelArtifacts"],
        seconds=float(described.get("BillableTimeInSeconds") or described.get("TrainingTimeInSeconds") or 0),
        found=found,
    )
