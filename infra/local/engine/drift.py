"""Refresh: read every resource, report what differs from the record, and record what is there."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from infra.local.engine import urns
from infra.local.engine.events import Operation, Status
from infra.local.engine.paths import carry_over
from infra.local.engine.providers import Providers
from infra.local.engine.reporting import Report
from infra.local.engine.resources import Resource, now
from infra.local.engine.state import Recorded, State
from infra.local.engine.values import keep_secret, same


class Refresh:
    """Compares each recorded resource with what its provider reads."""

    def __init__(
        self, state: State, providers: Providers, report: Report, provider_of: Callable[[Resource], None]
    ) -> None:
        self._state = state
        self._providers = providers
        self._report = report
        self._provider_of = provider_of

    def run(self, parallel: int) -> None:
        """Read all resources at once; failures are recorded in the report."""
        with ThreadPoolExecutor(parallel, thread_name_prefix="refresh") as pool:
            list(pool.map(self._guarded, list(self._state.items())))
        self._state.prune()

    def _guarded(self, recorded: Recorded) -> None:
        key, resource = recorded
        if resource.delete or resource.external or not resource.custom or urns.is_provider_type(resource.type):
            if not resource.delete:
                self._report.changed(Operation.SAME, resource)
            return
        try:
            self._resource(key, resource)
        except Exception as problem:  # noqa: BLE001 - one resource that cannot be read must not hide the others
            self._report.fail(resource.urn, problem)

    def _resource(self, key: int, resource: Resource) -> None:
        self._report.conceal(resource.inputs, resource.outputs)
        with self._report.operation(resource.urn, Operation.REFRESH):
            self._provider_of(resource)
            found = self._providers.read(resource.provider, resource)
        if not found.id:
            self._report.note("it is gone", Status.WARNING, resource.urn, Operation.REFRESH)
            self._state.end(remove=[key])
            self._report.changed(Operation.DELETE, resource)
            return
        there = replace(resource, id=found.id, outputs=keep_secret(found.outputs, resource.outputs))
        # Drift is what the provider would change to get back to the recorded inputs. What it only computes may differ
        # from one reading to the next; that is recorded and is no news.
        wanted = resource.inputs
        if found.inputs:
            # Ignored properties stay as they are in the cloud, not as they once were wanted.
            wanted = carry_over(found.inputs, wanted, resource.ignore_changes)
        difference = self._providers.diff(resource.provider, there, wanted, resource.ignore_changes)
        if difference.changed or found.id != resource.id:
            keys = difference.keys or ("id",)
            what = f"differs from its record: {', '.join(keys)}"
            self._report.note(what, Status.WARNING, resource.urn, Operation.REFRESH)
            there = replace(there, inputs=found.inputs or resource.inputs)
            self._report.changed(Operation.UPDATE, there, keys)
        else:
            there = replace(there, inputs=wanted)
            self._report.changed(Operation.SAME, there)
        if not (
            same(there.inputs, resource.inputs) and same(there.outputs, resource.outputs) and there.id == resource.id
        ):
            self._state.end(put=[(key, replace(there, modified=now()))])
