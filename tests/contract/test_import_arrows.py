"""What each package may import, as lists of what is allowed; layers are import-linter's (pyproject.toml)."""

from functools import cache

import grimp
import pytest

PACKAGES = ("stacks", "components", "infra", "pipelines", "policies", "cli")


@cache
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, include_external_packages=True, cache_dir=None)


def _arrows(source: str, target: str) -> set[tuple[str, str]]:
    """Direct imports from modules in or below `source` to modules in or below `target`."""
    graph = _graph()
    return {
        (importer, imported)
        for importer in graph.modules
        if importer == source or importer.startswith(source + ".")
        for imported in graph.find_modules_directly_imported_by(importer)
        if imported == target or imported.startswith(target + ".")
    }


def _foreign(source: str, allowed: tuple[str, ...]) -> set[tuple[str, str]]:
    """Arrows from `source` to any package of ours outside itself and the allowed modules."""
    return {
        (importer, imported)
        for package in PACKAGES
        for importer, imported in _arrows(source, package)
        if not any(imported == each or imported.startswith(each + ".") for each in (source, *allowed))
    }


@pytest.mark.parametrize(
    ("source", "allowed"),
    [
        ("stacks", ("components", "infra")),
        ("components", ("infra",)),
        ("pipelines", ("stacks.outputs",)),
        ("policies", ("infra.tags",)),
        ("infra.local", ()),
        ("stacks.outputs", ()),
        ("infra.tags", ()),
    ],
)
def test_a_package_imports_only_what_lies_below_it(source: str, allowed: tuple[str, ...]) -> None:
    assert _foreign(source, allowed) == set()


def test_the_foundation_does_not_know_the_local_cloud() -> None:
    assert {arrow for arrow in _arrows("infra", "infra.local") if not arrow[0].startswith("infra.local")} == set()


def test_components_do_not_reach_into_the_local_cloud() -> None:
    assert _arrows("components", "infra.local") | _arrows("stacks", "infra.local") == set()


@pytest.mark.parametrize("external", ["pulumi", "pulumi_aws", "pulumi_policy", "moto"])
def test_pipelines_know_nothing_of_provisioning(external: str) -> None:
    assert _arrows("pipelines", external) == set()
