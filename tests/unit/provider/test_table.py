"""Every row of the table names only what AWS's models and the SDK know, and leaves nothing of the SDK out unsaid."""

import re
from collections.abc import Iterator
from typing import Any

import jmespath
import pytest

from infra.local.provider import schema, sdk_schema
from infra.local.provider.cloud import Cloud
from infra.local.provider.convert import find_member
from infra.local.provider.handler import target_shape
from infra.local.provider.spec import Call, Read, Spec
from infra.local.provider.table import TABLE

SPECS = [handler.spec for handler in TABLE.values()]


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    return Cloud("http://127.0.0.1:1")


def calls(spec: Spec) -> Iterator[Call]:
    yield from (spec.create, spec.read, *spec.more, *spec.updates)
    yield from (call for call in (spec.delete, spec.find) if call is not None)
    if spec.tags:
        yield from (call for call in (spec.tags.read, spec.tags.tag, spec.tags.untag) if call is not None)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.type)
def test_operations_and_their_members_exist(spec: Spec, cloud: Cloud) -> None:
    model = cloud.model(spec.service)
    for call in calls(spec):
        assert call.operation in model.operation_names
        shape: Any = model.operation_model(call.operation).input_shape
        assert set(call.params) <= set(shape.members if shape else ())
        if isinstance(call, Read):
            jmespath.compile(re.sub(r"\{\w+\}", "1", call.select))  # raises on a wrong expression


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.type)
def test_sent_properties_have_a_member(spec: Spec, cloud: Cloud) -> None:
    for call in (spec.create, *spec.updates):
        shape = target_shape(cloud, spec, call.operation, call.into)
        for name in call.send:
            assert name in spec.handled or find_member(name, tuple(shape.members), spec.rename.get(name)), name


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.type)
def test_property_names_are_the_sdks(spec: Spec) -> None:
    promised = schema.type_schema(spec.type)
    paths = {
        *spec.replace,
        *spec.computed,
        *spec.documents,
        *spec.ordered,
        *spec.local,
        *spec.handled,
        *spec.unsupported,
        *spec.defaults,
        *spec.canonical,
    }
    for path in paths:
        assert exists(path, promised.inputs), path
    for path in (*spec.rename, *spec.to_aws, *spec.from_aws, *spec.outputs, *spec.secrets):
        inside_a_transform = any(path.startswith(f"{outer}.") for outer in spec.to_aws)
        assert inside_a_transform or exists(path, {**promised.outputs, **promised.inputs}), path


def exists(path: str, kinds: Any) -> bool:
    head, _, rest = path.partition(".")
    if head not in kinds:
        return False
    return not rest or exists(rest, members(kinds[head]))


def members(kind: schema.Kind) -> Any:
    while not schema.is_object(kind) and schema.element(kind) is not None:
        kind = schema.element(kind) or ""
    return schema.members(kind) if schema.is_object(kind) else {}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.type)
def test_every_input_is_sent_handled_or_refused(spec: Spec, cloud: Cloud) -> None:
    said = spec.local | spec.handled | spec.unsupported | {"region", "tags"}
    if spec.name and spec.name.prefix_property:
        said |= {spec.name.prefix_property}
    templates = repr([call.params for call in (spec.create, *spec.updates)])
    for name, kind in schema.type_schema(spec.type).inputs.items():
        if name in said or f"{{{name}}}" in templates:
            continue
        shapes = [
            target_shape(cloud, spec, call.operation, call.into).members
            for call in (spec.create, *spec.updates)
            if not call.send or name in call.send
        ]
        found = [(shape, find_member(name, tuple(shape), spec.rename.get(name))) for shape in shapes]
        mapped = [shape[member] for shape, member in found if member]
        assert mapped, f"{name} reaches no operation"
        if name not in spec.to_aws:
            assert not list(unmapped(spec, name, kind, mapped[0]))


def unmapped(spec: Spec, path: str, kind: schema.Kind, shape: Any) -> Iterator[str]:
    """Nested properties that have no member; the conversion refuses them with their path."""
    while shape.type_name == "list":
        shape = shape.member
    if shape.type_name != "structure" or path in spec.to_aws:
        return
    for name, inner in members(kind).items():
        dotted = f"{path}.{name}"
        member = find_member(name, tuple(shape.members), spec.rename.get(dotted))
        if dotted in spec.to_aws or dotted in spec.unsupported:
            continue
        if member is None:
            yield dotted
        else:
            yield from unmapped(spec, dotted, inner, shape.members[member])


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.name], ids=lambda spec: spec.type)
def test_names_keep_within_awss_length(spec: Spec, cloud: Cloud) -> None:
    assert spec.name
    shape = target_shape(cloud, spec, spec.create.operation, spec.create.into)
    member = find_member(spec.name.property, tuple(shape.members), spec.rename.get(spec.name.property))
    assert member
    longest = shape.members[member].metadata.get("max")
    assert longest is None or spec.name.max <= longest
    assert len(spec.name.make("x" * 2000, "0123456789abcdef")) == spec.name.max


def test_the_sdks_promises_are_current() -> None:
    assert schema.PATH.read_text(encoding="utf-8") == sdk_schema.render(list(TABLE)), (
        "run `python -m infra.local.provider.sdk_schema`"
    )
