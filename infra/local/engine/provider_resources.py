"""Provider resources: explicit ones, the default ones the engine makes, and those known from the state only."""

import threading
import uuid
from dataclasses import replace
from typing import Any

from infra.local.engine import steps, urns
from infra.local.engine.context import Context, Registry
from infra.local.engine.events import Operation
from infra.local.engine.providers import INTERNAL, Providers
from infra.local.engine.registration import Registered, Registration
from infra.local.engine.resources import Resource, now
from infra.local.engine.state import Recorded, State
from infra.local.engine.values import UNKNOWN
from infra.local.errors import LocalError


class ProviderResources:
    """Registers provider resources and says which one a resource uses. Safe for threads."""

    def __init__(self, context: Context, registry: Registry) -> None:
        self._context = context
        self._registry = registry
        self._state = context.state
        self._lock = threading.RLock()
        self._defaults: dict[tuple[str, str], str] = {}
        # URNs of those whose configuration changed so that everything they made is replaced.
        self.replaced: set[str] = set()

    def register(self, wanted: Registration, urn: str, found: Recorded | None) -> Registered:
        """Check, compare and configure a provider resource."""
        old = found[1] if found else None
        providers = self._context.providers
        inputs = wanted.inputs | ({"version": wanted.version} if wanted.version else {}) | {INTERNAL: {}}
        checked = providers.check_config(urn, old.inputs if old else {}, inputs)
        record = steps.goal(wanted, urn, "", checked, old)
        record = replace(record, outputs={key: value for key, value in checked.items() if key != INTERNAL})
        self._registry.check_policies(record)
        providers.configure(urn, checked)
        if found is None or old is None:
            record = self._registry.put_new(replace(record, id=self._new_id()))
            self._context.report.changed(Operation.CREATE, record)
            return Registered(urn, "" if record.id == UNKNOWN else record.id, record.outputs)
        operation, difference = steps.decide(wanted, old, providers.diff_config(old, checked))
        if operation is Operation.REPLACE:
            with self._lock:
                self.replaced.add(urn)
            record = replace(record, id=self._new_id())
        if operation is not Operation.SAME:
            record = replace(record, modified=now())
        self._registry.amend(found, record)
        self._context.report.changed(operation, record, difference.keys)
        return Registered(urn, record.id, record.outputs)

    def reference(self, given: str, type_: str, version: str) -> str:
        """The reference `<urn>::<id>` of a resource's provider: the one given, else the default one."""
        if given:
            urn, _ = urns.split_reference(given)
            recorded = self._state.live(urn)
            return f"{urn}::{recorded[1].id}" if recorded else given
        return self._default(urns.package_of(type_), version)

    def _new_id(self) -> str:
        return UNKNOWN if self._context.dry_run else str(uuid.uuid4())

    def _default(self, package: str, version: str) -> str:
        with self._lock:
            reference = self._defaults.get((package, version))
            if reference is None:
                inputs: dict[str, Any] = {"version": version} if version else {}
                wanted = Registration(
                    type=f"{urns.PROVIDER_PREFIX}{package}",
                    name=urns.default_provider_name(version),
                    custom=True,
                    inputs=inputs | self._context.config.of_package(package),
                )
                urn = self._context.urn("", wanted.type, wanted.name)
                self._registry.claim(urn)
                answer = self.register(wanted, urn, self._registry.find(wanted, urn))
                reference = f"{urn}::{answer.id or UNKNOWN}"
                self._defaults[package, version] = reference
            return reference


class RecordedProviders:
    """Configures providers from their records, for resources that the program does not register. Safe for threads."""

    def __init__(self, state: State, providers: Providers) -> None:
        self._state = state
        self._providers = providers
        self._lock = threading.Lock()

    def prepare(self, resource: Resource) -> None:
        """Make a recorded resource's provider ready to be called; raises LocalError where it has no record."""
        urn, identifier = urns.split_reference(resource.provider)
        with self._lock:
            if self._providers.has(urn):
                return
            records = [record for _, record in self._state.items() if record.urn == urn]
            exact = [record for record in records if record.id == identifier]
            if not records:
                name = urns.name_of(urn) if urn else resource.provider
                raise LocalError(
                    f"the state has no provider {name!r}, which {resource.urn} was made with: run up to mend that"
                )
            self._providers.configure(urn, (exact or records)[0].inputs)
