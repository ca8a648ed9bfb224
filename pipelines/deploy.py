"""`deploy`: the images that the stages ask for, and the services that run them."""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from pipelines import aws
from pipelines.errors import PipelineError
from pipelines.images import Images, ensure
from pipelines.progress import Progress, silent, until
from stacks.outputs import Image, PlatformOutputs

STABLE_SECONDS = 600
"""How long a service may take to run its new tasks."""


class Deployed(BaseModel):
    """What a deployment did."""

    published: list[str]
    """Addresses of the images that were not there before."""
    restarted: list[str]
    """ECS services that were told to run a new image."""


def images(outputs: PlatformOutputs) -> Iterator[tuple[str, Image]]:
    """Stage and image, for every deployed stage that has one."""
    for stage in type(outputs).model_fields:
        image = getattr(getattr(outputs, stage), "image", None)
        if isinstance(image, Image):
            yield stage, image


def services(outputs: PlatformOutputs) -> Iterator[tuple[str, str, str]]:
    """Stage, ECS cluster and service, for every deployed stage that runs one."""
    for stage in type(outputs).model_fields:
        section = getattr(outputs, stage)
        if hasattr(section, "cluster") and hasattr(section, "service"):
            yield stage, section.cluster, section.service


def deploy(
    outputs: PlatformOutputs, publisher: Images, *, stages: Sequence[str] = (), progress: Progress = silent
) -> Deployed:
    """Publish the images of the stages (of all, when none is named) and wait until their services run them.

    Raises PipelineError for an unknown stage and for a service that does not become stable.
    """
    wanted = _wanted(outputs, stages)
    published: dict[str, str] = {}
    seen: set[str] = set()
    for stage, image in images(outputs):
        if stage not in wanted:
            continue
        if image.uri not in seen and ensure(image, publisher, progress):
            published[stage] = image.uri
        seen.add(image.uri)
    restarted: list[str] = []
    running = [(cluster, service) for stage, cluster, service in services(outputs) if stage in wanted]
    for stage, cluster, service in services(outputs):
        if stage in published:
            aws.ecs().update_service(cluster=cluster, service=service, forceNewDeployment=True)
            restarted.append(service)
    for cluster, service in running:
        wait_until_stable(cluster, service, progress=progress)
    return Deployed(published=sorted(set(published.values())), restarted=restarted)


def _wanted(outputs: PlatformOutputs, stages: Sequence[str]) -> set[str]:
    known = {stage for stage, _ in images(outputs)}
    if unknown := sorted(set(stages) - known):
        raise PipelineError(
            f"no image to deploy for {', '.join(unknown)} in {outputs.environment}; "
            f"the stages with images are {', '.join(sorted(known)) or 'none'}"
        )
    return set(stages) or known


def wait_until_stable(
    cluster: str, service: str, *, seconds: float = STABLE_SECONDS, progress: Progress = silent
) -> None:
    """Return when the service runs as many tasks as it wants, of its newest deployment only.

    Raises PipelineError with the service's last events when the deployment fails or takes longer than `seconds`.
    """
    ecs = aws.ecs()
    told = ""
    found: dict[str, Any] = {}
    for _ in until(seconds):
        answer = ecs.describe_services(cluster=cluster, services=[service])["services"]
        if not answer:
            raise PipelineError(f"there is no ECS service {service} in {cluster}; call `mlp up` first")
        found = dict(answer[0])
        running, desired = found.get("runningCount", 0), found.get("desiredCount", 0)
        deployments = found.get("deployments", [])
        states = [each.get("rolloutState", "COMPLETED") for each in deployments]
        if running == desired and len(deployments) <= 1 and all(state == "COMPLETED" for state in states):
            progress("deploy", f"{service} is stable with {running} of {desired} tasks")
            return
        if states and states[0] == "FAILED":
            break
        state = f"{running} of {desired} tasks run{_newest_event(found)}"
        if state != told:
            progress("deploy", f"{service}: {state}")
            told = state
    raise PipelineError(f"{service} did not become stable: {_last_events(found)}")


def _newest_event(service: dict[str, Any]) -> str:
    events = service.get("events", [])
    return f"; {events[0]['message']}" if events else ""


def _last_events(service: dict[str, Any]) -> str:
    return "; ".join(event["message"] for event in service.get("events", [])[:3]) or "it reported no event"
