"""Finishing what a killed run left half done, before anything else happens.

The rule: an operation that was written ahead and not ended is run again with the inputs recorded then. A creation is
adopted by the provider, because its name or token is among those inputs; an update is repeated; a deletion finds
nothing left, which is success. One that the provider refuses is dropped with a warning: the program decides anew.
"""

from collections.abc import Callable
from dataclasses import replace

from infra.local.engine import urns
from infra.local.engine.events import Operation, Status
from infra.local.engine.providers import Providers
from infra.local.engine.reporting import Report
from infra.local.engine.resources import Resource, now
from infra.local.engine.state import Pending, State

_OPERATIONS = {"creating": Operation.CREATE, "updating": Operation.UPDATE, "deleting": Operation.DELETE}


def settle(state: State, providers: Providers, report: Report, provider_of: Callable[[Resource], None]) -> None:
    """End every pending operation of the state."""
    for token, pending in state.pending():
        operation = _OPERATIONS.get(pending.type)
        if operation is None or not pending.resource.custom or urns.is_provider_type(pending.resource.type):
            state.end(token)
            continue
        urn = pending.resource.urn
        report.conceal(pending.resource.inputs)
        report.note("an interrupted run left this unfinished: doing it again", Status.INFO, urn, operation)
        try:
            with report.operation(urn, operation):
                provider_of(pending.resource)
                _SETTLE[pending.type](state, providers, token, pending)
        except Exception as problem:  # noqa: BLE001 - whatever the provider says, the program decides anew
            state.end(token)
            report.note(f"dropped: {report.describe(problem)}", Status.WARNING, urn, operation)


def _create(state: State, providers: Providers, token: int, pending: Pending) -> None:
    record = pending.resource
    identifier, outputs = providers.create(record.provider, record)
    stamp = now()
    created = replace(record, id=identifier, outputs=outputs, created=stamp, modified=stamp)
    old = state.live(record.urn)
    # A live resource of this URN was being replaced: it waits for its deletion now.
    retired = [(old[0], replace(old[1], delete=True))] if old and old[1].id != identifier else []
    same = old[0] if old and old[1].id == identifier else None
    state.end(token, put=[*retired, (same, created)])


def _update(state: State, providers: Providers, token: int, pending: Pending) -> None:
    old = state.live(pending.resource.urn)
    if old is None:
        state.end(token)
        return
    outputs = providers.update(pending.resource.provider, old[1], pending.resource)
    state.end(token, put=[(old[0], replace(pending.resource, id=old[1].id, outputs=outputs, modified=now()))])


def _delete(state: State, providers: Providers, token: int, pending: Pending) -> None:
    resource = pending.resource
    providers.delete(resource.provider, resource)
    gone = [key for key, other in state.items() if other.urn == resource.urn and other.id == resource.id]
    state.end(token, remove=gone)


_SETTLE = {"creating": _create, "updating": _update, "deleting": _delete}
