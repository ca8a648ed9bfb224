"""Resources that keep the whole request they were made with; describing adds what has become of them."""

import threading
from dataclasses import dataclass, field
from datetime import datetime

from moto.core.utils import utcnow

from infra.local.backends.members import Document, rows, section


@dataclass
class Kept:
    """A resource made from a request. `tags` is outside `request`, as it changes on its own."""

    name: str
    arn: str
    request: Document
    tags: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    creation_time: datetime = field(default_factory=utcnow)
    last_modified_time: datetime = field(default_factory=utcnow)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def described(self, arn_member: str) -> Document:
        """The request with ARN and creation time."""
        kept = {key: value for key, value in self.request.items() if key != "Tags" and value is not None}
        return {**kept, arn_member: self.arn, "CreationTime": self.creation_time}


@dataclass
class TrainingJob(Kept):
    """A training job and how far it is."""

    status: str = "InProgress"
    secondary_status: str = "Starting"
    transitions: list[Document] = field(default_factory=list[Document])
    metrics: dict[str, Document] = field(default_factory=dict[str, Document])
    failure_reason: str | None = None
    model_artifacts: str | None = None
    training_start_time: datetime | None = None
    training_end_time: datetime | None = None
    stop_requested: threading.Event = field(default_factory=threading.Event)

    @property
    def training_job_name(self) -> str:
        """Name, as moto's search calls it."""
        return self.name

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in ("Completed", "Failed", "Stopped")

    def move(self, secondary: str, message: str, *, status: str | None = None) -> None:
        """Enter a stage, which ends the one before."""
        with self.lock:
            now = utcnow()
            if self.transitions:
                self.transitions[-1]["EndTime"] = now
            self.transitions.append({"Status": secondary, "StartTime": now, "StatusMessage": message})
            self.secondary_status, self.last_modified_time = secondary, now
            if status is not None:
                self.status = status
            if self.ended:
                self.transitions[-1]["EndTime"] = now
                self.training_end_time = now

    def document(self) -> Document:
        """What DescribeTrainingJob answers."""
        with self.lock:
            document = {
                **self.described("TrainingJobArn"),
                "TrainingJobStatus": self.status,
                "SecondaryStatus": self.secondary_status,
                "SecondaryStatusTransitions": [dict(transition) for transition in self.transitions],
                "FinalMetricDataList": list(self.metrics.values()),
                "LastModifiedTime": self.last_modified_time,
                "ModelArtifacts": {"S3ModelArtifacts": self.model_artifacts} if self.model_artifacts else None,
                "FailureReason": self.failure_reason,
                "TrainingStartTime": self.training_start_time,
                "TrainingEndTime": self.training_end_time,
            }
            for flag in (
                "EnableNetworkIsolation",
                "EnableInterContainerTrafficEncryption",
                "EnableManagedSpotTraining",
            ):
                document.setdefault(flag, False)
            if self.training_start_time and self.training_end_time:
                seconds = max(1, round((self.training_end_time - self.training_start_time).total_seconds()))
                document["TrainingTimeInSeconds"] = document["BillableTimeInSeconds"] = seconds
            return {key: value for key, value in document.items() if value is not None}

    def summary(self) -> Document:
        """What ListTrainingJobs answers."""
        wanted = (
            "TrainingJobName",
            "TrainingJobArn",
            "CreationTime",
            "TrainingEndTime",
            "LastModifiedTime",
            "TrainingJobStatus",
            "SecondaryStatus",
        )
        document = self.document()
        return {key: document[key] for key in wanted if key in document}


@dataclass
class Model(Kept):
    """A model: containers that are started when an endpoint names it."""

    @property
    def model_name(self) -> str:
        """Name, as moto's search calls it."""
        return self.name

    @property
    def container(self) -> Document:
        """The one container."""
        return section(self.request, "PrimaryContainer") or rows(self.request, "Containers")[0]

    def document(self) -> Document:
        """What DescribeModel answers."""
        document = self.described("ModelArn")
        document.setdefault("EnableNetworkIsolation", False)
        return document


@dataclass
class EndpointConfig(Kept):
    """A fleet to be: variants with models, weights and counts."""

    @property
    def variants(self) -> list[Document]:
        """Production variants, in order."""
        return self.request["ProductionVariants"]

    def document(self) -> Document:
        """What DescribeEndpointConfig answers."""
        document = self.described("EndpointConfigArn")
        document.setdefault("EnableNetworkIsolation", False)
        return document
