"""Which other URNs a resource may have had, as Pulumi's step generator works them out."""

from collections.abc import Iterable

from infra.local.engine import urns
from infra.local.engine.registration import Alias


def candidates(
    wanted: tuple[str, str, str], aliases: Iterable[Alias], parent_alias: str, stack: str, project: str
) -> list[str]:
    """URNs to look a resource up by when its own is not recorded, most explicit first.

    `wanted` is the resource's (parent URN, type, name); `parent_alias` is the URN its parent was found under, if that
    was another than the parent's own: the child is then looked for under it too, with the parent's old name in place
    of the new one where the child's name begins with it.
    """
    parent, type_, name = wanted
    explicit = [_collapse(wanted, alias, stack, project) for alias in aliases]
    found = list(explicit)
    if parent_alias:
        parent_name = urns.name_of(parent)
        for own_type, own_name in [(type_, name), *((urns.type_of(urn), urns.name_of(urn)) for urn in explicit)]:
            old_name = own_name
            if own_name.startswith(parent_name):
                old_name = urns.name_of(parent_alias) + own_name.removeprefix(parent_name)
            found.append(urns.make(stack, project, parent_alias, own_type, old_name))
    return list(dict.fromkeys(found))


def _collapse(wanted: tuple[str, str, str], alias: Alias, stack: str, project: str) -> str:
    if alias.urn:
        return alias.urn
    parent, type_, name = wanted
    return urns.make(
        alias.stack or stack,
        alias.project or project,
        "" if alias.no_parent else alias.parent or parent,
        alias.type or type_,
        alias.name or name,
    )
