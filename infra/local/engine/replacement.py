"""Which dependents must be replaced together with a resource that is deleted before its successor exists."""

from collections.abc import Callable, Set

from infra.local.engine import urns
from infra.local.engine.providers import Providers
from infra.local.engine.resources import Resource
from infra.local.engine.state import State
from infra.local.engine.values import UNKNOWN


def dependents_to_replace(
    state: State,
    providers: Providers,
    prepare: Callable[[Resource], None],
    replaced: Resource,
    settled: Set[str],
) -> dict[int, Resource]:
    """Recorded resources that cannot outlive `replaced`, by number.

    A dependent goes too if its provider would replace it once the properties that come from the replaced resource are
    unknown; its own dependents are then asked in turn. Those in `settled` (URNs) the program has registered already.
    """
    found: dict[int, Resource] = {}
    waiting = [replaced]
    while waiting:
        gone = waiting.pop()
        for key, resource in state.items():
            if key in found or resource.urn in settled or resource.urn == replaced.urn or resource.delete:
                continue
            if _must_go(providers, prepare, resource, gone.urn):
                found[key] = resource
                waiting.append(resource)
    return found


def _must_go(providers: Providers, prepare: Callable[[Resource], None], resource: Resource, gone: str) -> bool:
    if not resource.custom or resource.external or urns.is_provider_type(resource.type):
        return False
    touched = [key for key, depended in resource.property_dependencies.items() if gone in depended]
    if not touched:
        return False
    prepare(resource)
    inputs = resource.inputs | dict.fromkeys(touched, UNKNOWN)
    return bool(providers.diff(resource.provider, resource, inputs, ()).replace_keys)
