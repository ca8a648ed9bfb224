"""Values that are not known yet, in every form that they reach a rule."""

from collections.abc import Callable
from typing import Any

import pytest
from pulumi_policy.proxy import unknown_checking_proxy

from policies.unknown import OUTPUT, SECRET, SENTINELS, SIGNATURE, Undecidable, Unknown, known, plain

TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


LOOKS: dict[str, Callable[[Any], object]] = {
    "truth": bool,
    "length": len,
    "iteration": iter,
    "text": str,
    "number": int,
    "hash": hash,
    "equal": lambda value: value == 1,
    "equal, the other way round": lambda value: "a" == value,  # noqa: SIM300 - the order is what is tested
    "member of a set": lambda value: value in {"a"},
    "container": lambda value: "a" in value,
    "greater": lambda value: value > 3,
    "greater, the other way round": lambda value: 3 < value,  # noqa: SIM300 - the order is what is tested
    "item": lambda value: value["key"],
    "get": lambda value: value.get("key"),
    "method": lambda value: value.startswith("a"),
    "format": lambda value: f"{value}",
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
def test_every_look_at_an_unknown_value_says_which_one_it_is(look: Callable[[Any], object]) -> None:
    with pytest.raises(Undecidable, match=r"tags\.Owner is not known yet"):
        look(Unknown("tags.Owner"))


def test_whether_it_is_set_may_be_asked() -> None:
    value = plain({"a": TEXT})["a"]

    assert value is not None
    assert not known(value)


@pytest.mark.parametrize("sentinel", sorted(SENTINELS))
def test_every_sentinel_of_the_wire_is_unknown(sentinel: str) -> None:
    assert repr(plain({"a": [{"b": sentinel}]})["a"][0]["b"]) == "<unknown a[0].b>"


def test_the_policy_sdks_proxies_read_as_plain_values() -> None:
    proxy = unknown_checking_proxy({"a": [1, TEXT], "b": {"c": TEXT, "d": "x"}})
    value = plain(proxy)

    assert value["a"][0] == 1
    assert not known(value["a"][1])
    assert not known(value["b"]["c"])
    assert value["b"]["d"] == "x"


def test_secrets_are_unwrapped_and_encrypted_ones_unknown() -> None:
    value = plain(
        {
            "wire": {SIGNATURE: SECRET, "value": "x"},
            "state": {SIGNATURE: SECRET, "plaintext": "y"},
            "encrypted": {SIGNATURE: SECRET, "ciphertext": "v1:…"},
            "masked": "[secret]",
        }
    )

    assert (value["wire"], value["state"]) == ("x", "y")
    assert not known(value["encrypted"])
    assert not known(value["masked"])


def test_outputs_are_unwrapped() -> None:
    value = plain({"there": {SIGNATURE: OUTPUT, "value": 1}, "computed": {SIGNATURE: OUTPUT}})

    assert value["there"] == 1
    assert not known(value["computed"])


def test_the_providers_own_bookkeeping_is_left_out() -> None:
    assert plain({"__defaults": ["x"], "a": {"__defaults": []}}) == {"a": {}}


def test_another_error_of_a_mapping_is_not_taken_for_an_unknown_value() -> None:
    class Broken(dict[str, int]):
        def __getitem__(self, key: str) -> int:
            raise RuntimeError(key)

    with pytest.raises(RuntimeError):
        plain(Broken(a=1))
