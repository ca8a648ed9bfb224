"""ECS's JSON operations on services and tasks; the others are moto's."""

import json
from typing import Any

from moto.core.responses import ActionResult
from moto.ecs.exceptions import InvalidParameterException
from moto.ecs.responses import EC2ContainerServiceResponse

from infra.local.backends.ecs.backend import LiveEcs
from infra.local.backends.members import Document


class LiveEcsResponse(EC2ContainerServiceResponse):
    """One request. Method names are operation names."""

    @property
    def live(self) -> LiveEcs:
        """Backend of the request's account and region."""
        backend = self.ecs_backend
        if not isinstance(backend, LiveEcs):
            raise TypeError("the live backend is not in place")
        return backend

    @property
    def request(self) -> Document:
        """The request's members."""
        return json.loads(self.body or "{}")

    def create_service(self) -> ActionResult:
        """CreateService."""
        return ActionResult({"service": self.live.make_service(self.request).document()})

    def update_service(self) -> ActionResult:
        """UpdateService."""
        return ActionResult({"service": self.live.change_service(self.request).document()})

    def delete_service(self) -> ActionResult:
        """DeleteService."""
        return ActionResult({"service": self.live.remove_service(self.request).document()})

    def describe_services(self) -> ActionResult:
        """DescribeServices."""
        request = self.request
        found, failures = self.live.describe_services(
            request.get("cluster") or "default", request.get("services") or []
        )
        services: list[Any] = list(found)
        documents: list[Document] = [service.document() for service in services]
        if "TAGS" not in (request.get("include") or []):
            documents = [{key: value for key, value in document.items() if key != "tags"} for document in documents]
        return ActionResult({"services": documents, "failures": failures})

    def update_cluster_settings(self) -> ActionResult:
        """UpdateClusterSettings."""
        request = self.request
        return ActionResult({"cluster": self.live.update_cluster(request["cluster"], request["settings"], None, None)})

    def run_task(self) -> ActionResult:
        """RunTask."""
        return ActionResult({"tasks": [task.document() for task in self.live.launch(self.request)], "failures": []})

    def start_task(self) -> ActionResult:
        """StartTask places on container instances, which there are none of."""
        raise InvalidParameterException(
            "StartTask is not written for the embedded AWS: use RunTask with launchType FARGATE."
        )

    def stop_task(self) -> ActionResult:
        """StopTask."""
        request = self.request
        task = self.live.task(request.get("cluster"), request["task"])
        if task is None:
            raise InvalidParameterException("The referenced task was not found.")
        task.stop("UserInitiated", request.get("reason") or "Task stopped by user")
        return ActionResult({"task": task.document()})

    def list_tasks(self) -> ActionResult:
        """ListTasks."""
        return ActionResult({"taskArns": [task.task_arn for task in self.live.find_tasks(self.request)]})

    def describe_tasks(self) -> ActionResult:
        """DescribeTasks."""
        request = self.request
        wanted: list[str] = request.get("tasks") or []
        if not wanted:
            raise InvalidParameterException("Tasks cannot be empty.")
        found = {name: self.live.task(request.get("cluster"), name) for name in wanted}
        return ActionResult(
            {
                "tasks": [task.document() for task in found.values() if task is not None],
                "failures": [{"arn": name, "reason": "MISSING"} for name, task in found.items() if task is None],
            }
        )
