from collections.abc import Iterator
from typing import Any

import pytest

from pipelines import aws as clients
from pipelines import deploy, images
from pipelines.errors import PipelineError
from pipelines.progress import Progress
from stacks.outputs import Image, PlatformOutputs


class Registered:
    """A repository that holds what was published to it."""

    def __init__(self) -> None:
        self.uris: list[str] = []

    def publish(self, image: Image, progress: Progress) -> None:
        del progress
        self.uris.append(image.uri)


class Services:
    """ECS as far as a deployment asks it: each answer is taken from a list, the last one for ever."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self._answers: Iterator[dict[str, Any]] = iter(answers)
        self._last: dict[str, Any] = {}
        self.restarted: list[str] = []

    def describe_services(self, *, cluster: str, services: list[str]) -> dict[str, Any]:
        del cluster, services
        self._last = next(self._answers, self._last)
        return {"services": [self._last] if self._last else []}

    def update_service(self, *, cluster: str, service: str, forceNewDeployment: bool) -> None:  # noqa: N803 - AWS's name
        assert forceNewDeployment
        self.restarted.append(f"{cluster}/{service}")


def _state(running: int, *, rollout: str = "COMPLETED", deployments: int = 1, event: str = "") -> dict[str, Any]:
    return {
        "runningCount": running,
        "desiredCount": 1,
        "deployments": [{"rolloutState": rollout}] * deployments,
        "events": [{"message": event}] if event else [],
    }


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Registered:
    registered = Registered()

    def exists(image: Image) -> bool:
        return image.uri in registered.uris

    monkeypatch.setattr(images, "exists", exists)
    return registered


def _ecs(monkeypatch: pytest.MonkeyPatch, *answers: dict[str, Any]) -> Services:
    services = Services(*answers)
    monkeypatch.setattr(clients, "ecs", lambda: services)
    return services


def test_images_are_published_once_and_only_their_services_restarted(
    outputs: PlatformOutputs, published: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = _ecs(monkeypatch, _state(0, rollout="IN_PROGRESS"), _state(1, deployments=2), _state(1))
    first = deploy.deploy(outputs, published)
    second = deploy.deploy(outputs, published)
    assert outputs.training
    assert outputs.registry
    assert sorted(first.published) == sorted({outputs.training.image.uri, outputs.registry.image.uri})
    assert first.restarted == ["registry"]
    assert second == deploy.Deployed(published=[], restarted=[])
    assert services.restarted == ["mlp/registry"]
    assert len(published.uris) == 2


def test_naming_a_stage_leaves_the_others_alone(
    outputs: PlatformOutputs, published: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ecs(monkeypatch)
    assert outputs.training
    assert deploy.deploy(outputs, published, stages=["training"]).published == [outputs.training.image.uri]


def test_an_unknown_stage_names_those_with_images(outputs: PlatformOutputs, published: Registered) -> None:
    with pytest.raises(
        PipelineError, match="for labeling in test; the stages with images are registry, serving, train"
    ):
        deploy.deploy(outputs, published, stages=["labeling"])


def test_a_deployment_that_fails_tells_the_services_events(monkeypatch: pytest.MonkeyPatch) -> None:
    _ecs(monkeypatch, _state(0, rollout="FAILED", event="task failed container health checks"))
    with pytest.raises(PipelineError, match="registry did not become stable: task failed container health checks"):
        deploy.wait_until_stable("mlp", "registry")


def test_waiting_for_a_service_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    _ecs(monkeypatch, _state(0, rollout="IN_PROGRESS", event="CannotPullContainerError"))
    with pytest.raises(PipelineError, match="CannotPullContainerError"):
        deploy.wait_until_stable("mlp", "registry", seconds=0.3)


def test_a_service_that_is_not_there_says_what_to_call(monkeypatch: pytest.MonkeyPatch) -> None:
    _ecs(monkeypatch)
    with pytest.raises(PipelineError, match="no ECS service registry in mlp; call `mlp up` first"):
        deploy.wait_until_stable("mlp", "registry")
