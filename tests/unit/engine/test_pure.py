"""The engine's pure parts: values, paths, URNs, order, aliases, configuration."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.engine import aliases, config, paths, urns, values
from infra.local.engine.passphrase import Passphrase
from infra.local.engine.properties import from_provider, to_provider
from infra.local.engine.registration import Alias
from infra.local.engine.removal import in_order
from infra.local.engine.resources import Resource, from_json, to_json, topological
from infra.local.errors import LocalError

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
MARKED = st.recursive(PLAIN, lambda inner: inner.map(values.secret) | st.lists(inner, max_size=2), max_leaves=4)
PROPERTIES = st.dictionaries(st.text("xyz", min_size=1, max_size=2), MARKED, max_size=4)


@given(PROPERTIES)
def test_values_survive_the_way_to_a_provider_and_back(properties: dict[str, Any]) -> None:
    assert values.same(from_provider(to_provider(properties)), properties)


@given(PROPERTIES)
def test_masking_leaves_no_secret_and_revealing_no_mark(properties: dict[str, Any]) -> None:
    assert not values.has_secret(values.mask(properties))
    assert not values.has_secret(values.reveal(properties))


@given(PROPERTIES)
def test_a_provider_that_forgets_secrecy_is_corrected(properties: dict[str, Any]) -> None:
    plain: Any = values.reveal(properties)
    assert values.secret_texts(values.keep_secret(plain, properties)) == values.secret_texts(properties)


@pytest.mark.parametrize(
    ("left", "right"), [(True, 1), (False, 0), (None, False), ([1], [1, 2]), ({"a": None}, {}), ("1", 1)]
)
def test_values_of_different_json_are_not_the_same(left: Any, right: Any) -> None:
    assert not values.same(left, right)
    assert not values.same(right, left)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("tags", ("tags",)),
        ("tags.Name", ("tags", "Name")),
        ("rules[0].port", ("rules", 0, "port")),
        ('tags["kubernetes.io/name"]', ("tags", "kubernetes.io/name")),
        ("rules[*].port", ("rules", "*", "port")),
        ("*", ("*",)),
    ],
)
def test_property_paths_are_read(text: str, path: tuple[str | int, ...]) -> None:
    assert paths.parse(text) == path


def test_what_is_no_property_path_is_said() -> None:
    with pytest.raises(ValueError, match=r"'rules\[' is not a property path: write"):
        paths.parse("rules[")


OLD: dict[str, Any] = {
    "size": 1,
    "tags": {"a": 1, "b": 1},
    "rules": [{"port": 1, "to": 1}, {"port": 2, "to": 2}],
    "gone": 1,
}
NEW: dict[str, Any] = {
    "size": 2,
    "tags": {"a": 2, "c": 2},
    "rules": [{"port": 8, "to": 8}, {"port": 9, "to": 9}],
    "new": 2,
}


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("size", {"size": 1}),
        ("tags.a", {"tags": {"a": 1, "c": 2}}),
        ("tags.b", {"tags": {"a": 2, "b": 1, "c": 2}}),
        ("tags.c", {"tags": {"a": 2}}),
        ("tags.*", {"tags": {"a": 1, "b": 1}}),
        ("rules[1].port", {"rules": [{"port": 8, "to": 8}, {"port": 2, "to": 9}]}),
        ("rules[*].port", {"rules": [{"port": 1, "to": 8}, {"port": 2, "to": 9}]}),
        ("gone", {"gone": 1}),
        ("nowhere.at[3].all", {}),
    ],
)
def test_ignored_paths_keep_their_old_value(path: str, change: dict[str, Any]) -> None:
    assert paths.carry_over(OLD, NEW, [path]) == NEW | change


def test_an_ignored_new_property_is_left_out() -> None:
    assert "new" not in paths.carry_over(OLD, NEW, ["new"])


def test_an_ignored_path_inside_a_secret_is_found() -> None:
    old, new = {"p": values.secret({"a": 1, "b": 1})}, {"p": values.secret({"a": 2, "b": 2})}
    carried = paths.carry_over(old, new, ["p.a"])
    assert values.reveal(carried) == {"p": {"a": 1, "b": 2}}
    assert values.is_secret(carried["p"])


@given(PROPERTIES, PROPERTIES)
def test_ignoring_everything_keeps_everything(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert values.same(paths.carry_over(old, new, ["*"]), old)


def test_urns_are_qualified_by_the_parents_type_except_under_the_stack() -> None:
    stack = urns.make("dev", "proj", "", urns.STACK_TYPE, "proj-dev")
    group = urns.make("dev", "proj", stack, "dir:index:Group", "g")
    item = urns.make("dev", "proj", group, "dir:index:Item", "a::b")
    assert group == "urn:pulumi:dev::proj::dir:index:Group::g"
    assert item == "urn:pulumi:dev::proj::dir:index:Group$dir:index:Item::a::b"
    assert (urns.type_of(item), urns.name_of(item)) == ("dir:index:Item", "a::b")


@pytest.mark.parametrize(
    ("version", "name"), [("", "default"), ("7.51.1", "default_7_51_1"), ("1.0.0-rc.1", "default_1_0_0_rc_1")]
)
def test_default_providers_are_named_by_version(version: str, name: str) -> None:
    assert urns.default_provider_name(version) == name


GRAPH = st.lists(st.sets(st.integers(0, 11), max_size=3), min_size=1, max_size=12)


def resources(graph: list[set[int]]) -> list[Resource]:
    """Resources of which each refers to some that are earlier in an order hidden from the functions under test."""
    made = [
        Resource(
            urn=f"u{index}", type="t", custom=True, dependencies=tuple(f"u{other}" for other in needs if other < index)
        )
        for index, needs in enumerate(graph)
    ]
    return made[::-1]


@given(GRAPH)
def test_every_resource_comes_after_what_it_refers_to(graph: list[set[int]]) -> None:
    ordered = topological(resources(graph))
    place = {resource.urn: index for index, resource in enumerate(ordered)}
    assert len(place) == len(graph)
    assert all(place[urn] < place[resource.urn] for resource in ordered for urn in resource.references())


@given(GRAPH)
def test_a_resource_is_deleted_before_what_it_refers_to(graph: list[set[int]]) -> None:
    doomed = dict(enumerate(resources(graph)))
    numbers = {resource.urn: key for key, resource in doomed.items()}
    before = in_order(doomed)
    for key, resource in doomed.items():
        assert all(key in before[numbers[urn]] for urn in resource.references())


def test_a_resource_survives_the_state_file() -> None:
    resource = Resource(
        urn="u", type="t", custom=True, id="i", inputs={"a": 1}, provider="p::1", dependencies=("d",),
        property_dependencies={"a": ["d"]}, protect=True, import_id="i", custom_timeouts={"create": 5.0},
        extra={"sourcePosition": "s"},
    )  # fmt: skip
    document = to_json(resource)
    assert from_json(document) == resource
    assert document.keys() >= {"importID", "propertyDependencies", "customTimeouts", "sourcePosition"}
    assert "retainOnDelete" not in document


def test_aliases_are_looked_for_with_the_parents_old_name_and_type() -> None:
    parent = "urn:pulumi:dev::proj::dir:index:New::new"
    old_parent = "urn:pulumi:dev::proj::dir:index:Old::old"
    found = aliases.candidates((parent, "dir:index:Item", "new-a"), [Alias(name="was")], old_parent, "dev", "proj")
    assert found == [
        "urn:pulumi:dev::proj::dir:index:New$dir:index:Item::was",
        "urn:pulumi:dev::proj::dir:index:Old$dir:index:Item::old-a",
        "urn:pulumi:dev::proj::dir:index:Old$dir:index:Item::was",
    ]


# Written by the Pulumi CLI 3.260 with the passphrase `pass`.
CLI_SALT = "v1:FOu+4fag5Ng=:v1:EZeEqjbQKfFcA/Gm:6TgpHsA3nWmRxJxXvMvjzJ2Z4Mpdlw=="
CLI_SECRET = "v1:trcCZsLil1S3HDlU:8NvmN3J20E2Z+r84Hdfmg5gQ+wQosMSRDfU8LLcLVTw="


def test_secrets_of_the_cli_are_read() -> None:
    assert Passphrase("pass", CLI_SALT).decrypt(CLI_SECRET) == '"hunter2-canary"'
    with pytest.raises(LocalError, match="the passphrase does not open the secrets"):
        Passphrase("other", CLI_SALT).decrypt(CLI_SECRET)


@given(MARKED)
def test_sealing_hides_every_secret_and_opening_gives_it_back(value: Any) -> None:
    secrets = Passphrase("pass", CLI_SALT)
    sealed = secrets.seal(value)
    assert values.same(secrets.open(sealed), value)
    assert values.same(secrets.seal(secrets.open(sealed)), sealed)


def stack_file(folder: Path, text: str) -> Path:
    (folder / "stacks").mkdir()
    (folder / "stacks" / "Pulumi.dev.yaml").write_text(text)
    return folder


def test_configuration_is_read_as_the_cli_reads_it(tmp_path: Path) -> None:
    text = f"""
encryptionsalt: {CLI_SALT}
config:
  owner: ada
  proj:count: 3
  proj:on: true
  proj:network: {{cidr: 10.0.0.0/16, zones: [a, b]}}
  aws:region: eu-west-1
  proj:password: {{secure: {CLI_SECRET}}}
"""
    loaded = config.load(stack_file(tmp_path, text), "proj", "dev", "pass")
    assert loaded.values == {
        "proj:owner": "ada",
        "proj:count": "3",
        "proj:on": "true",
        "proj:network": '{"cidr":"10.0.0.0/16","zones":["a","b"]}',
        "aws:region": "eu-west-1",
        "proj:password": '"hunter2-canary"',
    }
    assert loaded.secret_keys == {"proj:password"}
    assert loaded.of_package("aws") == {"region": "eu-west-1"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("config: [", "is not YAML"),
        ("config: 3", "`config` must be a mapping of keys to values, got int"),
        ("config: {a: {secure: v1:x:y}}", "a is encrypted but the file has no `encryptionsalt`"),
    ],
)
def test_a_damaged_stack_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(LocalError, match=r"Pulumi\.dev\.yaml") as raised:
        config.load(stack_file(tmp_path, text), "proj", "dev", "pass")
    assert said in str(raised.value)
