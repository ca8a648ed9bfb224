"""SageMaker's backend: the operations of training, models, endpoint configurations and endpoints are ours."""

import re
from collections.abc import Iterable
from typing import Any, ClassVar

from moto.sagemaker.exceptions import AWSValidationException, ResourceInUseException
from moto.sagemaker.models import SageMakerModelBackend, sagemaker_backends

from infra.local.backends.ecr import ImageMissing, image_folder
from infra.local.backends.sagemaker.documents import Document, EndpointConfig, Model, TrainingJob
from infra.local.backends.sagemaker.endpoints import Endpoint
from infra.local.backends.sagemaker.training import TrainingRun
from infra.local.backends.stores import Location

Invalid = AWSValidationException


class LiveSageMaker(SageMakerModelBackend):
    """moto's SageMaker whose compute is real."""

    _models: dict[str, Any]
    training_jobs: dict[str, Any]
    endpoint_configs: dict[str, Any]
    endpoints: dict[str, Any]
    KINDS: ClassVar[dict[str, str]] = {
        "model": "model",
        "endpoint-config": "endpoint configuration",
        "endpoint": "endpoint",
        "training-job": "training job",
    }

    @property
    def url_paths(self) -> dict[str, Any]:
        """moto's paths, answered by our response class."""
        from infra.local.backends.sagemaker.responses import LiveSageMakerResponse  # noqa: PLC0415 - it names this class

        return {"/$": LiveSageMakerResponse.dispatch}

    def arn(self, kind: str, name: str) -> str:
        """ARN of a resource."""
        return f"arn:aws:sagemaker:{self.region_name}:{self.account_id}:{kind}/{name}"

    def missing(self, kind: str, name: str) -> Exception:
        """The error for a resource that is not there."""
        return Invalid(f'Could not find {self.KINDS[kind]} "{self.arn(kind, name)}".')

    def start_training_job(self, request: Document) -> TrainingJob:
        """Create a job and set it going."""
        name = request["TrainingJobName"]
        arn = self.arn("training-job", name)
        if name in self.training_jobs:
            raise ResourceInUseException(
                f"Training job names must be unique within an AWS account and region, and a training job with this name already exists ({arn})"
            )
        check_training(request)
        job = TrainingJob(name, arn, request, list(request.get("Tags") or []))
        self.training_jobs[name] = job
        TrainingRun(job, self.account_id, self.region_name).start()
        return job

    def training_job(self, name: str) -> TrainingJob:
        """A job by name."""
        if name not in self.training_jobs:
            raise Invalid("Requested resource not found.")
        return self.training_jobs[name]

    def stop_training_job(self, name: str) -> None:
        """Ask a job to stop; one that ended already cannot."""
        job = self.training_job(name)
        with job.lock:
            if job.ended:
                raise Invalid(f"The request was rejected because the training job is in status {job.status}.")
            job.stop_requested.set()
            if job.status != "Stopping":
                job.move("Stopping", "Stopping the training job", status="Stopping")

    def make_model(self, request: Document) -> Model:
        """Create a model whose image exists and whose artifact is named by an S3 URI."""
        name = request["ModelName"]
        if name in self._models:
            raise Invalid(f'Cannot create already existing model "{self.arn("model", name)}".')
        containers: list[Document] = [
            container
            for container in (request.get("PrimaryContainer"), *(request.get("Containers") or []))
            if container
        ]
        if len(containers) != 1:
            raise Invalid(
                f"Exactly one container is supported by the embedded AWS, got {len(containers)}: set PrimaryContainer."
            )
        container = containers[0]
        if not container.get("Image"):
            raise Invalid(
                "PrimaryContainer.Image is required by the embedded AWS: model packages are not started by name yet."
            )
        try:
            image_folder(container["Image"])
        except ImageMissing as error:
            raise Invalid(f"Requested image {container['Image']} not found. ({error})") from error
        url = container.get("ModelDataUrl")
        if url is not None:
            _s3(url, "ModelDataUrl")
        model = Model(name, self.arn("model", name), request, list(request.get("Tags") or []))
        self._models[name] = model
        return model

    def model(self, name: str) -> Model:
        """A model by name."""
        if name not in self._models:
            raise self.missing("model", name)
        return self._models[name]

    def remove_model(self, name: str) -> None:
        """Delete a model."""
        self.model(name)
        del self._models[name]

    def make_endpoint_config(self, request: Document) -> EndpointConfig:
        """Create an endpoint configuration."""
        name = request["EndpointConfigName"]
        if name in self.endpoint_configs:
            raise Invalid(
                f'Cannot create already existing endpoint configuration "{self.arn("endpoint-config", name)}".'
            )
        check_endpoint_config(request)
        for variant in request["ProductionVariants"]:
            self.model(variant["ModelName"])
        config = EndpointConfig(name, self.arn("endpoint-config", name), request, list(request.get("Tags") or []))
        self.endpoint_configs[name] = config
        return config

    def endpoint_config(self, name: str) -> EndpointConfig:
        """An endpoint configuration by name."""
        if name not in self.endpoint_configs:
            raise self.missing("endpoint-config", name)
        return self.endpoint_configs[name]

    def remove_endpoint_config(self, name: str) -> None:
        """Delete an endpoint configuration; endpoints made from it live on."""
        self.endpoint_config(name)
        del self.endpoint_configs[name]

    def start_endpoint(self, request: Document) -> Endpoint:
        """Create an endpoint and start its fleet."""
        name = request["EndpointName"]
        if name in self.endpoints:
            raise Invalid(f'Cannot create already existing endpoint "{self.arn("endpoint", name)}".')
        config = self.endpoint_config(request["EndpointConfigName"])
        endpoint = Endpoint(
            name, self.arn("endpoint", name), dict(request), list(request.get("Tags") or []), backend=self
        )
        self.endpoints[name] = endpoint
        endpoint.create(config)
        return endpoint

    def endpoint(self, name: str) -> Endpoint:
        """An endpoint by name."""
        if name not in self.endpoints:
            raise self.missing("endpoint", name)
        return self.endpoints[name]

    def remove_endpoint(self, name: str) -> None:
        """Stop an endpoint's fleet; its name is free when the processes are gone."""
        self.endpoint(name).delete(lambda: self.endpoints.pop(name, None))

    def add_tags(self, arn: str, tags: list[dict[str, str]]) -> list[dict[str, str]]:
        """Add tags, replacing those with the same key."""
        resource = self._get_resource_from_arn(arn)
        if resource is None:
            raise Invalid(f"Could not find resource {arn}.")
        added = {tag["Key"] for tag in tags}
        resource.tags = [tag for tag in resource.tags if tag["Key"] not in added] + list(tags)
        return resource.tags


LiveSageMaker.__module__ = SageMakerModelBackend.__module__


def install() -> None:
    """Put the backend in place, and those that it reads images from."""
    from infra.local.backends import install as install_live  # noqa: PLC0415 - it imports this module by name

    install_live("ecr")
    sagemaker_backends.backend = LiveSageMaker


def page(
    items: Iterable[Document], request: Document, name_member: str, default_sort: str = "CreationTime"
) -> tuple[list[Document], str | None]:
    """Filter, sort and cut a list of summaries as SageMaker's List operations do; token of the next page."""
    rows = list(items)
    status = next((key for key in ("TrainingJobStatus", "EndpointStatus") if rows and key in rows[0]), None)
    tests = {
        "NameContains": lambda row, wanted: wanted.lower() in row[name_member].lower(),
        "StatusEquals": lambda row, wanted: status is not None and row[status] == wanted,
        "CreationTimeAfter": lambda row, wanted: row["CreationTime"].timestamp() > wanted,
        "CreationTimeBefore": lambda row, wanted: row["CreationTime"].timestamp() < wanted,
        "LastModifiedTimeAfter": lambda row, wanted: row["LastModifiedTime"].timestamp() > wanted,
        "LastModifiedTimeBefore": lambda row, wanted: row["LastModifiedTime"].timestamp() < wanted,
    }
    for member, test in tests.items():
        if request.get(member) is not None:
            rows = [row for row in rows if test(row, request[member])]
    by = {"Name": name_member, "Status": status or name_member}.get(request.get("SortBy", default_sort), "CreationTime")
    rows.sort(key=lambda row: row[by], reverse=request.get("SortOrder", "Descending") == "Descending")
    token = request.get("NextToken") or "0"
    if not token.isdigit():
        raise Invalid(f"Invalid pagination token: {token}")
    begin, size = int(token), request.get("MaxResults") or 100
    following = begin + size
    return rows[begin:following], str(following) if following < len(rows) else None


def check_training(request: Document) -> None:
    """Refuse what the embedded AWS would have to pretend.

    Raises:
        AWSValidationException: a setting AWS refuses too, or one that is not written here; the text says which.
    """
    algorithm = request["AlgorithmSpecification"]
    if not algorithm.get("TrainingImage"):
        raise Invalid(
            "AlgorithmSpecification.TrainingImage is required by the embedded AWS: algorithm names are not resolved."
        )
    count = request["ResourceConfig"].get("InstanceCount", 1)
    if count != 1 or request["ResourceConfig"].get("InstanceGroups"):
        raise Invalid(
            f"ResourceConfig.InstanceCount must be 1 on the embedded AWS, got {count}: one machine trains on one host."
        )
    for channel in request.get("InputDataConfig") or []:
        _check_channel(channel, algorithm.get("TrainingInputMode", "File"))
    _s3(request["OutputDataConfig"]["S3OutputPath"], "OutputDataConfig.S3OutputPath")
    stopping = request.get("StoppingCondition") or {}
    if request.get("EnableManagedSpotTraining") and stopping.get("MaxWaitTimeInSeconds", 0) < stopping.get(
        "MaxRuntimeInSeconds", 86400
    ):
        raise Invalid(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds when EnableManagedSpotTraining is set to true."
        )
    for definition in algorithm.get("MetricDefinitions") or []:
        try:
            re.compile(definition["Regex"])
        except re.error as error:
            raise Invalid(f"MetricDefinitions: {definition['Regex']!r} is no regular expression: {error}.") from error


def _check_channel(channel: Document, default_mode: str) -> None:
    name = channel["ChannelName"]
    source = channel["DataSource"].get("S3DataSource")
    if source is None:
        raise Invalid(f"InputDataConfig channel {name!r}: only S3DataSource is written for the embedded AWS.")
    if source.get("S3DataType", "S3Prefix") != "S3Prefix":
        raise Invalid(
            f"InputDataConfig channel {name!r}: S3DataType must be S3Prefix on the embedded AWS, got {source['S3DataType']}."
        )
    mode = channel.get("InputMode") or default_mode
    if mode not in ("File", "FastFile"):
        raise Invalid(
            f"InputDataConfig channel {name!r}: InputMode must be File or FastFile on the embedded AWS, got {mode}."
        )
    if channel.get("RecordWrapperType", "None") != "None":
        raise Invalid(f"InputDataConfig channel {name!r}: RecordWrapperType must be None on the embedded AWS.")
    _s3(source["S3Uri"], f"InputDataConfig channel {name!r}")


def check_endpoint_config(request: Document) -> None:
    """Refuse variants and options that are not started here.

    Raises:
        AWSValidationException: the text names member, value and what is allowed.
    """
    for member in ("AsyncInferenceConfig", "ExplainerConfig", "ShadowProductionVariants"):
        if request.get(member):
            raise Invalid(f"{member} is not written for the embedded AWS: leave it out in this environment.")
    names = [variant["VariantName"] for variant in request["ProductionVariants"]]
    if len(set(names)) != len(names):
        raise Invalid(f"The variant names must be unique within an endpoint configuration, got {', '.join(names)}.")
    for variant in request["ProductionVariants"]:
        name = variant["VariantName"]
        if variant.get("ServerlessConfig"):
            raise Invalid(
                f"Variant {name!r}: ServerlessConfig is not written for the embedded AWS: set InstanceType and InitialInstanceCount."
            )
        if not variant.get("ModelName"):
            raise Invalid(f"Variant {name!r}: ModelName is required.")
        if not variant.get("InstanceType") or not variant.get("InitialInstanceCount"):
            raise Invalid(f"Variant {name!r}: InstanceType and InitialInstanceCount (at least 1) are required.")
    if sum(variant.get("InitialVariantWeight", 1.0) for variant in request["ProductionVariants"]) <= 0:
        raise Invalid("The sum of the variants' InitialVariantWeight must be greater than 0.")
    capture = request.get("DataCaptureConfig")
    if capture:
        _s3(capture["DestinationS3Uri"], "DataCaptureConfig.DestinationS3Uri")


def _s3(uri: str, member: str) -> None:
    try:
        Location.parse(uri)
    except ValueError as error:
        raise Invalid(f"{member}: {error}.") from error
