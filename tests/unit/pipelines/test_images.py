import json
from pathlib import Path

import pytest

from pipelines import aws as clients
from pipelines.errors import PipelineError
from pipelines.images import FOLDER_ANNOTATION, ContainerEngineImages, FolderImages, ensure, tag
from stacks.outputs import Image
from tests.support.outputs import image

ROOT = Path(__file__).parents[3]
IMAGE = image("pipelines/training/image", "mlp-test/training")


@pytest.fixture
def repository(aws: None) -> Image:
    del aws
    clients.ecr().create_repository(repositoryName=IMAGE.repository, imageTagMutability="IMMUTABLE")
    return IMAGE


def test_a_folder_is_registered_once_under_its_tag(repository: Image) -> None:
    assert ensure(repository, FolderImages(ROOT))
    assert not ensure(repository, FolderImages(ROOT))
    found = clients.ecr().batch_get_image(
        repositoryName=repository.repository, imageIds=[{"imageTag": tag(repository)}]
    )["images"]
    manifest = json.loads(found[0].get("imageManifest", ""))
    assert manifest["annotations"] == {FOLDER_ANNOTATION: repository.folder}


@pytest.mark.usefixtures("aws")
def test_a_missing_repository_says_what_to_call() -> None:
    with pytest.raises(PipelineError, match="no ECR repository mlp-test/training; call `mlp up` first"):
        ensure(IMAGE, FolderImages(ROOT))


def test_a_folder_without_a_dockerfile_is_no_image(repository: Image, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="has no Dockerfile"):
        ensure(repository, FolderImages(tmp_path))


def test_without_a_container_engine_the_error_names_those_that_would_do(
    repository: Image, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PipelineError, match="none of docker, podman is on PATH"):
        ensure(repository, ContainerEngineImages(ROOT))


def _engine(folder: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> Path:
    """A command `docker` that writes down what it was called with and read."""
    log = folder / "log"
    script = folder / "docker"
    script.write_text(f'#!/bin/sh\necho "$@" >> {log}\ncase "$1" in login) cat >> {log}.stdin ;; esac\n{ending}\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return log


def test_a_container_engine_builds_logs_in_and_pushes_with_the_password_on_standard_input(
    repository: Image, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = _engine(tmp_path, monkeypatch, "exit 0")
    assert ensure(repository, ContainerEngineImages(ROOT))
    build, login, push = log.read_text().splitlines()
    password = (tmp_path / "log.stdin").read_text()
    assert build == f"build --platform linux/amd64 --tag {repository.uri} {ROOT / repository.folder}"
    assert login.startswith("login --username AWS --password-stdin https://123456789012.dkr.ecr")
    assert push == f"push {repository.uri}"
    assert password
    assert password not in log.read_text()


def test_a_build_that_fails_shows_its_last_lines(
    repository: Image, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _engine(tmp_path, monkeypatch, "echo no space left >&2\nexit 3")
    with pytest.raises(PipelineError, match="ended with status 3:\nno space left"):
        ensure(repository, ContainerEngineImages(ROOT))
