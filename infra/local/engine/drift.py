"""Refresh: read every resource, report what differs from the record, and record what is there."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from infra.local.engine import urns
from infra.local.engine.events import Operation, Status
from infra.local.engine.providers import Providers
from infra.local.engine.reporting import Report
from infra.local.engine.resources import Resource, now
from infra.local.engine.state import Recorded, State
from infra.local.engine.values import changed_keys, keep_secret


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
        inputs = found.inputs or resource.inputs
        outputs = keep_secret(found.outputs, resource.outputs)
        keys = sorted({*changed_keys(resource.inputs, inputs), *changed_keys(resource.outputs, outputs)})
        if found.id != resource.id:
            keys.append("id")
        if not keys:
            self._report.changed(Operation.SAME, resource)
            return
        self._report.note(
            f"differs from its record: {', '.join(keys)}", Status.WARNING, resource.urn, Operation.REFRESH
        )
        record = replace(resource, id=found.id, inputs=inputs, outputs=outputs, modified=now())
        self._state.end(put=[(key, record)])
        self._report.changed(Operation.UPDATE, record, keys)
