"""Deleting resources in parallel, each after everything that refers to it."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace

from infra.local.engine import urns
from infra.local.engine.events import Operation
from infra.local.engine.providers import Providers
from infra.local.engine.reporting import Report
from infra.local.engine.resources import Resource
from infra.local.engine.state import State


def in_order(doomed: Mapping[int, Resource]) -> dict[int, set[int]]:
    """For each number the numbers that must be deleted before it: those whose resource refers to it."""
    by_urn: dict[str, list[int]] = {}
    for key, resource in doomed.items():
        by_urn.setdefault(resource.urn, []).append(key)
    before: dict[int, set[int]] = {key: set() for key in doomed}
    for key, resource in doomed.items():
        for urn in resource.references():
            for needed in by_urn.get(urn, ()):
                before[needed].add(key)
    return before


def run_ordered(
    before: Mapping[int, set[int]], work: Callable[[int], None], parallel: int
) -> list[tuple[int, BaseException]]:
    """Do `work` for every number once all before it are done; what waits for a failed one is left out."""
    waiting = {key: set(needed) for key, needed in before.items()}
    failures: list[tuple[int, BaseException]] = []
    with ThreadPoolExecutor(parallel, thread_name_prefix="delete") as pool:
        running: dict[Future[None], int] = {}
        while True:
            for key in [key for key, needed in waiting.items() if not needed]:
                del waiting[key]
                running[pool.submit(work, key)] = key
            if not running:
                return failures
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                key = running.pop(future)
                problem = future.exception()
                if problem is not None:
                    failures.append((key, problem))
                    continue
                for needed in waiting.values():
                    needed.discard(key)


class Removal:
    """Deletes recorded resources; `provider_of` makes a resource's provider ready to be called."""

    def __init__(
        self, state: State, providers: Providers, report: Report, provider_of: Callable[[Resource], None]
    ) -> None:
        self._state = state
        self._providers = providers
        self._report = report
        self._provider_of = provider_of

    def plan(self, keys: Iterable[int]) -> dict[int, Resource]:
        """The resources of these numbers that are still recorded."""
        found = ((key, self._state.get(key)) for key in keys)
        return {key: resource for key, resource in found if resource is not None}

    def run(self, doomed: Mapping[int, Resource], parallel: int, *, dry_run: bool) -> None:
        """Delete all of them; failures are recorded in the report, the rest goes on."""
        gone = {resource.urn for resource in doomed.values() if not resource.delete}

        def work(key: int) -> None:
            self.delete(key, doomed[key], dry_run=dry_run, with_owner=doomed[key].deleted_with in gone)

        for key, problem in run_ordered(in_order(doomed), work, 1 if dry_run else parallel):
            self._report.fail(doomed[key].urn, problem)

    def delete(self, key: int, resource: Resource, *, dry_run: bool, with_owner: bool = False) -> None:
        """Delete one resource and its record.

        The provider is not asked for a resource that it did not make (components, looked-up ones), that is to be
        retained, or that goes with the one it is `deletedWith`.
        """
        real = resource.custom and not resource.external and not urns.is_provider_type(resource.type)
        if resource.external:
            self._state.end(remove=[key])
            return
        with self._report.operation(resource.urn, Operation.DELETE):
            if real and not dry_run and not with_owner and not resource.retain_on_delete:
                self._provider_of(resource)
                self._report.conceal(resource.inputs, resource.outputs)
                token = self._state.begin("deleting", replace(resource, delete=True))
                try:
                    self._providers.delete(resource.provider, resource)
                except BaseException:
                    self._state.end(token)
                    raise
                self._state.end(token, remove=[key])
            else:
                self._state.end(remove=[key])
        if not resource.delete:
            self._report.changed(Operation.DELETE, resource)
