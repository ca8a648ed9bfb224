"""ECS's backend: services and tasks are ours, clusters and task definitions moto's."""

import threading
import time
import traceback
from typing import Any

from moto.ecs.exceptions import InvalidParameterException, ServiceNotFoundException
from moto.ecs.models import EC2ContainerServiceBackend, ecs_backends
from moto.elbv2.models import elbv2_backends

from infra.local.backends.ecs.services import Deployment, Service
from infra.local.backends.ecs.tasks import Task
from infra.local.backends.faults import fault
from infra.local.backends.members import Document, rows, section
from infra.local.backends.shared import lazily

_TICK = 0.2
_KEPT_STOPPED_SECONDS = 3600.0
"""AWS shows stopped tasks for an hour."""


class LiveEcs(EC2ContainerServiceBackend):
    """Services and tasks of one region."""

    services: dict[str, Any]
    tasks: dict[str, dict[str, Any]]

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._lock = threading.RLock()
        self._changed = threading.Event()
        self._scheduler = lazily(self._start_scheduler)

    @property
    def url_paths(self) -> dict[str, Any]:
        """moto's paths, answered by our response class."""
        from infra.local.backends.ecs.responses import LiveEcsResponse  # noqa: PLC0415 - it names this class

        return {"/$": LiveEcsResponse.dispatch}

    def make_service(self, request: Document) -> Service:
        """Create a service."""
        cluster = self._get_cluster(request.get("cluster") or "default")
        key = f"{cluster.name}:{request['serviceName']}"
        with self._lock:
            existing = self.services.get(key)
            if existing is not None and existing.status != "INACTIVE":
                raise InvalidParameterException("Creation of service was not idempotent.")
            _refuse_unwritten(request)
            definition = self._definition(request)
            self._check_balancers(request)
            service = Service(dict(request), cluster, definition, self._start_task, self._load_balancing)
            self.services[key] = service
        self.wake()
        return service

    def change_service(self, request: Document) -> Service:
        """Update a service."""
        service = self.find_service(request.get("cluster"), request["service"])
        if service.status != "ACTIVE":
            raise fault("ecs", "ServiceNotActiveException", "Service was not ACTIVE.")
        with self._lock:
            definition = self._definition(request) if request.get("taskDefinition") else None
            service.update(request, definition)
        self.wake()
        return service

    def remove_service(self, request: Document) -> Service:
        """Delete a service; its tasks stop, and then it is INACTIVE."""
        service = self.find_service(request.get("cluster"), request["service"])
        if service.desired_count > 0 and not request.get("force"):
            raise InvalidParameterException("The service cannot be stopped while it is scaled above 0.")
        with self._lock:
            if service.status == "ACTIVE":
                service.delete()
        self.wake()
        return service

    def find_service(self, cluster: str | None, name: str) -> Service:
        """A service by name or ARN."""
        key = f"{self._get_cluster(cluster or 'default').name}:{name.rpartition('/')[2]}"
        if key not in self.services:
            raise ServiceNotFoundException
        return self.services[key]

    def launch(self, request: Document) -> list[Task]:
        """RunTask."""
        cluster = self._get_cluster(request.get("cluster") or "default")
        definition = self._definition(request)
        group = request.get("group") or f"family:{definition.family}"
        return [
            self._new_task(
                cluster.arn, definition, group, request, request.get("startedBy") or "", list(request.get("tags") or [])
            )
            for _ in range(request.get("count") or 1)
        ]

    def find_tasks(self, request: Document) -> list[Task]:
        """Tasks that ListTasks asks for."""
        cluster = self._get_cluster(request.get("cluster") or "default")
        found: list[Task] = list(self.tasks.get(cluster.name, {}).values())
        service, family = request.get("serviceName"), request.get("family")
        desired = request.get("desiredStatus") or "RUNNING"
        return [
            task
            for task in found
            if task.desired_status == desired
            and (service is None or task.group == f"service:{service.rpartition('/')[2]}")
            and (family is None or task.definition.family == family)
            and request.get("startedBy") in (None, task.started_by)
        ]

    def task(self, cluster: str | None, name: str) -> Task | None:
        """A task by id or ARN."""
        tasks = self.tasks.get(self._get_cluster(cluster or "default").name, {})
        return next((task for task in tasks.values() if task.id == name.rpartition("/")[2]), None)

    def delete_cluster(self, cluster_str: str) -> Any:
        """Delete a cluster that holds nothing."""
        cluster = self._get_cluster(cluster_str)
        if any(
            service.cluster_name == cluster.name and service.status == "ACTIVE" for service in self.services.values()
        ):
            raise fault(
                "ecs", "ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active."
            )
        if any(not task.ended for task in self.tasks.get(cluster.name, {}).values()):
            raise fault("ecs", "ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
        return super().delete_cluster(cluster_str)

    def list_services(
        self, cluster_str: str, scheduling_strategy: str | None = None, launch_type: str | None = None
    ) -> list[str]:
        """ARNs of services that are not deleted."""
        gone = {service.arn for service in self.services.values() if service.status == "INACTIVE"}
        return [arn for arn in super().list_services(cluster_str, scheduling_strategy, launch_type) if arn not in gone]

    def wake(self) -> None:
        """Look at the services now."""
        self._scheduler()
        self._changed.set()

    def _definition(self, request: Document) -> Any:
        definition = self.describe_task_definition(request["taskDefinition"])
        network = request.get("networkConfiguration")
        if (
            "taskDefinition" in request
            and "serviceName" in request
            and definition.network_mode == "awsvpc"
            and not network
        ):
            raise InvalidParameterException(
                "Network Configuration must be provided when networkMode 'awsvpc' is specified."
            )
        if definition.network_mode != "awsvpc":
            raise InvalidParameterException(
                f"Network mode must be awsvpc on the embedded AWS, got {definition.network_mode}."
            )
        return definition

    def _check_balancers(self, request: Document) -> None:
        for balancer in rows(request, "loadBalancers"):
            arn = balancer.get("targetGroupArn")
            if not arn or self._load_balancing(arn) is None:
                raise InvalidParameterException(f"The specified target group does not exist: {arn}.")

    def _start_task(self, service: Service, deployment: Deployment) -> Task:
        tags = list(service.tags) if service.request.get("propagateTags") == "SERVICE" else []
        return self._new_task(
            service.cluster_arn,
            deployment.definition,
            f"service:{service.name}",
            deployment.launch,
            deployment.id,
            tags,
        )

    def _new_task(
        self,
        cluster_arn: str,
        definition: Any,
        group: str,
        launch: Document,
        started_by: str,
        tags: list[dict[str, str]],
    ) -> Task:
        task = Task(
            definition,
            cluster_arn,
            self.account_id,
            self.region_name,
            group,
            launch,
            lambda _: self._changed.set(),
            started_by,
            tags,
        )
        self.tasks.setdefault(cluster_arn.rpartition("/")[2], {})[task.task_arn] = task
        task.start()
        return task

    def _load_balancing(self, group_arn: str) -> Any:
        backend = elbv2_backends[self.account_id][self.region_name]
        return backend if group_arn in backend.target_groups else None

    def _start_scheduler(self) -> threading.Thread:
        thread = threading.Thread(target=self._schedule, name="ecs scheduler", daemon=True)
        thread.start()
        return thread

    def _schedule(self) -> None:
        while True:
            self._changed.wait(_TICK)
            self._changed.clear()
            with self._lock:
                for service in list(self.services.values()):
                    if service.status == "INACTIVE":
                        continue
                    try:
                        service.reconcile()
                    except RuntimeError:  # the embedded AWS is stopping
                        return
                    except Exception:  # noqa: BLE001 - one service's trouble must not stop the scheduler
                        traceback.print_exc()
                self._count()
            self._forget_old_tasks()

    def _count(self) -> None:
        for cluster in self.clusters.values():
            tasks = [task for task in self.tasks.get(cluster.name, {}).values() if not task.ended]
            cluster.running_tasks_count = sum(task.last_status == "RUNNING" for task in tasks)
            cluster.pending_tasks_count = len(tasks) - cluster.running_tasks_count
            cluster.active_services_count = sum(
                service.cluster_name == cluster.name and service.status == "ACTIVE"
                for service in self.services.values()
            )

    def _forget_old_tasks(self) -> None:
        for tasks in self.tasks.values():
            for arn, task in list(tasks.items()):
                if task.stopped_at is not None and time.time() - task.stopped_at.timestamp() > _KEPT_STOPPED_SECONDS:
                    del tasks[arn]


LiveEcs.__module__ = EC2ContainerServiceBackend.__module__


def install() -> None:
    """Put the backend in place."""
    ecs_backends.backend = LiveEcs


def _refuse_unwritten(request: Document) -> None:
    controller = section(request, "deploymentController").get("type", "ECS")
    if controller != "ECS":
        raise InvalidParameterException(f"deploymentController must be ECS on the embedded AWS, got {controller}.")
    if request.get("schedulingStrategy", "REPLICA") != "REPLICA":
        raise InvalidParameterException("schedulingStrategy must be REPLICA on the embedded AWS.")
    for member in ("serviceConnectConfiguration", "serviceRegistries", "volumeConfigurations"):
        if request.get(member):
            raise InvalidParameterException(f"{member} is not written for the embedded AWS.")
