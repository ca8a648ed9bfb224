"""Custom resources: creating, updating and replacing what a provider manages."""

import threading
from dataclasses import replace

from infra.local.engine import steps, urns
from infra.local.engine.context import Context, Registry
from infra.local.engine.events import Operation
from infra.local.engine.paths import carry_over
from infra.local.engine.provider_resources import ProviderResources, RecordedProviders
from infra.local.engine.providers import Difference, seed
from infra.local.engine.registration import Registered, Registration
from infra.local.engine.removal import Removal
from infra.local.engine.replacement import dependents_to_replace
from infra.local.engine.reporting import Stopped
from infra.local.engine.resources import Resource, now
from infra.local.engine.state import Recorded
from infra.local.engine.values import Properties
from infra.local.errors import LocalError


class CustomResources:
    """Brings custom resources to what the program wants. Safe for threads."""

    def __init__(
        self,
        context: Context,
        registry: Registry,
        resources: ProviderResources,
        removal: Removal,
        recorded: RecordedProviders,
    ) -> None:
        self._context = context
        self._registry = registry
        self._resources = resources
        self._removal = removal
        self._recorded = recorded
        self._state = context.state
        self._providers = context.providers
        self._report = context.report
        self._lock = threading.Lock()
        # Deleted ahead of a replacement: what they were, for when the program registers them again.
        self._removed_ahead: dict[str, Resource] = {}

    def removed_ahead(self, urn: str) -> bool:
        """Whether the resource was deleted in this run because one it depends on is replaced."""
        return urn in self._removed_ahead

    def register(self, wanted: Registration, urn: str, reference: str, found: Recorded | None) -> Registered:
        """Create, update, replace or keep; `found` is the recorded resource."""
        old = found[1] if found and not found[1].external and not found[1].pending_replacement else None
        inputs = carry_over(old.inputs, wanted.inputs, wanted.ignore_changes) if old else wanted.inputs
        if not self._providers.configured(reference):
            return self._not_yet(wanted, urn, reference, inputs, old)
        ahead = self._removed_ahead.get(urn)
        replaced_id = ahead.id if ahead else ""
        checked = self._providers.check(reference, urn, old.inputs if old else {}, inputs, seed(urn, replaced_id))
        record = steps.goal(wanted, urn, reference, checked, old)
        if found is None or old is None:
            operation = Operation.REPLACE if ahead else Operation.CREATE
            return self._create(record, operation, over=found[0] if found else None)
        difference = self._difference(reference, old, checked, wanted)
        operation, difference = steps.decide(wanted, old, difference)
        if operation is Operation.SAME:
            self._registry.check_policies(record)
            self._registry.amend(found, record)
            self._report.changed(Operation.SAME, record)
            return Registered(urn, record.id, record.outputs)
        if operation is Operation.UPDATE:
            return self._update(found, record, difference)
        checked = self._providers.check(reference, urn, {}, inputs, seed(urn, old.id))
        record = replace(record, id="", inputs=checked, outputs={}, init_errors=())
        return self._replace(wanted, found, record, difference)

    def _difference(self, reference: str, old: Resource, checked: Properties, wanted: Registration) -> Difference:
        if urns.split_reference(reference)[0] in self._resources.replaced:
            return Difference(("provider",), ("provider",))
        return self._providers.diff(reference, old, checked, wanted.ignore_changes)

    def _not_yet(
        self, wanted: Registration, urn: str, reference: str, inputs: Properties, old: Resource | None
    ) -> Registered:
        """A preview's answer where the provider's own configuration is not known yet."""
        if not self._context.dry_run:
            raise LocalError(f"the provider of {wanted.type} {wanted.name} could not be configured")
        record = steps.goal(wanted, urn, reference, inputs, old)
        if old is None:
            self._registry.put_new(record)
        self._report.changed(Operation.SAME if old else Operation.CREATE, record)
        return Registered(urn, record.id, inputs)

    def _create(self, record: Resource, operation: Operation, over: int | None = None) -> Registered:
        self._registry.check_policies(record)
        with self._report.operation(record.urn, operation):
            token, created = self._begin_creation(record)
            self._registry.keep(*self._state.end(token, put=[(over, created)]))
        self._report.changed(operation, created)
        return Registered(record.urn, created.id, created.outputs)

    def _begin_creation(self, record: Resource) -> tuple[int, Resource]:
        """Write ahead and create; the caller ends the operation with the number returned."""
        token = self._state.begin("creating", record)
        try:
            identifier, outputs = self._providers.create(record.provider, record, preview=self._context.dry_run)
        except BaseException:
            self._state.end(token)
            raise
        self._report.conceal(outputs)
        stamp = now()
        return token, replace(record, id=identifier, outputs=outputs, created=stamp, modified=stamp)

    def _update(self, found: Recorded, record: Resource, difference: Difference) -> Registered:
        key, old = found
        self._registry.check_policies(record)
        with self._report.operation(record.urn, Operation.UPDATE):
            token = self._state.begin("updating", record)
            try:
                outputs = self._providers.update(record.provider, old, record, preview=self._context.dry_run)
            except BaseException:
                self._state.end(token)
                raise
            self._report.conceal(outputs)
            self._state.end(token, put=[(key, replace(record, outputs=outputs, modified=now(), init_errors=()))])
        self._report.changed(Operation.UPDATE, record, difference.keys)
        return Registered(record.urn, record.id, outputs)

    def _replace(self, wanted: Registration, found: Recorded, record: Resource, difference: Difference) -> Registered:
        key, old = found
        steps.refuse_protected(old, f"would be replaced because of {', '.join(difference.replace_keys)}")
        self._registry.check_policies(record)
        first = steps.delete_first(wanted, difference)
        with self._report.operation(record.urn, Operation.REPLACE):
            if first:
                self._remove_ahead(key, old)
            token, created = self._begin_creation(record)
            retired = [] if first else [(key, replace(old, delete=True))]
            numbers = self._state.end(token, put=[*retired, (None, created)])
            self._registry.retire(key)
            self._registry.keep(numbers[-1])
        self._report.changed(Operation.REPLACE, created, difference.replace_keys)
        return Registered(record.urn, created.id, created.outputs)

    def _remove_ahead(self, key: int, old: Resource) -> None:
        """Delete a resource before its successor is made, and before it every dependent that must be replaced too."""
        settled = self._registry.claimed() - {old.urn}
        doomed = dependents_to_replace(self._state, self._providers, self._recorded.prepare, old, settled)
        for resource in doomed.values():
            steps.refuse_protected(resource, f"must be deleted before {urns.name_of(old.urn)} can be replaced")
        with self._lock:
            self._removed_ahead.update({resource.urn: resource for resource in doomed.values()})
        self._removal.run({**doomed, key: old}, self._context.parallel, dry_run=self._context.dry_run)
        if self._report.failures:
            raise Stopped
