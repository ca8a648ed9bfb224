"""What `up`, `preview` and `destroy` do to resources, on a cloud in a folder."""

import threading
from typing import Any

import pulumi
import pytest

from infra.local.engine import Operation
from infra.local.errors import LocalError
from tests.support.directory_cloud import DirProvider, Group, Item, Twin
from tests.support.engine_stack import EngineStack, changes

Options = pulumi.ResourceOptions


def nothing() -> None:
    """A program without resources."""


def one(**props: Any) -> Any:
    """A program with the item `a`."""

    def program() -> None:
        Item("a", props)

    return program


def test_a_second_up_and_a_preview_change_nothing(stack: EngineStack) -> None:
    def program() -> None:
        first = Item("a", {"size": 1})
        Item("b", {"links": [first.arn]})
        Group("g", 2)

    assert changes(stack.up(program)) == {"create": 6}
    written = stack.file.read_bytes()
    assert changes(stack.preview(program)) == {}
    assert changes(stack.up(program)) == {}
    assert stack.file.read_bytes() == written
    assert sorted(stack.cloud.calls()) == ["create a", "create b", "create g-0", "create g-1"]


def test_an_output_reaches_the_resources_that_use_it(stack: EngineStack) -> None:
    def program() -> None:
        first = Item("a")
        Item("b", {"links": [first.arn]})

    stack.up(program)
    recorded = stack.recorded()
    assert recorded["b"]["inputs"]["links"] == [recorded["a"]["outputs"]["arn"]]
    assert recorded["b"]["propertyDependencies"] == {"links": [recorded["a"]["urn"]]}
    assert recorded["b"]["dependencies"] == [recorded["a"]["urn"]]


def test_independent_resources_are_created_at_the_same_time(stack: EngineStack) -> None:
    together = threading.Barrier(4, timeout=20)

    def hook(call: str) -> None:
        if call.startswith("create "):
            together.wait()

    parallel = EngineStack(stack.folder, hook)

    def program() -> None:
        for index in range(4):
            Item(f"i{index}")

    assert changes(parallel.up(program)) == {"create": 5}


def test_no_more_calls_run_at_once_than_allowed(stack: EngineStack) -> None:
    running, most, lock = 0, 0, threading.Lock()

    def hook(call: str) -> None:
        nonlocal running, most
        with lock:
            running += 1 if call.startswith("create ") else -1
            most = max(most, running)

    def program() -> None:
        for index in range(12):
            Item(f"i{index}")

    EngineStack(stack.folder, hook).up(program, parallel=3)
    assert most <= 3


def test_a_changed_property_is_updated_in_place(stack: EngineStack) -> None:
    stack.up(one(size=1))
    before = stack.recorded()["a"]
    assert changes(stack.preview(one(size=2))) == {"update": 1}
    assert stack.recorded()["a"] == before
    result = stack.up(one(size=2))
    assert changes(result) == {"update": 1}
    assert [change["keys"] for change in result.resources if change["name"] == "a"] == [["size"]]
    after = stack.recorded()["a"]
    assert (after["id"], after["outputs"]["size"], after["created"]) == (before["id"], 2, before["created"])


def test_a_replacement_creates_before_it_deletes(stack: EngineStack) -> None:
    stack.up(one(name="first"))
    assert changes(stack.up(one(name="second"))) == {"replace": 1}
    assert stack.cloud.calls() == ["create a", "create a", "delete a"]
    assert list(stack.cloud.resources()) == ["second"]


def test_a_generated_name_does_not_collide_with_the_resource_it_replaces(stack: EngineStack) -> None:
    def program(size: int) -> Any:
        return lambda: Item("a", {"size": size}, Options(replace_on_changes=["size"]))

    stack.up(program(1))
    old = stack.recorded()["a"]["id"]
    assert changes(stack.up(program(2))) == {"replace": 1}
    assert stack.recorded()["a"]["id"] != old
    assert list(stack.cloud.resources()) == [stack.recorded()["a"]["id"]]


def test_a_replacement_that_must_delete_first_takes_its_dependents_along(stack: EngineStack) -> None:
    def program(key: str) -> Any:
        def run() -> None:
            base = Item("base", {"key": key, "size": 1})
            middle = Item("middle", {"key": base.arn.apply(lambda arn: f"of {arn}")})
            Item("leaf", {"key": middle.arn})
            Item("loose", {"links": [base.arn]})

        return run

    stack.up(program("x"))
    already = len(stack.cloud.calls())
    assert changes(stack.up(program("y"))) == {"replace": 3, "update": 1}
    calls = stack.cloud.calls()[already:]
    assert calls[:3] == ["delete leaf", "delete middle", "delete base"]
    assert [call for call in calls[3:] if call != "update loose"] == ["create base", "create middle", "create leaf"]
    assert changes(stack.preview(program("y"))) == {}


@pytest.mark.parametrize(("first", "order"), [(True, ["delete a", "create a"]), (False, ["create a", "delete a"])])
def test_the_program_decides_the_order_of_a_replacement(stack: EngineStack, first: bool, order: list[str]) -> None:
    def program(name: str) -> Any:
        return lambda: Item("a", {"name": name}, Options(delete_before_replace=first))

    stack.up(program("x"))
    stack.up(program("y"))
    assert stack.cloud.calls()[1:] == order


def test_a_provider_without_generated_names_deletes_first(stack: EngineStack) -> None:
    stack.up(lambda: Twin("a", {"key": "x"}))
    stack.up(lambda: Twin("a", {"key": "y"}))
    assert stack.cloud.calls() == ["create a", "delete a", "create a"]


def test_what_the_program_drops_is_deleted_after_what_depends_on_it(stack: EngineStack) -> None:
    def program() -> None:
        first = Item("a")
        second = Item("b", {"links": [first.arn]})
        Item("c", {"links": [second.arn]})

    stack.up(program)
    assert changes(stack.preview(nothing)) == {"delete": 3}
    assert changes(stack.up(nothing)) == {"delete": 3}
    assert stack.cloud.calls()[3:] == ["delete c", "delete b", "delete a"]
    assert stack.cloud.resources() == {}


def test_destroy_deletes_everything_and_leaves_an_empty_state(stack: EngineStack) -> None:
    def program() -> None:
        Group("g", 3)
        Item("explicit", {}, Options(provider=DirProvider("mine", {"realm": "x"})))

    stack.up(program)
    assert changes(stack.engine().destroy()) == {"delete": 7}
    assert stack.cloud.resources() == {}
    assert stack.latest()["resources"] == []
    assert changes(stack.engine().destroy()) == {}


def test_deletions_that_do_not_depend_on_each_other_run_at_the_same_time(stack: EngineStack) -> None:
    together = threading.Barrier(3, timeout=20)

    def hook(call: str) -> None:
        if call.startswith("delete "):
            together.wait()

    def program() -> None:
        for index in range(3):
            Item(f"i{index}")

    stack.up(program)
    EngineStack(stack.folder, hook).engine().destroy()
    assert stack.cloud.resources() == {}


def test_a_protected_resource_is_neither_deleted_nor_replaced(stack: EngineStack) -> None:
    def program() -> None:
        Item("a", {"name": "n"}, Options(protect=True))
        Item("b")

    stack.up(program)
    with pytest.raises(LocalError, match="a is protected and the program no longer has it: set protect=False"):
        stack.up(nothing)
    with pytest.raises(LocalError, match="a is protected and would be replaced because of name"):
        stack.up(lambda: Item("a", {"name": "other"}, Options(protect=True)))
    with pytest.raises(LocalError, match="a is protected and cannot be destroyed"):
        stack.engine().destroy()
    assert len(stack.cloud.resources()) == 2
    stack.up(lambda: Item("a", {"name": "n"}, Options(protect=False)))
    stack.engine().destroy()
    assert stack.cloud.resources() == {}


def test_retain_on_delete_forgets_the_resource_and_leaves_it(stack: EngineStack) -> None:
    stack.up(lambda: Item("a", {"name": "kept"}, Options(retain_on_delete=True)))
    assert changes(stack.up(nothing)) == {"delete": 1}
    assert list(stack.cloud.resources()) == ["kept"]
    assert stack.recorded() == {}


def test_a_resource_deleted_with_another_is_not_deleted_itself(stack: EngineStack) -> None:
    def program() -> None:
        owner = Item("owner")
        Item("owned", {}, Options(deleted_with=owner))

    stack.up(program)
    stack.engine().destroy()
    assert stack.cloud.calls() == ["create owner", "create owned", "delete owner"]


def test_ignored_changes_are_ignored(stack: EngineStack) -> None:
    def program(size: int, links: dict[str, int]) -> Any:
        return lambda: Item("a", {"size": size, "links": links}, Options(ignore_changes=["size", "links.x"]))

    stack.up(program(1, {"x": 1, "y": 1}))
    assert changes(stack.preview(program(2, {"x": 2, "y": 1}))) == {}
    assert changes(stack.up(program(2, {"x": 2, "y": 2}))) == {"update": 1}
    assert stack.recorded()["a"]["inputs"] | {"name": ""} == {"size": 1, "links": {"x": 1, "y": 2}, "name": ""}


def test_a_renamed_resource_is_found_by_its_alias(stack: EngineStack) -> None:
    def old() -> None:
        first = Item("old", {"size": 1})
        Item("child", {"links": [first.arn]}, Options(depends_on=[first]))

    def new() -> None:
        first = Item("new", {"size": 1}, Options(aliases=[pulumi.Alias(name="old")]))
        Item("child", {"links": [first.arn]}, Options(depends_on=[first]))

    stack.up(old)
    assert changes(stack.up(new)) == {}
    assert sorted(stack.recorded()) == ["child", "new"]
    assert stack.recorded()["child"]["dependencies"] == [stack.recorded()["new"]["urn"]]
    assert changes(stack.preview(new)) == {}


def test_children_follow_a_renamed_parent(stack: EngineStack) -> None:
    stack.up(lambda: Group("old", 2))
    renamed = Options(aliases=[pulumi.Alias(name="old")])
    assert changes(stack.up(lambda: Group("new", 2, renamed))) == {}
    assert sorted(stack.recorded()) == ["new", "new-0", "new-1"]


def test_an_alias_may_be_a_whole_urn_or_another_parent(stack: EngineStack) -> None:
    stack.up(lambda: Group("g", 1))
    urn = stack.recorded()["g-0"]["urn"]

    def moved() -> None:
        Group("g", 0)
        Item("g-0", {"size": 0}, Options(aliases=[urn]))

    assert changes(stack.up(moved)) == {"update": 1}
    assert stack.recorded()["g-0"]["urn"] == "urn:pulumi:dev::proj::dir:index:Item::g-0"
    assert stack.cloud.calls() == ["create g-0"]


def test_a_resource_is_imported_and_managed_from_then_on(stack: EngineStack) -> None:
    def program(size: int) -> Any:
        return lambda: Item("a", {"name": "there", "size": size}, Options(import_="there"))

    stack.cloud._write("there", {"urn": "u", "inputs": {"name": "there", "size": 3}, "generation": 1})  # pyright: ignore[reportPrivateUsage] - made behind the engine's back
    with pytest.raises(LocalError, match="cannot be imported as 'there': the program's size differ"):
        stack.up(program(4))
    assert stack.recorded() == {}
    assert changes(stack.up(program(3))) == {"create": 1}
    assert stack.cloud.calls() == []
    assert changes(stack.up(program(4))) == {"update": 1}
    stack.engine().destroy()
    assert stack.cloud.resources() == {}


def test_importing_what_does_not_exist_names_the_id(stack: EngineStack) -> None:
    with pytest.raises(LocalError, match="there is none with the id 'nowhere'"):
        stack.up(lambda: Item("a", {}, Options(import_="nowhere")))


def test_a_lookup_reads_and_never_deletes(stack: EngineStack) -> None:
    stack.cloud._write("there", {"urn": "u", "inputs": {"name": "there"}, "generation": 7})  # pyright: ignore[reportPrivateUsage] - made behind the engine's back

    def program() -> None:
        found = Item("looked-up", {}, Options(id="there"))
        pulumi.export("arn", found.arn)

    result = stack.up(program)
    assert result.outputs == {"arn": "arn:dir:there"}
    assert stack.recorded()["looked-up"]["external"] is True
    stack.up(nothing)
    assert list(stack.cloud.resources()) == ["there"]


def test_functions_answer_and_fail_with_the_providers_words(stack: EngineStack) -> None:
    def program() -> None:
        made = Item("a")
        count = made.arn.apply(lambda _: pulumi.runtime.invoke("dir:index:count", {}).value["count"])
        pulumi.export("count", count)

    assert stack.up(program).outputs == {"count": 1}
    with pytest.raises(LocalError, match="there is no function dir:index:nothing"):
        stack.up(lambda: pulumi.runtime.invoke("dir:index:nothing", {}).value)


def test_outputs_of_components_and_stack_are_recorded_and_masked(stack: EngineStack) -> None:
    def program() -> None:
        group = Group("g", 2)
        pulumi.export("total", group.total)
        pulumi.export("password", pulumi.Output.secret("hunter2"))

    assert stack.up(program).outputs == {"total": 2, "password": "[secret]"}
    assert stack.engine().outputs() == {"total": 2, "password": "[secret]"}
    assert stack.engine().outputs(show_secrets=True)["password"] == "hunter2"
    assert stack.recorded()["g"]["outputs"] == {"total": 2}


def test_a_preview_passes_unknown_values_on_and_touches_nothing(stack: EngineStack) -> None:
    seen: list[str] = []

    def program() -> None:
        first = Item("a", {"size": 1})
        first.arn.apply(seen.append)
        Item("b", {"links": [first.arn]})
        pulumi.export("size", first.size)

    result = stack.preview(program)
    assert changes(result) == {"create": 3}
    assert (seen, result.outputs["size"], stack.cloud.calls()) == ([], 1, [])
    assert not stack.backend.exists()


def test_default_and_explicit_providers_are_configured_with_their_own_settings(stack: EngineStack) -> None:
    def program() -> None:
        Item("a")
        Item("b", {}, Options(provider=DirProvider("mine", {"realm": "x"})))

    stack.up(program, config={"dir:region": "somewhere"})
    assert sorted(stack.cloud.configured, key=str) == [
        {"realm": "x", "version": "1.2.3"},
        {"version": "1.2.3", "region": "somewhere"},
    ]
    providers = {entry["urn"].split("::")[-1]: entry for entry in stack.latest()["resources"] if "id" in entry}
    assert providers["default_1_2_3"]["inputs"] == {"__internal": {}, "version": "1.2.3", "region": "somewhere"}
    mine = providers["mine"]
    assert stack.recorded()["b"]["provider"] == f"{mine['urn']}::{mine['id']}"


def test_a_provider_whose_identity_changes_replaces_what_it_made(stack: EngineStack) -> None:
    def program(realm: str) -> Any:
        return lambda: Item("a", {}, Options(provider=DirProvider("mine", {"realm": realm})))

    stack.up(program("x"))
    assert changes(stack.up(program("y"))) == {"replace": 2}
    assert len(stack.cloud.resources()) == 1


def test_a_failure_is_told_and_what_was_made_before_is_kept(stack: EngineStack) -> None:
    def program(fail: str) -> Any:
        def run() -> None:
            good = Item("good")
            bad = Item("bad", {"fail": fail}, Options(depends_on=[good]))
            Item("after", {}, Options(depends_on=[bad]))

        return run

    with pytest.raises(LocalError) as raised:
        stack.up(program("the quota is 3"))
    assert str(raised.value) == "dir:index:Item bad: the quota is 3"
    assert sorted(stack.recorded()) == ["good"]
    assert stack.latest().get("pending_operations") is None
    stack.up(program(""))
    assert sorted(stack.recorded()) == ["after", "bad", "good"]


def test_refused_inputs_name_the_property(stack: EngineStack) -> None:
    with pytest.raises(LocalError, match=r"^dir:index:Item a: size: must be a number, got 'big'$"):
        stack.up(one(size="big"))
    assert stack.cloud.calls() == []


def test_two_resources_of_one_name_are_refused(stack: EngineStack) -> None:
    def program() -> None:
        Item("a")
        Item("a")

    with pytest.raises(LocalError, match="'a' is registered twice"):
        stack.preview(program)


def test_a_users_mistake_in_the_program_is_told_without_a_traceback(stack: EngineStack) -> None:
    def program() -> None:
        raise pulumi.RunError("weights must sum to 100, got 90")

    with pytest.raises(LocalError, match=r"^weights must sum to 100, got 90$"):
        stack.up(program)


def test_an_unexpected_exception_leaves_its_traceback_in_the_log(stack: EngineStack) -> None:
    def program() -> None:
        raise ZeroDivisionError("oh")

    with pytest.raises(LocalError, match=r"^ZeroDivisionError: oh \(traceback in .*dev\.log\)$"):
        stack.up(program)
    log = (stack.backend / "engine" / "proj" / "dev.log").read_text()
    assert "test_deployment.py" in log


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (Options(replace_with=[]), None),
        (Options(plugin_download_url="https://example.org"), "plugin_download_url"),
        (Options(transforms=[lambda _: None]), "transform"),
    ],
)
def test_what_is_not_supported_says_so(stack: EngineStack, options: pulumi.ResourceOptions, what: str | None) -> None:
    def program() -> None:
        Item("a", {}, options)

    if what is None:
        stack.preview(program)
        return
    with pytest.raises(LocalError, match=what):
        stack.preview(program)


def test_custom_timeouts_are_recorded_in_seconds_and_checked(stack: EngineStack) -> None:
    stack.up(lambda: Item("a", {}, Options(custom_timeouts=pulumi.CustomTimeouts(create="1h30m"))))
    assert stack.recorded()["a"]["customTimeouts"] == {"create": 5400.0}
    with pytest.raises(LocalError, match="custom timeout create is 'soon': write it like"):
        stack.up(lambda: Item("a", {}, Options(custom_timeouts=pulumi.CustomTimeouts(create="soon"))))


def test_secret_inputs_and_chosen_outputs_are_encrypted_everywhere(stack: EngineStack) -> None:
    canary = "canary-4711-hunter2"

    def program() -> None:
        made = Item(
            "a",
            {"secret": pulumi.Output.secret(canary), "links": {"deep": [pulumi.Output.secret(canary)]}},
            Options(additional_secret_outputs=["arn"]),
        )
        pulumi.export("secret", made.secret)
        pulumi.export("arn", made.arn)

    result = stack.up(program)
    assert result.outputs == {"secret": "[secret]", "arn": "[secret]"}
    assert canary not in str(result)
    written = b"".join(path.read_bytes() for path in stack.backend.rglob("*") if path.is_file())
    assert canary.encode() not in written
    assert changes(stack.preview(program)) == {}


def test_a_secret_in_an_error_is_struck_out(stack: EngineStack) -> None:
    canary = "canary-4711-hunter2"

    def program() -> None:
        Item("a", {"fail": pulumi.Output.secret(f"password {canary} refused")})

    with pytest.raises(LocalError) as raised:
        stack.up(program)
    said = f"{raised.value}{stack.messages()}"
    assert canary not in said
    assert "[secret]" in said


def test_events_tell_each_operation_once_begun_and_ended(stack: EngineStack) -> None:
    stack.up(one(size=1))
    told = [(event.operation, event.status) for event in stack.events if event.name == "a"]
    assert told == [(Operation.CREATE, "started"), (Operation.CREATE, "done")]


def test_a_resource_given_as_a_value_becomes_a_reference(stack: EngineStack) -> None:
    def program() -> None:
        Item("holder", {"links": {"of": Item("held")}})

    stack.up(program)
    assert changes(stack.preview(program)) == {}
