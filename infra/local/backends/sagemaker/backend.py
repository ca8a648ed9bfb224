"""SageMaker's backend: the operations of training, models, endpoint configurations and endpoints are ours."""

from typing import Any, ClassVar

from moto.sagemaker.exceptions import AWSValidationException as Invalid
from moto.sagemaker.exceptions import ConflictException, ResourceInUseException
from moto.sagemaker.models import SageMakerModelBackend, sagemaker_backends

from infra.local.backends.ecr import ImageMissingError, image_folder
from infra.local.backends.members import Document, rows, section
from infra.local.backends.sagemaker.checks import check_endpoint_config, check_s3, check_training
from infra.local.backends.sagemaker.documents import EndpointConfig, Model, TrainingJob
from infra.local.backends.sagemaker.endpoints import Endpoint
from infra.local.backends.sagemaker.training import TrainingRun


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
                "Training job names must be unique within an AWS account and region, "
                f"and a training job with this name already exists ({arn})"
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
        primary = section(request, "PrimaryContainer")
        containers = [*([primary] if primary else []), *rows(request, "Containers")]
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
        except ImageMissingError as error:
            raise Invalid(f"Requested image {container['Image']} not found. ({error})") from error
        url = container.get("ModelDataUrl")
        if url is not None:
            check_s3(url, "ModelDataUrl")
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

    def remove_model_package_group(self, name: str) -> None:
        """Delete a model package group that holds no packages."""
        group = name.rpartition("/")[2]
        if group not in self.model_package_groups:
            raise Invalid(f"ModelPackageGroup {self.arn('model-package-group', group)} does not exist.")
        if any(package.model_package_group_name == group for package in self.model_packages.values()):
            raise ConflictException(
                f"Model Package Group {group} cannot be deleted because it still contains Model Packages."
            )
        del self.model_package_groups[group]

    def remove_model_package(self, name: str) -> None:
        """Delete a model package by name or ARN."""
        arn = self.model_package_name_mapping.get(name, name)
        if arn not in self.model_packages:
            raise Invalid(f"ModelPackage {arn} does not exist.")
        del self.model_packages[arn]

    def _get_resource_from_arn(self, arn: str) -> Any:
        kind, _, name = arn.rpartition(":")[2].partition("/")
        found = self.model_packages.get(arn) if kind == "model-package" else None
        if found is None and "/" not in name:
            try:
                found = super()._get_resource_from_arn(arn)
            except (AttributeError, ValueError):  # a kind of resource that moto keeps no table of
                found = None
        if found is None:
            raise Invalid(f"Could not find resource {arn}.")
        return found

    def add_tags(self, arn: str, tags: list[dict[str, str]]) -> list[dict[str, str]]:
        """Add tags, replacing those with the same key."""
        resource = self._get_resource_from_arn(arn)
        added = {tag["Key"] for tag in tags}
        resource.tags = [tag for tag in resource.tags if tag["Key"] not in added] + list(tags)
        return resource.tags


LiveSageMaker.__module__ = SageMakerModelBackend.__module__


def install() -> None:
    """Put the backend in place."""
    sagemaker_backends.backend = LiveSageMaker
