"""One run of a program: every registration becomes a step, many at once."""

import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from infra.local.engine import aliases, steps, urns
from infra.local.engine.config import StackConfiguration
from infra.local.engine.events import Operation, Status
from infra.local.engine.paths import carry_over
from infra.local.engine.policies import Policies
from infra.local.engine.providers import INTERNAL, Difference, Providers, seed
from infra.local.engine.registration import Invocation, ReadRequest, Registered, Registration
from infra.local.engine.removal import Removal
from infra.local.engine.replacement import dependents_to_replace
from infra.local.engine.reporting import Report, Stopped
from infra.local.engine.resources import Resource, now
from infra.local.engine.state import State
from infra.local.engine.values import UNKNOWN, Properties, has_unknown, same
from infra.local.errors import LocalError

T = TypeVar("T")

_GET_RESOURCE = "pulumi:pulumi:getResource"


@dataclass(frozen=True, slots=True)
class Context:
    """What every part of a run works with."""

    project: str
    stack: str
    config: StackConfiguration
    state: State
    providers: Providers
    report: Report
    policies: Policies
    parallel: int
    dry_run: bool


class Deployment:
    """Answers a program's registrations; see `registration.Registrar`. Safe for threads."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._state = context.state
        self._providers = context.providers
        self._report = context.report
        self._removal = Removal(context.state, context.providers, context.report, self.provider_of)
        self._lock = threading.RLock()
        self._registered: set[str] = set()
        # Numbers of records that the program still wants, and URNs under which children may be found (see aliases).
        self._kept: set[int] = set()
        self._found_as: dict[str, str] = {}
        # Deleted ahead of a replacement: what they were, for when the program registers them again.
        self._removed_ahead: dict[str, Resource] = {}
        self._replaced_providers: set[str] = set()
        self._default_providers: dict[tuple[str, str], str] = {}

    # What the program calls.

    def register(self, wanted: Registration) -> Registered:
        """Make the resource match, and answer with what it is."""
        urn = urns.make(self._context.stack, self._context.project, wanted.parent, wanted.type, wanted.name)
        return self._guarded(urn, lambda: self._register(wanted, urn))

    def register_outputs(self, urn: str, outputs: Properties) -> None:
        """Record the outputs of a component or of the stack."""
        if self._report.failures:
            return
        found = self._state.live(urn)
        self._report.conceal(outputs)
        if found is not None and not _identical(found[1].outputs, outputs):
            self._state.end(put=[(found[0], replace(found[1], outputs=outputs, modified=now()))])

    def read(self, wanted: ReadRequest) -> Registered:
        """Look a resource up; raises LocalError where it does not exist."""
        urn = urns.make(self._context.stack, self._context.project, wanted.parent, wanted.type, wanted.name)
        return self._guarded(urn, lambda: self._read(wanted, urn))

    def invoke(self, wanted: Invocation) -> tuple[Properties | None, list[tuple[str, str]]]:
        """A function's result, None where it cannot be known yet, and its failures as (property, reason)."""
        return self._guarded("", lambda: self._invoke(wanted))

    def log(self, urn: str, severity: str, message: str) -> None:
        """Pass on a message of the program; debugging messages are dropped."""
        if severity != "debug":
            status = Status.INFO if severity == "info" else Status.WARNING
            self._report.note(message, status, urn)

    # What the engine calls after the program.

    def outputs(self) -> Properties:
        """The stack's outputs as recorded."""
        return stack_outputs(self._state)

    def wanted(self) -> list[Resource]:
        """What the program registered, as recorded."""
        return [resource for key, resource in self._state.items() if key in self._kept]

    def remove_unwanted(self) -> None:
        """Delete what the program no longer registers and what was replaced."""
        unwanted = [key for key, _ in self._state.items() if key not in self._kept]
        doomed = self._removal.plan(unwanted)
        for resource in doomed.values():
            if not resource.delete:
                steps.refuse_protected(resource, "the program no longer has it")
        self._removal.run(doomed, self._context.parallel, dry_run=self._context.dry_run)

    def provider_of(self, resource: Resource) -> None:
        """Configure a recorded resource's provider from its record, unless this run has done so."""
        configure_recorded(self._context.state, self._providers, self._lock, resource.provider)

    # Steps.

    def _guarded(self, urn: str, work: Callable[[], T]) -> T:
        if self._report.failures:
            raise Stopped
        try:
            return work()
        except Stopped:
            raise
        except BaseException as problem:
            self._report.fail(urn, problem)
            raise Stopped from None

    def _register(self, wanted: Registration, urn: str) -> Registered:
        self._claim(urn)
        found = self._find(wanted, urn)
        self._report.conceal(wanted.inputs)
        if not wanted.custom:
            return self._component(wanted, urn, found)
        if urns.is_provider_type(wanted.type):
            return self._provider(wanted, urn, found)
        reference = self._reference(wanted.provider, wanted.type, wanted.version)
        if wanted.import_id and found is None and urn not in self._removed_ahead:
            return self._import(wanted, urn, reference)
        return self._custom(wanted, urn, reference, found)

    def _claim(self, urn: str) -> None:
        with self._lock:
            if urn in self._registered:
                raise LocalError(
                    f"{urns.type_of(urn)} {urns.name_of(urn)!r} is registered twice: give one of them another name"
                )
            self._registered.add(urn)

    def _find(self, wanted: Registration, urn: str) -> tuple[int, Resource] | None:
        """The recorded resource that the registration is about, under its URN or an alias."""
        with self._lock:
            found = self._state.live(urn)
            identity = (wanted.parent, wanted.type, wanted.name)
            others = aliases.candidates(
                identity,
                wanted.aliases,
                self._found_as.get(wanted.parent, ""),
                self._context.stack,
                self._context.project,
            )
            for alias in others if found is None else ():
                if self._state.live(alias) is not None:
                    if alias in self._registered:
                        raise LocalError(
                            f"{wanted.type} {wanted.name} has the alias {alias}, which the program registers too: remove one"
                        )
                    self._state.rename(alias, urn)
                    self._found_as[urn] = alias
                    found = self._state.live(urn)
                    break
            if found is not None:
                self._kept.add(found[0])
            return found

    def _component(self, wanted: Registration, urn: str, found: tuple[int, Resource] | None) -> Registered:
        old = found[1] if found else None
        record = steps.goal(wanted, urn, "", wanted.inputs, old)
        self._check_policies(record)
        if found is None or old is None:
            with self._report.operation(urn, Operation.CREATE):
                self._put_new(record)
            self._report.changed(Operation.CREATE, record)
        elif _identical(old.inputs, record.inputs):
            self._keep(found, record)
            self._report.changed(Operation.SAME, record)
        else:
            with self._report.operation(urn, Operation.UPDATE):
                self._state.end(put=[(found[0], replace(record, modified=now()))])
            self._report.changed(Operation.UPDATE, record)
        return Registered(urn, "", wanted.inputs)

    def _custom(self, wanted: Registration, urn: str, reference: str, found: tuple[int, Resource] | None) -> Registered:
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
            self._check_policies(record)
            self._keep(found, record)
            self._report.changed(Operation.SAME, record)
            return Registered(urn, record.id, record.outputs)
        if operation is Operation.UPDATE:
            return self._update(found, record, difference)
        checked = self._providers.check(reference, urn, {}, inputs, seed(urn, old.id))
        record = replace(record, id="", inputs=checked, outputs={}, init_errors=())
        return self._replace(wanted, found, record, difference)

    def _difference(self, reference: str, old: Resource, checked: Properties, wanted: Registration) -> Difference:
        provider_urn, _ = urns.split_reference(reference)
        if provider_urn in self._replaced_providers:
            return Difference(("provider",), ("provider",))
        return self._providers.diff(reference, old, checked, wanted.ignore_changes)

    def _not_yet(
        self, wanted: Registration, urn: str, reference: str, inputs: Properties, old: Resource | None
    ) -> Registered:
        """A preview's answer where the provider's own configuration is not known yet."""
        if not self._context.dry_run:
            raise LocalError(f"the provider of {wanted.type} {wanted.name} could not be configured")
        record = steps.goal(wanted, urn, reference, inputs, old)
        self._report.changed(Operation.SAME if old else Operation.CREATE, record)
        if old is None:
            self._put_new(record)
        return Registered(urn, record.id, inputs)

    def _create(self, record: Resource, operation: Operation, over: int | None = None) -> Registered:
        self._check_policies(record)
        with self._report.operation(record.urn, operation):
            created = self._call_create(record)
            if over is not None:
                self._state.end(created.token, put=[(over, created.resource)])
            else:
                self._kept.update(self._state.end(created.token, put=[(None, created.resource)]))
        self._report.changed(operation, created.resource)
        return Registered(record.urn, created.resource.id, created.resource.outputs)

    def _call_create(self, record: Resource) -> "_Created":
        dry_run = self._context.dry_run
        token = self._state.begin("creating", record)
        try:
            identifier, outputs = self._providers.create(record.provider, record, preview=dry_run)
        except BaseException:
            self._state.end(token)
            raise
        self._report.conceal(outputs)
        stamp = now()
        return _Created(token, replace(record, id=identifier, outputs=outputs, created=stamp, modified=stamp))

    def _update(self, found: tuple[int, Resource], record: Resource, difference: Difference) -> Registered:
        key, old = found
        self._check_policies(record)
        with self._report.operation(record.urn, Operation.UPDATE):
            token = self._state.begin("updating", record)
            try:
                outputs = self._providers.update(record.provider, old, record, preview=self._context.dry_run)
            except BaseException:
                self._state.end(token)
                raise
            self._report.conceal(outputs)
            updated = replace(record, outputs=outputs, modified=now(), init_errors=())
            self._state.end(token, put=[(key, updated)])
        self._report.changed(Operation.UPDATE, updated, difference.keys)
        return Registered(record.urn, record.id, outputs)

    def _replace(
        self, wanted: Registration, found: tuple[int, Resource], record: Resource, difference: Difference
    ) -> Registered:
        key, old = found
        steps.refuse_protected(old, f"would be replaced because of {', '.join(difference.replace_keys)}")
        self._check_policies(record)
        first = steps.delete_first(wanted, difference)
        with self._report.operation(record.urn, Operation.REPLACE):
            if first:
                self._remove_ahead(key, old)
            created = self._call_create(record)
            retired = [] if first else [(key, replace(old, delete=True))]
            numbers = self._state.end(created.token, put=[*retired, (None, created.resource)])
            with self._lock:
                self._kept.discard(key)
                self._kept.add(numbers[-1])
        self._report.changed(Operation.REPLACE, created.resource, difference.replace_keys)
        return Registered(record.urn, created.resource.id, created.resource.outputs)

    def _remove_ahead(self, key: int, old: Resource) -> None:
        """Delete a resource before its successor is made, and before it every dependent that must be replaced too."""
        with self._lock:
            settled = set(self._registered)
        doomed = dependents_to_replace(self._state, self._providers, self.provider_of, old, settled - {old.urn})
        for resource in doomed.values():
            steps.refuse_protected(resource, f"must be deleted before {urns.name_of(old.urn)} can be replaced")
        with self._lock:
            self._removed_ahead.update({resource.urn: resource for resource in doomed.values()})
        self._removal.run({**doomed, key: old}, self._context.parallel, dry_run=self._context.dry_run)
        if self._report.failures:
            raise Stopped

    def _import(self, wanted: Registration, urn: str, reference: str) -> Registered:
        bare = replace(steps.goal(wanted, urn, reference, {}, None), id=wanted.import_id)
        with self._report.operation(urn, Operation.IMPORT):
            found = self._providers.read(reference, bare)
            if not found.id:
                raise LocalError(
                    f"{wanted.type} {wanted.name} is to be imported, but there is none with the id {wanted.import_id!r}: "
                    "correct import_ or leave it out to create one"
                )
            existing = replace(bare, id=found.id, inputs=found.inputs, outputs=found.outputs)
            inputs = carry_over(found.inputs, wanted.inputs, wanted.ignore_changes)
            checked = self._providers.check(reference, urn, found.inputs, inputs, seed(urn))
            difference = self._providers.diff(reference, existing, checked, wanted.ignore_changes)
            if difference.changed:
                keys = ", ".join(difference.keys)
                raise LocalError(
                    f"{wanted.type} {wanted.name} cannot be imported as {wanted.import_id!r}: the program's {keys} differ "
                    "from what is there; make them equal or list them in ignore_changes"
                )
            record = replace(existing, inputs=checked, created=now(), modified=now())
            self._check_policies(record)
            self._put_new(record)
        self._report.changed(Operation.IMPORT, record)
        return Registered(urn, record.id, record.outputs)

    # Providers.

    def _provider(self, wanted: Registration, urn: str, found: tuple[int, Resource] | None) -> Registered:
        old = found[1] if found else None
        inputs = wanted.inputs | ({"version": wanted.version} if wanted.version else {}) | {INTERNAL: {}}
        checked = self._providers.check_config(urn, old.inputs if old else {}, inputs)
        record = steps.goal(wanted, urn, "", checked, old)
        record = replace(record, outputs={key: value for key, value in checked.items() if key != INTERNAL})
        self._check_policies(record)
        self._providers.configure(urn, checked)
        if found is None or old is None:
            record = replace(record, id=self._provider_id(), created=now(), modified=now())
            self._put_new(record)
            self._report.changed(Operation.CREATE, record)
            return Registered(urn, "" if record.id == UNKNOWN else record.id, record.outputs)
        operation, difference = steps.decide(wanted, old, self._providers.diff_config(old, checked))
        if operation is Operation.REPLACE:
            with self._lock:
                self._replaced_providers.add(urn)
            record = replace(record, id=self._provider_id())
        if operation is Operation.SAME:
            self._keep(found, record)
        else:
            self._state.end(put=[(found[0], replace(record, modified=now()))])
        self._report.changed(operation, record, difference.keys)
        return Registered(urn, record.id, record.outputs)

    def _provider_id(self) -> str:
        return UNKNOWN if self._context.dry_run else str(uuid.uuid4())

    def _reference(self, given: str, type_: str, version: str) -> str:
        """The reference `<urn>::<id>` of a resource's provider: the one given, else the default one."""
        if given:
            urn, _ = urns.split_reference(given)
            recorded = self._state.live(urn)
            return f"{urn}::{recorded[1].id}" if recorded else given
        return self._default(urns.package_of(type_), version)

    def _default(self, package: str, version: str) -> str:
        with self._lock:
            reference = self._default_providers.get((package, version))
            if reference is None:
                inputs: dict[str, Any] = {"version": version} if version else {}
                wanted = Registration(
                    type=f"{urns.PROVIDER_PREFIX}{package}",
                    name=urns.default_provider_name(version),
                    custom=True,
                    inputs=inputs | self._context.config.of_package(package),
                )
                urn = urns.make(self._context.stack, self._context.project, "", wanted.type, wanted.name)
                answer = self._register(wanted, urn)
                reference = f"{urn}::{answer.id or UNKNOWN}"
                self._default_providers[package, version] = reference
            return reference

    # Lookups.

    def _read(self, wanted: ReadRequest, urn: str) -> Registered:
        self._claim(urn)
        found = self._state.live(urn)
        if found is not None:
            self._kept.add(found[0])
        reference = self._reference(wanted.provider, wanted.type, wanted.version)
        if wanted.id in {"", UNKNOWN} or not self._providers.configured(reference):
            return Registered(urn)
        if found is not None and not found[1].external:
            raise LocalError(
                f"{wanted.type} {wanted.name} was made by this stack and is now only looked up: give the lookup another "
                "name, or set retain_on_delete on the resource, remove it, and add the lookup after an up"
            )
        bare = Resource(
            urn=urn,
            type=wanted.type,
            custom=True,
            id=wanted.id,
            inputs=wanted.inputs,
            parent=wanted.parent,
            provider=reference,
            dependencies=tuple(sorted(wanted.dependencies)),
            external=True,
            additional_secret_outputs=wanted.additional_secret_outputs,
        )
        there = self._providers.read(reference, bare)
        if not there.id:
            raise LocalError(f"{wanted.type} {wanted.name}: there is none with the id {wanted.id!r}")
        self._report.conceal(there.outputs)
        record = replace(bare, id=there.id, outputs=there.outputs)
        if found is None:
            self._put_new(replace(record, created=now(), modified=now()))
        else:
            self._keep(found, replace(record, created=found[1].created, modified=found[1].modified))
        self._report.changed(Operation.READ, record)
        return Registered(urn, there.id, there.outputs)

    def _invoke(self, wanted: Invocation) -> tuple[Properties | None, list[tuple[str, str]]]:
        if wanted.token == _GET_RESOURCE:
            found = self._state.live(str(wanted.arguments.get("urn")))
            if found is None:
                raise LocalError(f"there is no resource {wanted.arguments.get('urn')!r} to refer to")
            resource = found[1]
            return {"urn": resource.urn, "id": resource.id, "state": resource.outputs}, []
        if has_unknown(wanted.arguments):
            return None, []
        reference = self._reference(wanted.provider, wanted.token, wanted.version)
        if not self._providers.configured(reference):
            return None, []
        return self._providers.invoke(reference, wanted.token, wanted.arguments)

    # Records.

    def _check_policies(self, record: Resource) -> None:
        provider = self._state.live(urns.split_reference(record.provider)[0]) if record.provider else None
        self._context.policies.resource(record, provider[1] if provider else None)

    def _put_new(self, record: Resource) -> None:
        stamped = record if record.created else replace(record, created=now(), modified=now())
        numbers = self._state.end(put=[(None, stamped)])
        with self._lock:
            self._kept.update(numbers)

    def _keep(self, found: tuple[int, Resource], record: Resource) -> None:
        """Record options and references that changed without the resource itself changing."""
        if record != found[1]:
            self._state.end(put=[(found[0], record)])


@dataclass(frozen=True, slots=True)
class _Created:
    token: int
    resource: Resource


def configure_recorded(state: State, providers: Providers, lock: threading.RLock, reference: str) -> None:
    """Configure the provider of a reference from its record; raises LocalError where it has none."""
    urn, identifier = urns.split_reference(reference)
    with lock:
        if providers.has(urn):
            return
        records = [resource for _, resource in state.items() if resource.urn == urn]
        chosen = next((resource for resource in records if resource.id == identifier), records[0] if records else None)
        if chosen is None:
            raise LocalError(f"the state has no provider {urns.name_of(urn) if urn else reference!r}: run up first")
        providers.configure(urn, chosen.inputs)


def stack_outputs(state: State) -> Properties:
    """The outputs of the recorded stack; empty before the first run."""
    for _, resource in state.items():
        if resource.type == urns.STACK_TYPE and not resource.delete:
            return resource.outputs
    return {}


def _identical(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return same(dict(old), dict(new))
