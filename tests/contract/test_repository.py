"""What every file of the repository keeps to."""

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ("stacks", "components", "infra", "pipelines", "policies", "cli", "__main__.py")


@cache
def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


@cache
def _trees() -> dict[Path, ast.Module]:
    files = [path for path in _tracked() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in SOURCE]
    return {path: ast.parse(path.read_text(), filename=str(path)) for path in files}


def test_no_lock_or_file_names_the_host_of_a_package_registry() -> None:
    # Spelled apart so that this file does not name them either.
    hosts = re.compile(r"(pypi\.|pythonhosted\.|repo1\.maven\.|crates\.|registry\.npmjs\.)(org|io)")
    found = [str(path.relative_to(ROOT)) for path in _tracked() if hosts.search(path.read_text(errors="ignore"))]
    assert found == []


def test_no_source_branches_on_the_name_of_an_environment() -> None:
    names = {"environment", "env", "stack"}

    def compares_environment(node: ast.AST) -> bool:
        if not isinstance(node, ast.Compare):
            return False
        sides = [node.left, *node.comparators]
        named = any(
            (isinstance(side, ast.Name) and side.id in names)
            or (isinstance(side, ast.Attribute) and side.attr in names)
            for side in sides
        )
        return named and any(isinstance(side, ast.Constant) and isinstance(side.value, str) for side in sides)

    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in _trees().items()
        for node in ast.walk(tree)
        if compares_environment(node) and isinstance(node, ast.Compare)
    ]
    assert found == []


def test_annotations_are_never_postponed_because_the_component_analyzer_reads_them() -> None:
    found = [
        str(path.relative_to(ROOT))
        for path, tree in _trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
    ]
    assert found == []


def test_every_ignore_carries_its_reason() -> None:
    ignore = re.compile(r"#\s*(noqa|pyright:\s*ignore|type:\s*ignore)(?P<rest>.*)")
    bare: list[str] = []
    for path in _tracked():
        if path.suffix != ".py":
            continue
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            match = ignore.search(line)
            if match and not re.search(r"[\])\dA-Za-z]\s*(#|-|:)\s+\w+", match["rest"]):
                bare.append(f"{path.relative_to(ROOT)}:{number}")
    assert bare == []


@pytest.mark.parametrize("folder", ["training/image", "registry/server", "experimentation"])
def test_an_image_is_a_folder_with_its_own_lock(folder: str) -> None:
    image = ROOT / "pipelines" / folder
    assert {"Dockerfile", "pyproject.toml", "requirements.lock"} <= {path.name for path in image.iterdir()}


def test_one_module_of_the_engine_touches_the_sdks_runtime() -> None:
    engine = ROOT / "infra" / "local" / "engine"

    def imported(tree: ast.Module) -> set[str]:
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        return names | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    touching = {
        path.name
        for path, tree in _trees().items()
        if path.parent == engine and any(name.startswith("pulumi.runtime") for name in imported(tree))
    }
    assert touching == {"sdk.py"}
