"""SageMaker's JSON operations that are answered by the live backend; the others are moto's."""

import json
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.responses import SageMakerResponse

from infra.local.backends.members import Document
from infra.local.backends.sagemaker.backend import LiveSageMaker
from infra.local.backends.sagemaker.pages import page


class LiveSageMakerResponse(SageMakerResponse):
    """One request. Method names are operation names."""

    @property
    def live(self) -> LiveSageMaker:
        """Backend of the request's account and region."""
        backend: Any = self.sagemaker_backend
        return backend

    @property
    def request(self) -> Document:
        """The request's members."""
        return json.loads(self.body or "{}")

    def create_training_job(self) -> ActionResult:
        """CreateTrainingJob."""
        return ActionResult({"TrainingJobArn": self.live.start_training_job(self.request).arn})

    def describe_training_job(self) -> ActionResult:
        """DescribeTrainingJob."""
        return ActionResult(self.live.training_job(self.request["TrainingJobName"]).document())

    def stop_training_job(self) -> ActionResult:
        """StopTrainingJob."""
        self.live.stop_training_job(self.request["TrainingJobName"])
        return EmptyResult()

    def list_training_jobs(self) -> ActionResult:
        """ListTrainingJobs."""
        rows, token = page((job.summary() for job in self.live.training_jobs.values()), self.request, "TrainingJobName")
        return ActionResult({"TrainingJobSummaries": rows, "NextToken": token})

    def create_model(self) -> ActionResult:
        """CreateModel."""
        return ActionResult({"ModelArn": self.live.make_model(self.request).arn})

    def describe_model(self) -> ActionResult:
        """DescribeModel."""
        return ActionResult(self.live.model(self.request["ModelName"]).document())

    def list_models(self) -> ActionResult:
        """ListModels."""
        models: list[Any] = list(self.live.list_models())
        summaries: list[Document] = [
            {"ModelName": model.name, "ModelArn": model.arn, "CreationTime": model.creation_time} for model in models
        ]
        rows, token = page(summaries, self.request, "ModelName")
        return ActionResult({"Models": rows, "NextToken": token})

    def delete_model(self) -> ActionResult:
        """DeleteModel."""
        self.live.remove_model(self.request["ModelName"])
        return EmptyResult()

    def create_endpoint_config(self) -> ActionResult:
        """CreateEndpointConfig."""
        return ActionResult({"EndpointConfigArn": self.live.make_endpoint_config(self.request).arn})

    def describe_endpoint_config(self) -> ActionResult:
        """DescribeEndpointConfig."""
        return ActionResult(self.live.endpoint_config(self.request["EndpointConfigName"]).document())

    def list_endpoint_configs(self) -> ActionResult:
        """ListEndpointConfigs."""
        summaries = [
            {"EndpointConfigName": config.name, "EndpointConfigArn": config.arn, "CreationTime": config.creation_time}
            for config in self.live.endpoint_configs.values()
        ]
        rows, token = page(summaries, self.request, "EndpointConfigName")
        return ActionResult({"EndpointConfigs": rows, "NextToken": token})

    def delete_endpoint_config(self) -> ActionResult:
        """DeleteEndpointConfig."""
        self.live.remove_endpoint_config(self.request["EndpointConfigName"])
        return EmptyResult()

    def create_endpoint(self) -> ActionResult:
        """CreateEndpoint."""
        return ActionResult({"EndpointArn": self.live.start_endpoint(self.request).arn})

    def describe_endpoint(self) -> ActionResult:
        """DescribeEndpoint."""
        return ActionResult(self.live.endpoint(self.request["EndpointName"]).document())

    def list_endpoints(self) -> ActionResult:
        """ListEndpoints."""
        rows, token = page(
            (endpoint.summary() for endpoint in self.live.endpoints.values()), self.request, "EndpointName"
        )
        return ActionResult({"Endpoints": rows, "NextToken": token})

    def update_endpoint(self) -> ActionResult:
        """UpdateEndpoint."""
        request = self.request
        endpoint = self.live.endpoint(request["EndpointName"])
        endpoint.update(self.live.endpoint_config(request["EndpointConfigName"]), request)
        return ActionResult({"EndpointArn": endpoint.arn})

    def update_endpoint_weights_and_capacities(self) -> ActionResult:
        """UpdateEndpointWeightsAndCapacities."""
        request = self.request
        endpoint = self.live.endpoint(request["EndpointName"])
        endpoint.reweigh(request["DesiredWeightsAndCapacities"])
        return ActionResult({"EndpointArn": endpoint.arn})

    def delete_endpoint(self) -> ActionResult:
        """DeleteEndpoint."""
        self.live.remove_endpoint(self.request["EndpointName"])
        return EmptyResult()

    def delete_model_package_group(self) -> ActionResult:
        """DeleteModelPackageGroup."""
        self.live.remove_model_package_group(self.request["ModelPackageGroupName"])
        return EmptyResult()

    def delete_model_package(self) -> ActionResult:
        """DeleteModelPackage."""
        self.live.remove_model_package(self.request["ModelPackageName"])
        return EmptyResult()
