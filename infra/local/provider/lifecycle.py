"""Creates, reads, updates and deletes one resource; plain values in, plain values out; blocking."""

from collections.abc import Mapping
from typing import Any

from infra.local.errors import LocalError

from . import schema
from .check import TOKEN
from .cloud import Cloud, RefusedError
from .compare import canonical, differences, needs_replacement, without_computed
from .handler import MARKER, Handler, Scope
from .values import mapping


def create(cloud: Cloud, handler: Handler, name: str, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Id and outputs of the resource, made or, where an interrupted create left it, adopted and completed."""
    scope = _scope(cloud, handler, inputs, name=name)
    found = handler.find(scope)
    if found is not None:
        scope.id = found
        if _adopt(scope, handler):
            return scope.id, _outputs_now(scope, handler)
    scope.id, scope.state = "", {}
    scope.id = handler.create(scope)
    return scope.id, _outputs_now(scope, handler)


def _adopt(scope: Scope, handler: Handler) -> bool:
    """Bring what was found to what is wanted; False when it was not to be kept and is gone."""
    item = handler.fetch(scope)
    if item is None:
        return False
    spec = handler.spec
    tags = handler.tags(item)
    # A resource without any tag is one that was killed before its tags were put.
    if spec.marked and tags and tags.get(MARKER) != scope.token:
        raise LocalError(
            f"{spec.type} {scope.id} exists already and was not made for {scope.logical_name}. "
            "Give this one another name, delete the other, or import it."
        )
    scope.state = _outputs(scope, handler, item)
    found = differences(spec, scope.state, scope.inputs)
    if any(needs_replacement(spec, difference) for difference in found) or handler.failed(item):
        handler.delete(scope)
        return False
    handler.update(scope, frozenset(difference.path.split(".")[0].split("[")[0] for difference in found))
    if spec.tags:
        handler.retag(scope, {MARKER: scope.token, **tags} if tags else {})
        if not tags:
            handler.put_tags(scope, {MARKER: scope.token, **scope.all_tags()}, [])
    return True


def read(
    cloud: Cloud, handler: Handler, resource_id: str, state: Mapping[str, Any], inputs: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Outputs and inputs of the resource as it is now; None when it is gone.

    Inputs keep their spelling where AWS means the same, and take AWS's value where it does not. Without old inputs
    (an import) they are what a program would have to say.
    """
    scope = _scope(cloud, handler, inputs, resource_id, state)
    scope.identify()
    item = handler.fetch(scope)
    if item is None:
        return None
    importing = not inputs
    outputs = _outputs(scope, handler, item)
    return outputs, _inputs_now(handler, dict(inputs), outputs, importing=importing)


def _inputs_now(
    handler: Handler, old: dict[str, Any], outputs: Mapping[str, Any], *, importing: bool
) -> dict[str, Any]:
    spec = handler.spec
    result = dict(old)
    for name in schema.type_schema(spec.type).inputs:
        before, now = old.get(name), outputs.get(name)
        if name in spec.local or name == "region" or (before is None and name in spec.computed and not importing):
            continue
        wanted, actual = without_computed(spec, name, before, now)
        if canonical(wanted, spec, name) != canonical(actual, spec, name):
            if now is None:
                result.pop(name, None)
            else:
                result[name] = now
    if importing:
        result = {**{name: value for name, value in spec.defaults.items() if name in spec.local}, **result}
    return result


def update(
    cloud: Cloud, handler: Handler, resource_id: str, state: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Outputs after the resource was brought to what the inputs want."""
    scope = _scope(cloud, handler, inputs, resource_id, state)
    found = differences(handler.spec, state, inputs)
    changed = frozenset(difference.path.split(".")[0].split("[")[0] for difference in found)
    handler.update(scope, changed - {"tags"})
    if handler.spec.tags:
        item = handler.fetch(scope)
        actual = handler.tags(item) if item else {}
        visible = {key: value for key, value in actual.items() if key != MARKER and not key.startswith("aws:")}
        if visible != scope.all_tags():
            handler.retag(scope, actual)
    return _outputs_now(scope, handler)


def delete(cloud: Cloud, handler: Handler, resource_id: str, state: Mapping[str, Any]) -> None:
    """The resource is gone afterwards, also when it was gone before."""
    scope = _scope(cloud, handler, {}, resource_id, state)
    try:
        if handler.fetch(scope) is not None:
            handler.delete(scope)
    except RefusedError as refusal:
        if not handler.spec.is_missing(refusal.code, refusal.message):
            raise


def _scope(
    cloud: Cloud,
    handler: Handler,
    inputs: Mapping[str, Any],
    resource_id: str = "",
    state: Mapping[str, Any] | None = None,
    name: str = "",
) -> Scope:
    given = {key: value for key, value in inputs.items() if not key.startswith("__") and value is not None}
    token = str(inputs.get(TOKEN, ""))
    return Scope(cloud, handler.spec, given, resource_id, dict(state or {}), token, name)


def _outputs_now(scope: Scope, handler: Handler) -> dict[str, Any]:
    item = handler.fetch(scope)
    if item is None:
        raise LocalError(f"{handler.spec.type} {scope.id} is gone right after it was written; run `mlp up` again")
    return _outputs(scope, handler, item)


def _outputs(scope: Scope, handler: Handler, item: dict[str, Any]) -> dict[str, Any]:
    """All outputs: AWS's answer in Pulumi's words, in the spelling of the inputs or the old state where equal."""
    spec, promised = handler.spec, schema.type_schema(handler.spec.type)
    remembered = {**scope.state, **scope.inputs}
    result = handler.outputs(scope, item)
    for name in spec.local:
        if name in remembered and name in promised.outputs:
            result[name] = remembered[name]
    for name in promised.inputs.keys() & remembered.keys() & result.keys():
        actual, old = without_computed(spec, name, remembered[name], result[name])[::-1], remembered[name]
        if canonical(actual[0], spec, name) == canonical(actual[1], spec, name) and name not in _nested(spec):
            result[name] = old
    if "region" in promised.outputs:
        result["region"] = scope.region
    if spec.tags:
        tags = handler.tags(item)
        visible = {key: value for key, value in tags.items() if key != MARKER and not key.startswith("aws:")}
        defaults = scope.cloud.settings.default_tags
        own = mapping(scope.inputs.get("tags"))
        result["tags"] = {key: value for key, value in visible.items() if defaults.get(key) != value or key in own}
        result["tagsAll"] = visible
    return result


def _nested(spec: Any) -> frozenset[str]:
    """Properties with parts that AWS fills in: AWS's answer says more than the inputs do."""
    return frozenset(path.split(".")[0] for path in spec.computed if "." in path)
