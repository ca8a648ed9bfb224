"""One run of a program: every registration becomes a step, many at once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from infra.local.engine import steps, urns
from infra.local.engine.context import Context, Registry
from infra.local.engine.custom_resources import CustomResources
from infra.local.engine.events import Operation, Status
from infra.local.engine.lookups import Lookups
from infra.local.engine.provider_resources import ProviderResources, RecordedProviders
from infra.local.engine.registration import Invocation, ReadRequest, Registered, Registration
from infra.local.engine.removal import Removal
from infra.local.engine.reporting import Stopped
from infra.local.engine.resources import Resource, now
from infra.local.engine.state import Recorded, State
from infra.local.engine.values import Properties, same

T = TypeVar("T")


class Deployment:
    """Answers a program's registrations; see `registration.Registrar`. Safe for threads.

    The first failure stops everything that has not begun; what is under way is finished and recorded.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._state = context.state
        self._report = context.report
        recorded = RecordedProviders(context.state, context.providers)
        self._registry = Registry(context)
        self._removal = Removal(context.state, context.providers, context.report, recorded.prepare)
        self._provider_resources = ProviderResources(context, self._registry)
        self._lookups = Lookups(context, self._registry, self._provider_resources)
        self._custom = CustomResources(context, self._registry, self._provider_resources, self._removal, recorded)

    def register(self, wanted: Registration) -> Registered:
        """Make the resource match, and answer with what it is."""
        urn = self._context.urn(wanted.parent, wanted.type, wanted.name)
        return self._guarded(urn, lambda: self._register(wanted, urn))

    def register_outputs(self, urn: str, outputs: Properties) -> None:
        """Record the outputs of a component or of the stack."""
        self._report.conceal(outputs)
        found = self._state.live(urn)
        if found is not None and not self._report.failures and not same(found[1].outputs, outputs):
            self._state.end(put=[(found[0], replace(found[1], outputs=outputs, modified=now()))])

    def read(self, wanted: ReadRequest) -> Registered:
        """Look a resource up; raises LocalError where it does not exist."""
        urn = self._context.urn(wanted.parent, wanted.type, wanted.name)
        return self._guarded(urn, lambda: self._lookups.read(wanted, urn))

    def invoke(self, wanted: Invocation) -> tuple[Properties | None, list[tuple[str, str]]]:
        """A function's result, None where it cannot be known yet, and its failures as (property, reason)."""
        self._report.conceal(wanted.arguments)
        return self._guarded("", lambda: self._lookups.invoke(wanted))

    def log(self, urn: str, severity: str, message: str) -> None:
        """Pass on a message of the program; debugging messages are dropped."""
        if severity != "debug":
            self._report.note(message, Status.INFO if severity == "info" else Status.WARNING, urn)

    def check_stack(self) -> None:
        """Have the policy packs check everything together; raises LocalError for a mandatory violation."""
        self._context.policies.stack(self._registry.wanted())

    def remove_unwanted(self) -> None:
        """Delete what the program no longer registers and what was replaced."""
        doomed = self._removal.plan(self._registry.unwanted())
        for resource in doomed.values():
            if not resource.delete:
                steps.refuse_protected(resource, "the program no longer has it")
        self._removal.run(doomed, self._context.parallel, dry_run=self._context.dry_run)

    def _guarded(self, urn: str, work: Callable[[], T]) -> T:
        if self._report.failures:
            raise Stopped
        try:
            return work()
        except Stopped:
            raise
        except BaseException as problem:
            self._report.fail(urn, problem)
            raise Stopped from problem

    def _register(self, wanted: Registration, urn: str) -> Registered:
        self._registry.claim(urn)
        self._report.conceal(wanted.inputs)
        found = self._registry.find(wanted, urn)
        if not wanted.custom:
            return self._component(wanted, urn, found)
        if urns.is_provider_type(wanted.type):
            return self._provider_resources.register(wanted, urn, found)
        reference = self._provider_resources.reference(wanted.provider, wanted.type, wanted.version)
        if wanted.import_id and found is None and not self._custom.removed_ahead(urn):
            return self._lookups.adopt(wanted, urn, reference)
        return self._custom.register(wanted, urn, reference, found)

    def _component(self, wanted: Registration, urn: str, found: Recorded | None) -> Registered:
        record = steps.goal(wanted, urn, "", wanted.inputs, found[1] if found else None)
        self._registry.check_policies(record)
        operation = Operation.SAME
        if found is None:
            operation = Operation.CREATE
            with self._report.operation(urn, operation):
                self._registry.put_new(record)
        elif same(found[1].inputs, record.inputs):
            self._registry.amend(found, record)
        else:
            operation = Operation.UPDATE
            with self._report.operation(urn, operation):
                self._state.end(put=[(found[0], replace(record, modified=now()))])
        self._report.changed(operation, record)
        return Registered(urn, "", wanted.inputs)


def stack_outputs(state: State) -> Properties:
    """The outputs of the recorded stack; empty before the first run."""
    stacks: list[Resource] = [resource for _, resource in state.items() if resource.type == urns.STACK_TYPE]
    outputs: dict[str, Any] = {}
    return stacks[0].outputs if stacks else outputs
