"""The life of a resource as its row of the table tells it. Types that do not fit override a step."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import jmespath

from infra.local.errors import LocalError

from . import schema
from .cloud import Cloud, RefusedError
from .convert import Conversion, Reading, pair_members
from .spec import Call, Read, Spec
from .values import is_mapping, is_sequence, mapping, sequence

MARKER = "mlp:token"
"""Tag that says which create made a resource, so that an interrupted one is found again; never shown as a tag."""


def target_shape(cloud: Cloud, spec: Spec, operation: str, into: str = "") -> Any:
    """The structure that an operation's converted properties are members of."""
    shape: Any = cloud.model(spec.service).operation_model(operation).input_shape
    for member in into.split(".") if into else ():
        shape = shape.members[member]
    return shape


@dataclass
class Scope:
    """One resource while something is done to it."""

    cloud: Cloud
    spec: Spec
    inputs: dict[str, Any]
    id: str = ""
    state: dict[str, Any] = field(default_factory=dict[str, Any])
    token: str = ""
    logical_name: str = ""

    def __post_init__(self) -> None:
        self.before = dict(self.state)

    @property
    def region(self) -> str:
        """The region the resource lives in."""
        return self.inputs.get("region") or self.state.get("region") or self.cloud.settings.region

    def call(self, operation: str, /, **params: Any) -> Any:
        """The answer of one call of the type's service."""
        return self.cloud.call(self.spec.service, operation, params, self.region)

    def lookup(self, name: str) -> Any:
        """The value of a template's hole."""
        match name:
            case "id":
                return self.id
            case "token":
                return self.token
            case "region":
                return self.region
            case "account":
                return self.cloud.account
            case "partition":
                return "aws"
            case _:
                value = self.inputs.get(name)
                return self.state.get(name) if value is None else value

    def lookup_before(self, name: str) -> Any:
        """How the program, or else the state before this step, spells a property."""
        return self.inputs.get(name) or self.before.get(name)

    def render(self, template: Any) -> Any:
        """A template with its holes filled; members whose hole is empty are left out."""
        if isinstance(template, str):
            whole = re.fullmatch(r"\{(\w+)\}", template)
            if whole:
                return self.lookup(whole[1])
            return re.sub(r"\{(\w+)\}", lambda hole: str(self.lookup(hole[1])), template)
        if is_mapping(template):
            items = {key: self.render(value) for key, value in template.items()}
            return {key: value for key, value in items.items() if value is not None}
        if isinstance(template, list | tuple):
            return [self.render(value) for value in cast("list[Any]", template)]
        return template

    def params(self, operation: str, names: Iterable[str] | None = None, into: str = "") -> dict[str, Any]:
        """The inputs, or the named ones, as parameters of an operation, or members of a structure of it."""
        conversion = Conversion(self.spec.rename, self.spec.to_aws)
        shape = target_shape(self.cloud, self.spec, operation, into)
        kinds = schema.type_schema(self.spec.type).inputs
        chosen = self.inputs if names is None else {name: self.inputs.get(name) for name in names}
        params = conversion.params(
            {name: chosen[name] for name in chosen if name not in {"region", "tags"}}, shape, kinds
        )
        if conversion.failures:
            first = conversion.failures[0]
            raise LocalError(f"{self.spec.type}: {first.path} {first.reason}")
        for member in reversed(into.split(".") if into else ()):
            params = {member: params}
        return params

    def run(self, call: Call, names: Iterable[str] | None = None) -> Any:
        """The answer of a call of the table."""
        sent = call.send if names is None else names
        params = self.params(call.operation, sent, call.into) if sent else {}
        return self.call(call.operation, **params, **self.render(call.params))

    def read(self, read: Read) -> Any:
        """The part that a read selects; None when it is not there."""
        try:
            answer = self.run(read)
        except RefusedError as refusal:
            if refusal.code in read.absent or self.spec.is_missing(refusal.code, refusal.message):
                return None
            raise
        return jmespath.search(str(self.render(read.select)), answer)

    def identify(self) -> None:
        """Take what the id says of the inputs, where nothing else does, as in an import."""
        if self.spec.id.startswith("@"):
            return
        parts = re.split(r"\{(\w+)\}", self.spec.id)
        # Of more than two parts the middle one may hold slashes, as in `service/resource/of/it/dimension`.
        last = "[^/]+" if len(parts) > 5 else ".+"
        patterns = [f"(?P<{part}>.+?)" if index % 2 else re.escape(part) for index, part in enumerate(parts)]
        patterns[-2] = f"(?P<{parts[-2]}>{last})"
        pattern = "".join(patterns)
        found = re.fullmatch(pattern, self.id)
        self.state = {**(found.groupdict() if found else {}), **self.state}

    def all_tags(self) -> dict[str, str]:
        """The tags the resource should have: the provider's defaults and its own."""
        return {**self.cloud.settings.default_tags, **mapping(self.inputs.get("tags"))}


class Handler:
    """The generic life cycle. Every step takes a scope; none keeps state."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    def check(self, inputs: dict[str, Any], conversion: Conversion) -> None:
        """Note what is wrong with the inputs beyond what the service model knows."""

    def find(self, scope: Scope) -> str | None:
        """The id of what an interrupted run of this create left, if anything."""
        if self.spec.find is not None:
            found = scope.read(self.spec.find)
            return str(found[0] if is_sequence(found) else found) if found else None
        if self.spec.id.startswith("@") or not self.spec.exclusive:
            return None
        scope.id = scope.render(self.spec.id)
        return scope.id if self.fetch(scope) is not None else None

    def create(self, scope: Scope) -> str:
        """Make the resource, and return its id."""
        call = self.spec.create
        params = scope.params(call.operation, call.send or None, call.into)
        params |= scope.render(call.params) | self.creation_tags(scope)
        answer = scope.call(call.operation, **self.amend(scope, params))
        scope.id = (
            jmespath.search(self.spec.id[1:], answer) if self.spec.id.startswith("@") else scope.render(self.spec.id)
        )
        if self.spec.tags and not (self.spec.tags.member or self.spec.tags.ec2_type):
            self.put_tags(scope, {**scope.all_tags(), MARKER: scope.token}, [])
        self.created(scope)
        return scope.id

    def amend(self, scope: Scope, params: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002  # for types to override
        """Parameters of the create call, for types whose parameters do not come from a table."""
        return params

    def created(self, scope: Scope) -> None:
        """What belongs to a creation after the create call; run again on a resource that is adopted."""
        for call in self.spec.updates:
            wanted = [name for name in (*call.send, *call.when) if not self._is_default(scope, name)]
            if wanted and not self._sent_by_create(scope, call):
                scope.run(call)

    def _is_default(self, scope: Scope, name: str) -> bool:
        value = scope.inputs.get(name)
        return value is None or value in ({}, [])

    def _sent_by_create(self, scope: Scope, call: Call) -> bool:
        """Whether the create call has already told AWS everything this update would."""
        create = self.spec.create
        names = call.send + call.when
        sendable = [name for name in names if not create.send or name in create.send]
        sent = scope.params(create.operation, sendable, create.into)
        given = [name for name in names if not self._is_default(scope, name)]
        return len(sent) >= len(given)

    def failed(self, item: dict[str, Any]) -> bool:  # noqa: ARG002  # for types to override
        """Whether what was found is beyond repair and has to be made anew."""
        return False

    def fetch(self, scope: Scope) -> dict[str, Any] | None:
        """Everything AWS answers about the resource, in one dict; None when there is no such resource."""
        found = scope.read(self.spec.read)
        if found is None or found == []:
            return None
        item: dict[str, Any] = {self.spec.read.at: found} if self.spec.read.at else dict(found)
        for read in self.spec.more:
            part = scope.read(read)
            if part is not None:
                item |= {read.at: part} if read.at else part
        for member in self.spec.flatten:
            item |= mapping(item.get(member))
        if self.spec.tags and self.spec.tags.read:
            item["Tags"] = sequence(scope.read(self.spec.tags.read))
        return item

    def outputs(self, scope: Scope, item: dict[str, Any]) -> dict[str, Any]:
        """The properties Pulumi promises, from what AWS answered."""
        kinds = {name: kind for name, kind in schema.type_schema(self.spec.type).outputs.items() if name not in _TAGS}
        result = Reading(self.spec.rename, self.spec.from_aws).properties(item, kinds)
        scope.state = {**scope.state, **result}
        result |= {
            name: value for name, template in self.spec.outputs.items() if (value := scope.render(template)) is not None
        }
        return result

    def tags(self, item: dict[str, Any]) -> dict[str, str]:
        """All tags in an answer, the marker among them."""
        found: Any = item.get("Tags", item.get("tags", item.get("TagList")))
        if is_mapping(found):
            return dict(found)
        pairs = [{key.lower(): value for key, value in mapping(pair).items()} for pair in sequence(found)]
        return {str(pair.get("key", pair.get("tagkey"))): pair.get("value", pair.get("tagvalue", "")) for pair in pairs}

    def update(self, scope: Scope, changed: frozenset[str]) -> None:
        """Bring the changed properties to what the inputs want; what they leave out is emptied."""
        kinds = schema.type_schema(self.spec.type).inputs
        emptied = {name: _empty(kinds[name]) for name in changed & kinds.keys() if scope.inputs.get(name) is None}
        scope.inputs = {**scope.inputs, **{name: value for name, value in emptied.items() if value is not None}}
        for call in self.spec.updates:
            if changed.intersection((*call.send, *call.when)):
                scope.run(call)

    def delete(self, scope: Scope) -> None:
        """Delete the resource; it is there."""
        if self.spec.delete:
            scope.run(self.spec.delete)

    def retag(self, scope: Scope, actual: Mapping[str, str]) -> None:
        """Bring the tags to what the inputs want, the marker kept."""
        wanted = scope.all_tags()
        marker = actual.get(MARKER)
        removed = [key for key in actual if key not in wanted and key != MARKER and not key.startswith("aws:")]
        added = {key: value for key, value in wanted.items() if actual.get(key) != value}
        replaces_all = self.spec.tags is not None and self.spec.tags.untag is None and not self.spec.tags.ec2_type
        if replaces_all:
            added = {**wanted, **({MARKER: marker} if marker else {})}
        self.put_tags(scope, added, removed)

    def put_tags(self, scope: Scope, added: Mapping[str, str], removed: list[str]) -> None:
        """Add and remove tags of an existing resource."""
        tagging = self.spec.tags
        if tagging is None:
            return
        if tagging.ec2_type:
            if removed:
                scope.call("DeleteTags", Resources=[scope.id], Tags=[{"Key": key} for key in removed])
            if added:
                scope.call("CreateTags", Resources=[scope.id], Tags=_pairs(added, "Key", "Value"))
            return
        if removed and tagging.untag:
            scope.call(
                tagging.untag.operation,
                **scope.render(tagging.untag.params),
                **self._keys(scope, tagging.untag.operation, removed),
            )
        if tagging.tag and (added or tagging.untag is None):
            scope.call(
                tagging.tag.operation,
                **{**scope.render(tagging.tag.params), **self._tags(scope, tagging.tag.operation, added)},
            )

    def _keys(self, scope: Scope, operation: str, removed: list[str]) -> dict[str, Any]:
        shape: Any = scope.cloud.model(self.spec.service).operation_model(operation).input_shape
        member = next(name for name in shape.members if name.lower() in {"tagkeys", "tagkeylist", "tagslist"})
        return {member: removed}

    def _tags(self, scope: Scope, operation: str, tags: Mapping[str, str]) -> dict[str, Any]:
        """The tags under the operation's tag member, in the form that member takes."""
        shape: Any = scope.cloud.model(self.spec.service).operation_model(operation).input_shape
        member = next(name for name in shape.members if name.lower() in {"tags", "taglist"})
        if shape.members[member].type_name == "map":
            return {member: dict(tags)}
        return {member: _pairs(tags, *(pair_members(shape.members[member].member) or ("Key", "Value")))}

    def creation_tags(self, scope: Scope) -> dict[str, Any]:
        """The tag parameter of the create call, marker included."""
        tagging = self.spec.tags
        tags = {**scope.all_tags(), MARKER: scope.token}
        if tagging is None or not (tagging.member or tagging.ec2_type):
            return {}
        if tagging.ec2_type:
            pairs = _pairs(tags, "Key", "Value")
            return {"TagSpecifications": [{"ResourceType": tagging.ec2_type, "Tags": pairs}]}
        return self._tags(scope, self.spec.create.operation, tags)


_TAGS = frozenset(("tags", "tagsAll"))


def _empty(kind: schema.Kind) -> Any:
    """What takes a property back to nothing; None where nothing does."""
    if schema.is_list(kind):
        return []
    if schema.is_map(kind):
        return {}
    return {"boolean": False, "string": ""}.get(str(kind))


def _pairs(tags: Mapping[str, str], key: str, value: str) -> list[dict[str, str]]:
    return [{key: name, value: content} for name, content in tags.items()]


class Put(Handler):
    """A type that is one call: writing it anew creates and updates alike."""

    def created(self, scope: Scope) -> None:
        """Everything was in the one call."""

    def update(self, scope: Scope, changed: frozenset[str]) -> None:
        """Write it anew."""
        if changed:
            scope.call(self.spec.create.operation, **self.amend(scope, self._all(scope)))

    def _all(self, scope: Scope) -> dict[str, Any]:
        call = self.spec.create
        return scope.params(call.operation, call.send or None, call.into) | scope.render(call.params)
