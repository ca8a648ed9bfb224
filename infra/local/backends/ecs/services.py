"""One service: keeps its desired number of tasks running, registered and healthy, and rolls new revisions out."""

import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moto.core.utils import utcnow

from infra.local.backends.ecs.tasks import Task
from infra.local.backends.members import Document, rows

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0
"""Seconds between starts while tasks keep failing; AWS waits up to 15 minutes, nobody here wants to."""
_EVENTS = 100


@dataclass
class Deployment:
    """A revision on its way, or arrived."""

    definition: Any
    launch: Document
    id: str = field(default_factory=lambda: f"ecs-svc/{random.randint(10**18, 10**19)}")  # noqa: S311 - a name
    created_at: datetime = field(default_factory=utcnow)
    updated_at: datetime = field(default_factory=utcnow)
    tasks: list[Task] = field(default_factory=list[Task])
    failed: int = 0
    completed: bool = False
    pause: float = _FIRST_PAUSE
    not_before: float = 0.0


class Service:
    """A service and its deployments, newest first."""

    def __init__(
        self,
        request: Document,
        cluster: Any,
        definition: Any,
        start: Callable[..., Task],
        targets: Callable[[str], Any],
    ) -> None:
        self.request = request
        self.name: str = request["serviceName"]
        self.cluster_name: str = cluster.name
        self.cluster_arn: str = cluster.arn
        self.arn = cluster.arn.replace(":cluster/", ":service/") + f"/{self.name}"
        self.tags: list[dict[str, str]] = list(request.get("tags") or [])
        self.status = "ACTIVE"
        self.desired_count: int = request.get("desiredCount") or 0
        self.created_at = utcnow()
        self.events: list[Document] = []
        self.task_sets: list[Any] = []
        self.deployments = [Deployment(definition, self._launch())]
        self._start, self._targets = start, targets
        self._registered: dict[str, Task] = {}
        self._steady = False

    @property
    def physical_resource_id(self) -> str:
        """ARN, as moto's tagging calls it."""
        return self.arn

    @property
    def scheduling_strategy(self) -> str:
        """Strategy, as moto filters by it."""
        return self.request.get("schedulingStrategy") or "REPLICA"

    @property
    def launch_type(self) -> str | None:
        """Launch type, as moto filters by it."""
        return None if self.request.get("capacityProviderStrategy") else self.request.get("launchType") or "FARGATE"

    def update(self, changes: Document, definition: Any | None) -> None:
        """Take over changed members; a new revision, network or forced deployment starts a rollout."""
        if changes.get("desiredCount") is not None:
            self.desired_count = changes["desiredCount"]
        kept = {
            key: value
            for key, value in changes.items()
            if key not in ("cluster", "service", "forceNewDeployment", "desiredCount") and value is not None
        }
        rolls = bool(changes.get("forceNewDeployment")) or any(
            kept.get(member) not in (None, self.request.get(member))
            for member in ("networkConfiguration", "platformVersion", "loadBalancers")
        )
        self.request.update(kept)
        self._steady = False
        current = self.deployments[0]
        if definition is not None and definition.arn != current.definition.arn:
            rolls = True
        if rolls:
            self.deployments.insert(0, Deployment(definition or current.definition, self._launch()))
        else:
            current.pause, current.not_before = _FIRST_PAUSE, 0.0

    def delete(self) -> None:
        """Stop every task."""
        self.desired_count = 0
        self.status = "DRAINING"

    def reconcile(self) -> None:
        """One look: count, start, register, replace, stop."""
        for deployment in self.deployments:
            self._bury(deployment)
        primary = self.deployments[0]
        live = [task for task in primary.tasks if task.desired_status == "RUNNING"]
        self._replace_unhealthy(live)
        live = [task for task in primary.tasks if task.desired_status == "RUNNING"]
        self._grow(primary, len(live))
        for task in live[self.desired_count :]:
            self._deregister(task)
            task.stop("ServiceSchedulerInitiated", f"Scaling activity initiated by (deployment {primary.id})")
        self._register(task for deployment in self.deployments for task in deployment.tasks)
        ready = [task for task in live if task.last_status == "RUNNING" and self._well(task)]
        if len(ready) >= self.desired_count:
            self._retire(primary)
        self._settle(primary, ready)

    def document(self) -> Document:
        """What DescribeServices answers."""
        tasks = [
            task for deployment in self.deployments for task in deployment.tasks if task.desired_status == "RUNNING"
        ]
        running = sum(task.last_status == "RUNNING" for task in tasks)
        kept = {
            key: value for key, value in self.request.items() if key not in ("cluster", "tags", "clientToken", "role")
        }
        document: Document = {
            "schedulingStrategy": "REPLICA",
            "deploymentController": {"type": "ECS"},
            "deploymentConfiguration": {"maximumPercent": 200, "minimumHealthyPercent": 100},
            "propagateTags": "NONE",
            "enableECSManagedTags": False,
            "enableExecuteCommand": False,
            "loadBalancers": [],
            "serviceRegistries": [],
            "placementConstraints": [],
            "placementStrategy": [],
            **kept,
            "serviceArn": self.arn,
            "clusterArn": self.cluster_arn,
            "status": self.status,
            "desiredCount": self.desired_count,
            "runningCount": running,
            "pendingCount": len(tasks) - running,
            "launchType": self.launch_type,
            "platformVersion": self.request.get("platformVersion") or "LATEST",
            "platformFamily": "Linux",
            "taskDefinition": self.deployments[0].definition.arn,
            "deployments": [self._deployment(index, deployment) for index, deployment in enumerate(self.deployments)],
            "events": self.events[:_EVENTS],
            "createdAt": self.created_at,
            "tags": self.tags,
        }
        return {key: value for key, value in document.items() if value is not None}

    def event(self, text: str) -> None:
        """Add an event, unless the last one says the same."""
        message = f"(service {self.name}) {text}"
        if not self.events or self.events[0]["message"] != message:
            self.events.insert(0, {"id": str(uuid.uuid4()), "createdAt": utcnow(), "message": message})
            del self.events[_EVENTS:]

    def _launch(self) -> Document:
        members = ("launchType", "networkConfiguration", "platformVersion", "capacityProviderStrategy")
        return {member: self.request[member] for member in members if self.request.get(member) is not None}

    def _bury(self, deployment: Deployment) -> None:
        for task in [task for task in deployment.tasks if task.desired_status == "STOPPED"]:
            self._deregister(task)
            if not task.ended:
                continue
            deployment.tasks.remove(task)
            if task.stop_code in ("TaskFailedToStart", "EssentialContainerExited"):
                deployment.failed += 1
                self._steady = False
                self.event(f"was unable to keep (task {task.id}) running: {task.stopped_reason}")
                # A task that ran for a while is replaced at once; one that keeps failing later each time.
                lasted = task.started_at is not None and (utcnow() - task.started_at).total_seconds() > 10
                deployment.pause = _FIRST_PAUSE if lasted else min(deployment.pause * 2, _LONGEST_PAUSE)
                deployment.not_before = time.monotonic() + (0.0 if lasted else deployment.pause)

    def _grow(self, primary: Deployment, live: int) -> None:
        missing = self.desired_count - live
        if missing <= 0 or time.monotonic() < primary.not_before:
            return
        started = [self._start(self, primary) for _ in range(missing)]
        primary.tasks.extend(started)
        self.event(f"has started {missing} tasks: {' '.join(f'(task {task.id})' for task in started)}.")

    def _replace_unhealthy(self, live: list[Task]) -> None:
        grace = self.request.get("healthCheckGracePeriodSeconds") or 0
        for task in live:
            if task.started_at is None or (utcnow() - task.started_at).total_seconds() < grace:
                continue
            for balancer in self._balancers():
                if self._state(balancer, task) == "unhealthy":
                    self.event(
                        f"(port {balancer['containerPort']}) is unhealthy in "
                        f"(target-group {balancer['targetGroupArn']}) due to (reason Health checks failed)."
                    )
                    self._deregister(task)
                    task.stop(
                        "ServiceSchedulerInitiated",
                        f"Task failed ELB health checks in (target-group {balancer['targetGroupArn']})",
                    )

    def _register(self, tasks: Any) -> None:
        for task in tasks:
            if task.last_status != "RUNNING" or task.desired_status != "RUNNING" or task.id in self._registered:
                continue
            for balancer in self._balancers():
                backend = self._targets(balancer["targetGroupArn"])
                if backend is not None:
                    backend.register_targets(
                        balancer["targetGroupArn"], [{"Id": task.address, "Port": balancer["containerPort"]}]
                    )
                    self._registered[task.id] = task
                    self.event(f"registered 1 targets in (target-group {balancer['targetGroupArn']})")

    def _deregister(self, task: Task) -> None:
        if self._registered.pop(task.id, None) is None:
            return
        for balancer in self._balancers():
            backend = self._targets(balancer["targetGroupArn"])
            if backend is not None and task.address in backend.target_groups[balancer["targetGroupArn"]].targets:
                backend.deregister_targets(
                    balancer["targetGroupArn"], [{"Id": task.address, "Port": balancer["containerPort"]}]
                )
                self.event(f"deregistered 1 targets in (target-group {balancer['targetGroupArn']})")

    def _well(self, task: Task) -> bool:
        return all(self._state(balancer, task) in ("healthy", None) for balancer in self._balancers())

    def _state(self, balancer: Document, task: Task) -> str | None:
        backend = self._targets(balancer["targetGroupArn"])
        return backend.checker().health(balancer["targetGroupArn"], task.address).state if backend is not None else None

    def _balancers(self) -> list[Document]:
        return [balancer for balancer in rows(self.request, "loadBalancers") if balancer.get("targetGroupArn")]

    def _retire(self, primary: Deployment) -> None:
        for old in self.deployments[1:]:
            for task in old.tasks:
                if task.desired_status == "RUNNING":
                    self._deregister(task)
                    task.stop("ServiceSchedulerInitiated", f"Scaling activity initiated by (deployment {primary.id})")
        self.deployments[1:] = [old for old in self.deployments[1:] if old.tasks]

    def _settle(self, primary: Deployment, ready: list[Task]) -> None:
        if self.status == "DRAINING":
            if not any(deployment.tasks for deployment in self.deployments):
                self.status = "INACTIVE"
            return
        if len(ready) == self.desired_count and len(self.deployments) == 1:
            if not primary.completed:
                primary.completed, primary.updated_at = True, utcnow()
                self.event(f"(deployment {primary.id}) deployment completed.")
            if not self._steady:
                self._steady = True
                self.event("has reached a steady state.")

    def _deployment(self, index: int, deployment: Deployment) -> Document:
        tasks = [task for task in deployment.tasks if task.desired_status == "RUNNING"]
        running = sum(task.last_status == "RUNNING" for task in tasks)
        state, word = ("COMPLETED", "completed") if deployment.completed else ("IN_PROGRESS", "in progress")
        return {
            "id": deployment.id,
            "status": "PRIMARY" if index == 0 else "ACTIVE",
            "taskDefinition": deployment.definition.arn,
            "desiredCount": self.desired_count if index == 0 else 0,
            "runningCount": running,
            "pendingCount": len(tasks) - running,
            "failedTasks": deployment.failed,
            "createdAt": deployment.created_at,
            "updatedAt": deployment.updated_at,
            "rolloutState": state,
            "rolloutStateReason": f"ECS deployment {deployment.id} {word}.",
            **deployment.launch,
        }
