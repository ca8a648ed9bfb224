"""One task: its containers as processes on an address of their own, and the states it goes through."""

import shutil
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moto.core.utils import utcnow

from infra.local.backends.ecr import ImageMissingError, image_folder
from infra.local.backends.ecs.values import ValueMissingError, resolve
from infra.local.backends.machine import machine
from infra.local.backends.members import Document, rows, section
from infra.local.backends.stores import LogStream
from infra.local.runtime import Exit, Image, ImageError, Process, Spec, prepare, unprivileged

_STOP_SECONDS = 30
"""Seconds from SIGTERM to SIGKILL unless a container's `stopTimeout` says otherwise; Fargate's default."""


class StartError(Exception):
    """A task cannot start; the text is its `stoppedReason`."""


@dataclass
class Task:
    """A task of one revision of a task definition."""

    definition: Any
    cluster_arn: str
    account: str
    region: str
    group: str
    launch: Document
    """Members of RunTask or CreateService that describe the task: launchType, networkConfiguration, overrides, …"""
    on_change: Callable[["Task"], None]
    started_by: str = ""
    tags: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    stop_code: str | None = None
    stopped_reason: str | None = None
    created_at: datetime = field(default_factory=utcnow)
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    address: str = ""
    _exits: dict[str, Exit] = field(default_factory=dict[str, Exit])
    _processes: dict[str, Process] = field(default_factory=dict[str, Process])
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def task_arn(self) -> str:
        """ARN in the long form."""
        return f"arn:aws:ecs:{self.region}:{self.account}:task/{self.cluster_arn.rpartition('/')[2]}/{self.id}"

    @property
    def task_definition_arn(self) -> str:
        """ARN of the revision, as moto filters by it."""
        return self.definition.arn

    @property
    def ended(self) -> bool:
        """Whether every process is gone."""
        return self.last_status == "STOPPED"

    def start(self) -> None:
        """Begin; returns at once."""
        self.address = machine().supervisor.addresses.take()
        threading.Thread(target=self._start, name=f"task {self.id}", daemon=True).start()

    def stop(self, code: str, reason: str) -> None:
        """Stop every container; returns at once."""
        with self._lock:
            if self.desired_status == "STOPPED":
                return
            self.desired_status, self.stop_code, self.stopped_reason = "STOPPED", code, reason
        threading.Thread(target=self._stop, name=f"stop {self.id}", daemon=True).start()

    def document(self) -> Document:
        """What DescribeTasks answers."""
        launch_type = self.launch.get("launchType") or "FARGATE"
        document: Document = {
            "taskArn": self.task_arn,
            "clusterArn": self.cluster_arn,
            "taskDefinitionArn": self.definition.arn,
            "group": self.group,
            "startedBy": self.started_by,
            "launchType": launch_type,
            "platformVersion": self.launch.get("platformVersion") or "1.4.0",
            "platformFamily": "Linux",
            "cpu": self.definition.cpu,
            "memory": self.definition.memory,
            "desiredStatus": self.desired_status,
            "lastStatus": self.last_status,
            "healthStatus": "UNKNOWN",
            "connectivity": "CONNECTED",
            "createdAt": self.created_at,
            "startedAt": self.started_at,
            "stoppedAt": self.stopped_at,
            "stopCode": self.stop_code,
            "stoppedReason": self.stopped_reason,
            "overrides": section(self.launch, "overrides"),
            "availabilityZone": f"{self.region}a",
            "attachments": [self._attachment()],
            "containers": [self._container(container) for container in self.definition.container_definitions],
            "tags": self.tags,
            "version": 1,
        }
        return {key: value for key, value in document.items() if value is not None}

    def _attachment(self) -> Document:
        network = section(section(self.launch, "networkConfiguration"), "awsvpcConfiguration")
        subnets: list[str] = network.get("subnets") or [""]
        details = {
            "subnetId": subnets[0],
            "networkInterfaceId": f"eni-{self.id[:17]}",
            "privateIPv4Address": self.address,
        }
        return {
            "id": self.id,
            "type": "ElasticNetworkInterface",
            "status": "DELETED" if self.ended else "ATTACHED",
            "details": [{"name": name, "value": value} for name, value in details.items()],
        }

    def _container(self, definition: Document) -> Document:
        name = definition["name"]
        ended = self._exits.get(name)
        document: Document = {
            "containerArn": f"{self.task_arn.replace(':task/', ':container/')}/{name}",
            "taskArn": self.task_arn,
            "name": name,
            "image": definition["image"],
            "lastStatus": "STOPPED" if ended or self.ended else "RUNNING" if name in self._processes else "PENDING",
            "healthStatus": "UNKNOWN",
            "networkInterfaces": [{"attachmentId": self.id, "privateIpv4Address": self.address}],
        }
        if ended is not None:
            document["exitCode"] = ended.code
        return document

    def _start(self) -> None:
        try:
            plans = [self._plan(container) for container in self.definition.container_definitions]
            self._enter("PENDING")
            with self._lock:
                if self.desired_status == "STOPPED":
                    return
                for name, make in plans:
                    self._processes[name] = make()
        except StartError as error:
            self._never_started(str(error))
            return
        except Exception as error:  # noqa: BLE001 - a fault of ours must stop the task, not leave it pending for ever
            self._never_started(f"InternalError: {error!r}")
            return
        self.started_at = utcnow()
        if self.desired_status == "RUNNING":
            self._enter("RUNNING")

    def _never_started(self, reason: str) -> None:
        self.stop("TaskFailedToStart", reason)

    def _plan(self, container: Document) -> tuple[str, Callable[[], Process]]:
        """Everything that can go wrong before the program starts; what is left is to start it."""
        name = container["name"]
        if any(item.get("condition") not in (None, "START") for item in rows(container, "dependsOn")):
            raise StartError(
                f"ContainerDependencyError: container {name}: only dependsOn START is written for the embedded AWS"
            )
        try:
            folder = image_folder(container["image"])
            prepare(folder)
            image = Image.read(folder)
        except ImageMissingError as error:
            raise StartError(
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
                f"failed to resolve ref {container['image']}: {error}"
            ) from error
        except ImageError as error:
            raise StartError(f"CannotCreateContainerError: {error}") from error
        log = self._log_stream(container)
        override = self._override(name)
        environment = self._environment(container, override)
        command = override.get("command") or container.get("command")
        supervisor = machine().supervisor
        user = image.user_among(unprivileged())
        scratch = supervisor.folder_for(user, f"task-{self.id}-{name}")
        spec = Spec(
            name=f"{self.group.rpartition(':')[2]}-{name}-{self.id[:8]}",
            command=image.arguments(command, container.get("entryPoint")),
            folder=folder,
            environment=image.settings(
                {**environment, "BIND_ADDRESS": self.address, "HOME": str(scratch), "TMPDIR": str(scratch)}
            ),
            log=supervisor.logs / f"{self.group.rpartition(':')[2]}-{name}.log",
            user=user,
            on_line=log.write if log else None,
            grace=float(container.get("stopTimeout") or _STOP_SECONDS),
            address=self._address_of(container),
        )

        def ended(exit_: Exit) -> None:
            self._exits[name] = exit_
            shutil.rmtree(scratch, ignore_errors=True)
            if container.get("essential", True):
                self.stop("EssentialContainerExited", "Essential container in task exited")

        def make() -> Process:
            try:
                return supervisor.start(spec, ended)
            except OSError as error:
                raise StartError(f"CannotStartContainerError: exec {spec.command[0]!r}: {error.strerror}") from error

        return name, make

    def _address_of(self, container: Document) -> str:
        mappings = rows(container, "portMappings")
        return f"{self.address}:{mappings[0]['containerPort']}" if mappings else self.address

    def _override(self, name: str) -> Document:
        overrides = rows(section(self.launch, "overrides"), "containerOverrides")
        return next((item for item in overrides if item.get("name") == name), Document())

    def _environment(self, container: Document, override: Document) -> dict[str, str]:
        environment = machine().container_environment(self.region)
        for item in (*rows(container, "environment"), *rows(override, "environment")):
            environment[item["name"]] = item["value"]
        for item in rows(container, "secrets"):
            try:
                environment[item["name"]] = resolve(item["valueFrom"], self.account, self.region)
            except ValueMissingError as error:
                raise StartError(
                    "ResourceInitializationError: unable to pull secrets or registry auth: "
                    f"execution resource retrieval failed: {error}"
                ) from error
        return environment

    def _log_stream(self, container: Document) -> LogStream | None:
        config = section(container, "logConfiguration")
        if config.get("logDriver") != "awslogs":
            return None
        options = section(config, "options")
        create = options.get("awslogs-create-group") == "true"
        prefix = options.get("awslogs-stream-prefix", "ecs")
        stream = f"{prefix}/{container['name']}/{self.id}"
        log = LogStream(
            self.account,
            options.get("awslogs-region", self.region),
            options["awslogs-group"],
            stream,
            create_group=create,
        )
        if not log.exists:
            raise StartError(
                "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "
                "failed to create Cloudwatch log stream: ResourceNotFoundException: "
                f"The specified log group does not exist: {options['awslogs-group']}"
            )
        return log

    def _stop(self) -> None:
        if self.last_status == "RUNNING":
            self._enter("DEACTIVATING")
        self._enter("STOPPING")
        with self._lock:
            processes = list(self._processes.values())
        threads = [threading.Thread(target=process.stop) for process in processes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.stopped_at = utcnow()
        machine().supervisor.addresses.give_back(self.address)
        self._enter("STOPPED")

    def _enter(self, status: str) -> None:
        self.last_status = status
        self.on_change(self)
