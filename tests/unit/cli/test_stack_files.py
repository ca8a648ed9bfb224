"""A mistake in a stack file, met by the whole program: one sentence that names it, and nothing is deployed."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.local.engine import Engine, Event
from infra.local.errors import LocalError

ROOT = Path(__file__).parents[3]
LOOPBACK = "http://127.0.0.1:4566"


def unprovided() -> Any:
    """No provider may be asked for anything before the configuration is right."""
    raise AssertionError("a provider was made")


def preview(folder: Path, stack: str, path: str = "", value: object = None) -> str:
    """What the program's preview is refused with; the value at a path of its stack file is changed before."""
    shutil.copyfile(ROOT / "__main__.py", folder / "__main__.py")
    document = yaml.safe_load((ROOT / "stacks" / f"Pulumi.{stack}.yaml").read_text("utf-8"))
    if path:
        *parents, last = path.split(".")
        node: Any = document["config"]
        for step in parents:
            node = node[int(step) if step.isdigit() else step]
        node[last] = value
    (folder / "stacks").mkdir()
    (folder / "stacks" / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(document))
    events: list[Event] = []
    engine = Engine(
        project="mlp",
        stack=stack,
        root=folder,
        backend=folder / "state",
        passphrase="a passphrase",
        providers={"aws": unprovided},
        on_event=events.append,
    )
    with pytest.raises(LocalError) as raised:
        engine.preview()
    assert "Traceback" not in "".join([str(raised.value), *(event.message for event in events)])
    assert not list((folder / "state").rglob("*.log"))
    return str(raised.value)


@pytest.mark.parametrize(
    ("stack", "path", "value", "problem"),
    [
        ("local", "mlp:servng", {}, "servng: unknown key or stage, allowed are "),
        ("local", "mlp:servng", {}, "did you mean serving?"),
        ("local", "mlp:serving.variants.0.wieght", 100, "serving.variants[0].wieght: unknown key, allowed are "),
        ("local", "mlp:registry.tasks", "many", "registry.tasks: must be a valid integer, "),
        ("local", "mlp:registry.tasks", "many", "got 'many'"),
        ("local", "mlp:serving.variants.0.weight", 90, "serving.variants: weights must sum to 100, got 90; change one"),
        (
            "local",
            "mlp:endpoint",
            "https://sts.amazonaws.com",
            "endpoint: must be a loopback address, as http://127.0.0.1:4566, got 'https://sts.amazonaws.com'",
        ),
        ("prod", "mlp:endpoint", LOOPBACK, f"endpoint: only local has one, got '{LOOPBACK}'; remove mlp:endpoint"),
    ],
)
def test_a_mistake_is_named_with_the_value_and_the_change_to_make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stack: str, path: str, value: object, problem: str
) -> None:
    if stack == "local":
        monkeypatch.setenv("AWS_ENDPOINT_URL", LOOPBACK)
    else:
        monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    said = preview(tmp_path, stack, path, value)
    assert problem in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("stack", "variable", "problem"),
    [
        ("local", "https://sts.amazonaws.com", "must be a loopback address for local, got 'https://sts.amazonaws.com'"),
        ("local", "", "AWS_ENDPOINT_URL is not set; start with `mlp up`"),
        ("prod", LOOPBACK, "AWS_ENDPOINT_URL"),
    ],
)
def test_the_place_in_the_environment_variable_is_checked_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stack: str, variable: str, problem: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", variable)
    said = preview(tmp_path, stack)
    assert problem in said
    assert repr(variable) in said or not variable
    assert "\n" not in said
