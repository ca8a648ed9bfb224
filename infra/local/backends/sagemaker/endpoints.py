"""An endpoint: its live fleet, the states it goes through, and guarded updates."""

import random
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.core.utils import utcnow
from moto.sagemaker.exceptions import AWSValidationException

from infra.local.backends.machine import machine
from infra.local.backends.members import Document, rows
from infra.local.backends.sagemaker import capture
from infra.local.backends.sagemaker.documents import EndpointConfig, Kept
from infra.local.backends.sagemaker.fleet import Fleet, FleetError, ModelServer
from infra.local.backends.sagemaker.rollout import Plan, RolloutError, plan, retained

_ALARM_POLL = 0.25


class RolledBackError(Exception):
    """An update was called off; the text is the failure reason."""


@dataclass
class Generation:
    """A fleet with the configuration it was made from and its variants' live weights and counts."""

    config: EndpointConfig
    fleet: Fleet
    properties: dict[str, Document]
    capture: Document | None

    def choose(self, target: str | None) -> ModelServer | None:
        """The target variant, or one drawn by weight; None when there is none."""
        if target is not None:
            return self.fleet.servers.get(target)
        names = list(self.properties)
        if len(names) == 1:
            return self.fleet.servers[names[0]]
        weights = [self.properties[name]["CurrentWeight"] for name in names]
        if sum(weights) <= 0:
            return None
        return self.fleet.servers[random.choices(names, weights)[0]]  # noqa: S311 - traffic, not secrets


@dataclass
class Endpoint(Kept):
    """A live endpoint."""

    backend: Any = None
    status: str = "Creating"
    failure_reason: str | None = None
    live: Generation | None = None
    arriving: Generation | None = None
    share: float = 0.0
    deployment: Document | None = None
    _deleted: threading.Event = field(default_factory=threading.Event)

    @property
    def endpoint_name(self) -> str:
        """Name, as moto's search calls it."""
        return self.name

    def create(self, config: EndpointConfig) -> None:
        """Start the first fleet; returns at once."""
        generation = self._generation(config, None, retain=False, excluded=frozenset())
        self.request["EndpointConfigName"] = config.name
        self.arriving = generation
        threading.Thread(target=self._create, args=(generation,), name=f"endpoint {self.name}", daemon=True).start()

    def update(self, config: EndpointConfig, request: Document) -> None:
        """Start a rollout of another configuration; returns at once.

        Raises:
            AWSValidationException: the endpoint is not in service, or the deployment configuration is wrong.
        """
        with self.lock:
            if self.status != "InService" or self.live is None:
                raise AWSValidationException(f'Cannot update in-progress endpoint "{self.arn}".')
            deployment = request.get("DeploymentConfig")
            if request.get("RetainDeploymentConfig") and deployment is None:
                deployment = self.deployment
            excluded = frozenset(
                item["VariantPropertyType"] for item in rows(request, "ExcludeRetainedVariantProperties")
            )
            generation = self._generation(
                config, self.live, retain=bool(request.get("RetainAllVariantProperties")), excluded=excluded
            )
            instances = sum(item["CurrentInstanceCount"] for item in generation.properties.values())
            try:
                steps = plan(deployment, instances)
            except RolloutError as error:
                raise AWSValidationException(str(error)) from error
            self.deployment = deployment
            self.arriving, self.share = generation, 0.0
            self.failure_reason = None
            self._enter("Updating")
        threading.Thread(target=self._update, args=(generation, steps), name=f"update {self.name}", daemon=True).start()

    def reweigh(self, wanted: list[Document]) -> None:
        """Set weights and counts of live variants.

        Raises:
            AWSValidationException: the endpoint is not in service, or a variant is unknown or named twice.
        """
        with self.lock:
            if self.status != "InService" or self.live is None:
                raise AWSValidationException(f'Cannot update in-progress endpoint "{self.arn}".')
            names = [item["VariantName"] for item in wanted]
            for name in names:
                if names.count(name) > 1:
                    raise AWSValidationException(f'The variant name "{name}" was non-unique within the request.')
                if name not in self.live.properties:
                    raise AWSValidationException(
                        f'The variant name(s) "{name}" is/are not present within endpoint configuration '
                        f'"{self.live.config.name}".'
                    )
            for item in wanted:
                properties = self.live.properties[item["VariantName"]]
                if item.get("DesiredWeight") is not None:
                    properties["CurrentWeight"] = float(item["DesiredWeight"])
                if item.get("DesiredInstanceCount") is not None:
                    properties["CurrentInstanceCount"] = int(item["DesiredInstanceCount"])
            self.last_modified_time = utcnow()

    def delete(self, forget: Callable[[], Any]) -> None:
        """Stop every process; `forget` is called when they are gone. Returns at once."""
        with self.lock:
            if self._deleted.is_set():
                return
            self._deleted.set()
            self._enter("Deleting")

        def act() -> None:
            for generation in (self.arriving, self.live):
                if generation is not None:
                    generation.fleet.stop()
            capture.flush(self.arn)
            forget()

        threading.Thread(target=act, name=f"delete {self.name}", daemon=True).start()

    def route(self, target: str | None) -> tuple[Generation, ModelServer] | None:
        """Generation and server for one request; None when the endpoint cannot serve or knows no such variant."""
        live, arriving = self.live, self.arriving
        if live is None or self._deleted.is_set():
            return None
        shifted = arriving is not None and self.share > 0 and random.random() < self.share  # noqa: S311 - traffic, not secrets
        generation = arriving if shifted and arriving is not None else live
        server = generation.choose(target)
        return None if server is None else (generation, server)

    def document(self) -> Document:
        """What DescribeEndpoint answers."""
        with self.lock:
            shown = self.live or (self.arriving if self.status == "Creating" else None)
            document: Document = {
                "EndpointName": self.name,
                "EndpointArn": self.arn,
                "EndpointConfigName": self.request["EndpointConfigName"],
                "EndpointStatus": self.status,
                "CreationTime": self.creation_time,
                "LastModifiedTime": self.last_modified_time,
                "FailureReason": self.failure_reason,
                "LastDeploymentConfig": self.deployment,
            }
            if shown is not None:
                document["ProductionVariants"] = [self._summary(shown, name) for name in shown.properties]
                document["DataCaptureConfig"] = capture.summary(shown.capture)
            if self.status == "Updating" and self.arriving is not None:
                document["PendingDeploymentSummary"] = {
                    "EndpointConfigName": self.arriving.config.name,
                    "ProductionVariants": [{"VariantName": name} for name in self.arriving.properties],
                    "StartTime": self.last_modified_time,
                }
            return {key: value for key, value in document.items() if value is not None}

    def summary(self) -> Document:
        """What ListEndpoints answers."""
        document = self.document()
        return {
            key: document[key]
            for key in ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
        }

    def _summary(self, generation: Generation, name: str) -> Document:
        properties = generation.properties[name]
        image = generation.fleet.servers[name].model.container["Image"]
        return {
            "VariantName": name,
            "DeployedImages": [{"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": self.creation_time}],
            "CurrentWeight": properties["CurrentWeight"],
            "DesiredWeight": properties["CurrentWeight"],
            "CurrentInstanceCount": properties["CurrentInstanceCount"],
            "DesiredInstanceCount": properties["CurrentInstanceCount"],
        }

    def _generation(
        self, config: EndpointConfig, live: Generation | None, *, retain: bool, excluded: frozenset[str]
    ) -> Generation:
        folder = machine().supervisor.data / "endpoints" / self.name / uuid.uuid4().hex[:8]
        servers: list[ModelServer] = []
        properties: dict[str, Document] = {}
        for variant in config.variants:
            name = variant["VariantName"]
            weight, count = retained(
                variant, live.properties.get(name) if live else None, retain=retain, excluded=excluded
            )
            properties[name] = {"CurrentWeight": weight, "CurrentInstanceCount": count}
            model = self.backend.model(variant["ModelName"])
            servers.append(
                ModelServer(self.name, variant, model, self.backend.account_id, self.backend.region_name, folder / name)
            )
        captured = config.request.get("DataCaptureConfig")
        if retain and live is not None and "DataCaptureConfig" not in excluded:
            captured = live.capture
        return Generation(config, Fleet(servers), properties, captured)

    def _create(self, generation: Generation) -> None:
        try:
            generation.fleet.start()
        except FleetError as error:
            self._finish(None, "Failed", str(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours must fail the endpoint, not leave it creating for ever
            self._finish(None, "Failed", f"InternalServerError: {error!r}")
        else:
            self._finish(generation, "InService", None)

    def _update(self, generation: Generation, steps: Plan) -> None:
        old = self.live
        try:
            self._check_alarms(steps)
            generation.fleet.start()
            deadline = time.monotonic() + steps.timeout
            for step in steps.steps:
                self.share = step.share
                self._bake(step.bake, steps, deadline)
            self._bake(steps.termination_wait, steps, deadline)
        except (FleetError, RolledBackError) as error:
            self._roll_back(generation, str(error))
            return
        except Exception as error:  # noqa: BLE001 - as above
            self._roll_back(generation, f"InternalServerError: {error!r}")
            return
        with self.lock:
            self.request["EndpointConfigName"] = generation.config.name
            self._finish(generation, "InService", None)
        if old is not None:
            old.fleet.stop()

    def _roll_back(self, generation: Generation, reason: str) -> None:
        with self.lock:
            self.share = 0.0
            self._enter("RollingBack")
        generation.fleet.stop()
        self._finish(self.live, "InService", reason)

    def _finish(self, live: Generation | None, status: str, reason: str | None) -> None:
        with self.lock:
            if self._deleted.is_set():
                abandoned = self.arriving
                if abandoned is not None:
                    abandoned.fleet.stop()
                return
            self.live, self.arriving, self.share = live, None, 0.0
            self.failure_reason = reason
            self._enter(status)

    def _enter(self, status: str) -> None:
        self.status = status
        self.last_modified_time = utcnow()

    def _bake(self, seconds: float, steps: Plan, deadline: float) -> None:
        end = time.monotonic() + seconds
        while True:
            self._check_alarms(steps)
            now = time.monotonic()
            if now >= end:
                return
            if now >= deadline:
                raise RolledBackError("Endpoint deployment exceeded MaximumExecutionTimeoutInSeconds.")
            if self._deleted.wait(min(_ALARM_POLL, end - now)):
                raise RolledBackError("Endpoint was deleted.")

    def _check_alarms(self, steps: Plan) -> None:
        if not steps.alarms:
            return
        alarms = cloudwatch_backends[self.backend.account_id][self.backend.region_name].alarms
        raised = [name for name in steps.alarms if name in alarms and alarms[name].state_value == "ALARM"]
        if raised:
            raise RolledBackError(
                f"Update to endpoint {self.name} was rolled back because one or more alarms in "
                f"AutoRollbackConfiguration are in ALARM state: {', '.join(raised)}."
            )
