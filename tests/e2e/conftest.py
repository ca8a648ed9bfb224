"""The platform, deployed by the command on an embedded AWS of its own."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines import platform
from pipelines.progress import Progress
from stacks.outputs import PlatformOutputs

ROOT = Path(__file__).parents[2]
VARIABLES = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_REGION": "eu-west-1",
}


@dataclass(frozen=True)
class Deployment:
    """A deployed `local` environment and the command that changes it."""

    environment: dict[str, str]
    """Of the command's process."""
    added: dict[str, str]
    """What of it sends boto3 to this deployment."""
    outputs: PlatformOutputs

    @contextmanager
    def active(self) -> Generator[None]:
        """This process talks to the deployment while it lasts."""
        with pytest.MonkeyPatch.context() as patched:
            for name, value in self.added.items():
                patched.setenv(name, value)
            yield

    def mlp(self, *arguments: str) -> str:
        """Standard output of the command. Fails the test with its standard error when it fails."""
        command = [str(Path(sys.executable).parent / "mlp"), *arguments]
        ended = subprocess.run(
            command, env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False
        )
        assert ended.returncode == 0, ended.stderr[-3000:]
        return ended.stdout

    def up(self) -> None:
        """Bring the stack up to what its inputs say."""
        self.mlp("up", "--stack", "local", "--yes", "--json")


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Generator[Deployment, None, None]:
    home = tmp_path_factory.mktemp("home")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{probe.getsockname()[1]}"
    added = {**VARIABLES, "MLP_HOME": str(home), "AWS_ENDPOINT_URL": endpoint}
    first = Deployment({**os.environ, **added}, added, PlatformOutputs.model_construct())
    try:
        first.up()
        first.mlp("deploy", "--stack", "local")
        with first.active():
            outputs = platform.load("local")
        yield Deployment(first.environment, added, outputs)
    finally:
        try:
            first.mlp("destroy", "--stack", "local", "--yes")
        finally:
            first.mlp("local", "stop")


@pytest.fixture(autouse=True)
def _pointed_at_it(request: pytest.FixtureRequest) -> Generator[None, None, None]:
    """A test that uses the deployment runs with boto3 pointed at it; no other test does."""
    if "deployment" not in request.fixturenames:
        yield
        return
    deployed: Deployment = request.getfixturevalue("deployment")
    with deployed.active():
        yield


@pytest.fixture
def told() -> tuple[list[str], Progress]:
    """What a pipeline said, and the callable to say it to."""
    lines: list[str] = []
    tell: Callable[[str, str], None] = lambda step, message: lines.append(f"{step}: {message}")  # noqa: E731 - typed
    return lines, tell
