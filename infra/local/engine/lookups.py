"""What a program only asks for: resources that exist already, functions, imports."""

from dataclasses import replace

from infra.local.engine import steps, urns
from infra.local.engine.context import Context, Registry
from infra.local.engine.events import Operation
from infra.local.engine.paths import carry_over
from infra.local.engine.provider_resources import ProviderResources
from infra.local.engine.providers import seed
from infra.local.engine.registration import Invocation, ReadRequest, Registered, Registration
from infra.local.engine.resources import Resource
from infra.local.engine.values import UNKNOWN, Properties, has_unknown
from infra.local.errors import LocalError

_GET_RESOURCE = "pulumi:pulumi:getResource"


class Lookups:
    """Reads, imports and function calls of one run. Safe for threads."""

    def __init__(self, context: Context, registry: Registry, resources: ProviderResources) -> None:
        self._context = context
        self._registry = registry
        self._resources = resources

    def read(self, wanted: ReadRequest, urn: str) -> Registered:
        """Look a resource up and record it as external; raises LocalError where it does not exist."""
        self._registry.claim(urn)
        found = self._context.state.live(urn)
        if found is not None:
            self._registry.keep(found[0])
        reference = self._resources.reference(wanted.provider, wanted.type, wanted.version)
        if wanted.id in {"", UNKNOWN} or not self._context.providers.configured(reference):
            return Registered(urn)
        label = f"{wanted.type} {urns.name_of(urn)}"
        if found is not None and not found[1].external:
            raise LocalError(
                f"{label} was made by this stack and is now only looked up: give the lookup another name, "
                "or set retain_on_delete on the resource, remove it, and add the lookup after an up"
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
        there = self._context.providers.read(reference, bare)
        if not there.id:
            raise LocalError(f"{label}: there is none with the id {wanted.id!r}; correct the id")
        self._context.report.conceal(there.outputs)
        record = replace(bare, id=there.id, outputs=there.outputs)
        if found is None:
            self._registry.put_new(record)
        else:
            self._registry.amend(found, replace(record, created=found[1].created, modified=found[1].modified))
        self._context.report.changed(Operation.READ, record)
        return Registered(urn, there.id, there.outputs)

    def adopt(self, wanted: Registration, urn: str, reference: str) -> Registered:
        """Take an existing resource into the stack (`import_`); raises LocalError where the program's inputs differ."""
        label = f"{wanted.type} {wanted.name}"
        bare = replace(steps.goal(wanted, urn, reference, {}, None), id=wanted.import_id)
        providers = self._context.providers
        with self._context.report.operation(urn, Operation.IMPORT):
            found = providers.read(reference, bare)
            if not found.id:
                raise LocalError(
                    f"{label} is to be imported, but there is none with the id {wanted.import_id!r}: "
                    "correct import_, or leave it out to create one"
                )
            existing = replace(bare, id=found.id, inputs=found.inputs, outputs=found.outputs)
            inputs = carry_over(found.inputs, wanted.inputs, wanted.ignore_changes)
            checked = providers.check(reference, urn, found.inputs, inputs, seed(urn))
            difference = providers.diff(reference, existing, checked, wanted.ignore_changes)
            if difference.changed:
                raise LocalError(
                    f"{label} cannot be imported as {wanted.import_id!r}: the program's {', '.join(difference.keys)} "
                    "differ from what is there; make them equal, or list them in ignore_changes"
                )
            record = replace(existing, inputs=checked)
            self._registry.check_policies(record)
            self._registry.put_new(record)
        self._context.report.changed(Operation.IMPORT, record)
        return Registered(urn, record.id, record.outputs)

    def invoke(self, wanted: Invocation) -> tuple[Properties | None, list[tuple[str, str]]]:
        """A function's result, None where it cannot be known yet, and its failures as (property, reason)."""
        if wanted.token == _GET_RESOURCE:
            return self._referenced(str(wanted.arguments.get("urn"))), []
        if has_unknown(wanted.arguments):
            return None, []
        reference = self._resources.reference(wanted.provider, wanted.token, wanted.version)
        if not self._context.providers.configured(reference):
            return None, []
        return self._context.providers.invoke(reference, wanted.token, wanted.arguments)

    def _referenced(self, urn: str) -> Properties:
        found = self._context.state.live(urn)
        if found is None:
            raise LocalError(f"there is no resource {urn!r} to refer to")
        return {"urn": urn, "id": found[1].id, "state": found[1].outputs}
