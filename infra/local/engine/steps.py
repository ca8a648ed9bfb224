"""Which operation brings a resource from what is recorded to what is wanted. Pure decisions, no calls."""

from collections.abc import Iterable
from dataclasses import replace

from infra.local.engine.events import Operation
from infra.local.engine.paths import covers, parse
from infra.local.engine.providers import Difference
from infra.local.engine.registration import Registration
from infra.local.engine.resources import Resource
from infra.local.engine.values import Properties
from infra.local.errors import LocalError


def goal(wanted: Registration, urn: str, provider: str, inputs: Properties, old: Resource | None) -> Resource:
    """The record of a resource with the wanted inputs and options; what a provider answers is still the old one's."""
    fresh = Resource(
        urn=urn,
        type=wanted.type,
        custom=wanted.custom,
        inputs=inputs,
        parent=wanted.parent,
        provider=provider,
        dependencies=wanted.dependencies,
        property_dependencies={key: found for key, found in wanted.property_dependencies.items() if found},
        protect=wanted.protect,
        retain_on_delete=wanted.retain_on_delete,
        deleted_with=wanted.deleted_with,
        additional_secret_outputs=wanted.additional_secret_outputs,
        custom_timeouts=wanted.custom_timeouts,
        import_id=wanted.import_id,
        ignore_changes=wanted.ignore_changes,
        replace_on_changes=wanted.replace_on_changes,
    )
    if old is None:
        return fresh
    return replace(
        fresh,
        id=old.id,
        outputs=old.outputs,
        created=old.created,
        modified=old.modified,
        aliases=old.aliases,
        extra=old.extra,
    )


def decide(wanted: Registration, old: Resource, difference: Difference) -> tuple[Operation, Difference]:
    """Same, update or replace, with the difference completed by the option `replaceOnChanges`."""
    forced = tuple(key for key in difference.keys if _listed(key, wanted.replace_on_changes))
    complete = replace(difference, replace_keys=tuple(dict.fromkeys([*difference.replace_keys, *forced])))
    if complete.replace_keys:
        return Operation.REPLACE, complete
    if complete.keys:
        return Operation.UPDATE, complete
    if old.init_errors:
        return Operation.UPDATE, replace(complete, keys=("(an earlier run could not finish it)",))
    return Operation.SAME, complete


def delete_first(wanted: Registration, difference: Difference) -> bool:
    """Whether a replacement deletes the old resource first: the program's word counts before the provider's."""
    if wanted.delete_before_replace is not None:
        return wanted.delete_before_replace
    return difference.delete_before_replace


def refuse_protected(resource: Resource, why: str) -> None:
    """Raise LocalError for a resource that is protected and would be deleted."""
    if resource.protect:
        raise LocalError(
            f"{resource.type} {resource.urn.rsplit('::', 1)[-1]} is protected and {why}: set protect=False on it and "
            "run up once, then try again"
        )


def _listed(key: str, texts: Iterable[str]) -> bool:
    try:
        changed = parse(key)
    except ValueError:
        changed = (key,)
    return any(covers(parse(text), changed) for text in texts)
