"""A stack goes back and forth between this engine and the Pulumi CLI, on the same state and the same provider."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.engine_stack import EngineStack, changes

ROOT = Path(__file__).parents[3]
PASSPHRASE = "a passphrase"

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(240),
    pytest.mark.skipif(shutil.which("pulumi") is None, reason="the Pulumi CLI is not on PATH"),
]

PROJECT = f"""
name: proj
runtime:
  name: python
  options:
    toolchain: pip
    virtualenv: {sys.prefix}
stackConfigDir: stacks
"""

PROGRAM = """
import pulumi
from tests.support.directory_cloud import DirProvider, Group, Item, Twin

config = pulumi.Config()
size = config.get_int("size") or 1
links = {"n": [1, 2.5, True, None]}
first = Item("first", {"size": size, "secret": pulumi.Output.secret("canary-4711"), "links": links})
second = Item("second", {"links": [first.arn]}, pulumi.ResourceOptions(depends_on=[first], protect=False))
group = Group("group", 2)
mine = DirProvider("mine", {"realm": "x"})
Item("explicit", {"size": 3}, pulumi.ResourceOptions(provider=mine, additional_secret_outputs=["arn"]))
Twin("twin", {"key": "k"})
Item("inside", {"size": 1}, pulumi.ResourceOptions(parent=group, aliases=[pulumi.Alias(name="was")]))
pulumi.export("arn", first.arn)
pulumi.export("secret", first.secret)
pulumi.export("total", group.total)
"""

PLUGIN = f"""#!{sys.executable}
import sys
from pathlib import Path
from pulumi.provider.experimental import server
from tests.support.directory_cloud import DirectoryProvider
server.main(sys.argv[1:], "1.2.3", DirectoryProvider(Path({{cloud!r}})))
"""


class Both:
    """One stack and two engines."""

    def __init__(self, folder: Path) -> None:
        self.stack = EngineStack(folder)
        (folder / "stacks").mkdir()
        (folder / "Pulumi.yaml").write_text(PROJECT)
        (folder / "__main__.py").write_text(PROGRAM)
        self.configure(1)
        plugin = folder / "bin" / "pulumi-resource-dir"
        plugin.parent.mkdir()
        plugin.write_text(PLUGIN.format(cloud=str(folder / "cloud")))
        plugin.chmod(0o755)

    def configure(self, size: int) -> None:
        """Set the program's one setting."""
        (self.stack.folder / "stacks" / "Pulumi.dev.yaml").write_text(f"config:\n  proj:size: {size}\n")

    def embedded(self, operation: str) -> dict[str, int]:
        """Run an operation of this engine; what changed."""
        return dict(changes(getattr(self.stack.engine(config=None, passphrase=PASSPHRASE), operation)()))

    def cli(self, *arguments: str) -> str:
        """Run the CLI; its output."""
        folder = self.stack.folder
        self.stack.backend.mkdir(exist_ok=True)
        environment = os.environ | {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PULUMI_HOME": str(folder / "pulumi-home"),
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_BACKEND_URL": f"file://{self.stack.backend}",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        }
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--stack", "dev"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def both(tmp_path: Path) -> Both:
    return Both(tmp_path)


def test_the_cli_accepts_and_continues_a_stack_of_this_engine(both: Both) -> None:
    assert both.embedded("up") == {"create": 10}
    assert "10 unchanged" in both.cli("preview", "--expect-no-changes")
    assert "canary-4711" in both.cli("stack", "output", "secret", "--show-secrets")
    both.configure(2)
    both.cli("up", "--yes", "--skip-preview")
    assert both.embedded("preview") == {}
    assert both.embedded("refresh") == {}
    assert both.stack.engine(passphrase=PASSPHRASE).outputs(show_secrets=True)["secret"] == "canary-4711"
    assert both.embedded("destroy") == {"delete": 10}
    assert both.stack.cloud.resources() == {}


def test_this_engine_accepts_and_continues_a_stack_of_the_cli(both: Both) -> None:
    both.cli("stack", "init")
    both.cli("up", "--yes", "--skip-preview")
    assert both.embedded("preview") == {}
    both.configure(2)
    assert both.embedded("up") == {"update": 1}
    # The CLI keeps its salt in the stack file, which is written anew here.
    both.cli("preview", "--expect-no-changes", "--refresh")
    both.cli("destroy", "--yes", "--skip-preview")
    assert both.stack.cloud.resources() == {}
    assert both.embedded("up") == {"create": 10}
