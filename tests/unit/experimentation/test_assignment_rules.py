"""What a configuration may say, what successors may change, and what is refused, beyond the happy path."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.experimentation.assignment import (
    Assigner,
    Configuration,
    Experiment,
    Holdout,
    Slot,
    TamperedConfigurationError,
    key_id,
    reshuffles,
    sign,
    verify,
)
from pipelines.experimentation.assignment.conditions import AtLeastVersion, Compare, OneOf
from pipelines.experimentation.assignment.configuration import bucket_members
from pipelines.experimentation.assignment.hashing import bucket

from .placements import CONFIGURATION, HALVES, THIRDS

ISSUED = CONFIGURATION.issued_at
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TRUSTED = {key_id(KEY.public_key()): KEY.public_key()}
NAMES = [f"user-{i}" for i in range(60)]


def configuration(version: int = 7, **fields: Any) -> Configuration:
    holdout = {"name": "global", "share": fields.pop("held", 0.1)}
    experiment = {"key": "plain", "variants": HALVES, **fields}
    document = {**CONFIGURATION.model_dump(), "version": version, "holdouts": [holdout], "experiments": [experiment]}
    return Configuration.model_validate(document)


def placed(found: Configuration) -> dict[str, str | None]:
    assigner = Assigner(found, clock=lambda: ISSUED.timestamp() + 60)
    return {name: assigner.variant("plain", name, {"tier": 1}) for name in NAMES}


@pytest.mark.parametrize(
    ("namespace", "inside_first"),
    # GrowthBook's SDK specification 0.7.1, tests/cases.json, section "inNamespace": [0, .4) and [.4, 1), users 1 to 4.
    [("namespace1", [False, False, False, False]), ("namespace2", [False, False, True, True])],
)
def test_a_version_1_slot_admits_whom_growthbooks_namespaces_admit(namespace: str, inside_first: list[bool]) -> None:
    members = bucket_members([(0, 0.4), (0.4, 1)], version=1)
    found = [members[bucket("__" + namespace, user, 1)] for user in "1234"]
    assert found == [0 if first else 1 for first in inside_first]


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [  # the same file, section "chooseVariation"
        ([(0, 0.5), (0.5, 1)], {0.0: 0, 0.2: 0, 0.4: 0, 0.5: 1, 0.6: 1, 0.8: 1}),
        ([(0, 0.25), (0.5, 0.75)], {0.2: 0, 0.25: -1, 0.4: -1, 0.5: 1, 0.6: 1, 0.8: -1}),
        ([(0, 0.5), (0.5, 0.5), (0.5, 1)], {0.5: 2}),
    ],
)
def test_ranges_hold_the_buckets_that_growthbook_says(
    ranges: list[tuple[float, float]], expected: dict[float, int]
) -> None:
    members = bucket_members(ranges)
    assert {position: members[round(position * 10_000)] for position in expected} == expected


CHOICES: dict[str, list[Any]] = {
    "seed": ["", "other"],
    "variants": [HALVES, THIRDS, HALVES[::-1]],
    "coverage": [0.3, 0.7, 1.0],
    "slot": [
        None,
        Slot(layer="a", start=0.2, end=0.8),
        Slot(layer="a", start=0.1, end=0.9),
        Slot(layer="b", start=0.1, end=0.9),
        Slot(layer="a", start=0.1, end=0.9, hash_version=1),
    ],
    "held": [0.05, 0.3],
    "holdouts": [(), ("global",)],
    "targeting": [None, OneOf(attribute="tier", values=(1,)), OneOf(attribute="tier", values=(2,))],
}


@given(
    before=st.fixed_dictionaries({name: st.sampled_from(values) for name, values in CHOICES.items()}),
    change=st.sampled_from([(name, value) for name, values in CHOICES.items() for value in values]),
)
@settings(max_examples=300)
def test_a_change_without_an_objection_moves_nobody_who_was_in(before: dict[str, Any], change: tuple[str, Any]) -> None:
    first, second = configuration(7, **before), configuration(8, **{**before, change[0]: change[1]})
    if reshuffles(first, second):
        return
    now = placed(second)
    assert all(now[name] == variant for name, variant in placed(first).items() if variant is not None)


@pytest.mark.parametrize("seed", ["shop/layer/a", "shop/holdout/global"])
def test_an_experiment_salted_like_a_layer_or_a_holdout_is_refused(seed: str) -> None:
    """It would split units by the number that let them in: a slot [0, .5) would put all of them in one variant."""
    with pytest.raises(ValidationError, match="seeds must differ"):
        configuration(seed=seed, slot=Slot(layer="a", start=0, end=0.5), holdouts=("global",))


@pytest.mark.parametrize("signature", ["", "AAAA", "not base64!", "é" * 88, "\ud800"])
def test_a_signature_of_any_form_but_the_right_one_is_refused(signature: str) -> None:
    envelope = sign(CONFIGURATION, KEY)
    with pytest.raises(TamperedConfigurationError):
        verify(envelope.model_copy(update={"signature": signature}), TRUSTED, ISSUED)


@pytest.mark.parametrize("payload", ["", "{}", "\ud800", "null"])
def test_a_payload_that_was_not_signed_is_refused_whatever_it_is(payload: str) -> None:
    with pytest.raises(TamperedConfigurationError):
        verify(sign(CONFIGURATION, KEY).model_copy(update={"payload": payload}), TRUSTED, ISSUED)


@given(position=st.integers(0, 10_000), character=st.characters(codec="ascii"))
def test_no_changed_character_of_a_signed_configuration_passes(position: int, character: str) -> None:
    envelope = sign(CONFIGURATION, KEY)
    position %= len(envelope.payload)
    changed = envelope.payload[:position] + character + envelope.payload[position + 1 :]
    if changed == envelope.payload:
        return
    with pytest.raises(TamperedConfigurationError):
        verify(envelope.model_copy(update={"payload": changed}), TRUSTED, ISSUED)


@pytest.mark.parametrize("value", [[1], {"a": 1}, None, float("nan"), object()])
@pytest.mark.parametrize(
    "condition",
    [
        OneOf(attribute="tier", values=(1, "a")),
        Compare(attribute="tier", operator="gte", value=0),
        AtLeastVersion(attribute="tier", version="0"),
    ],
    ids=lambda c: c.kind,
)
def test_an_attribute_of_no_comparable_type_matches_nothing_and_breaks_nothing(condition: Any, value: Any) -> None:
    assert condition.compile()({"tier": value}) is False


@pytest.mark.parametrize("name", ["", "a.b", "$and", "9lives", "x" * 65])
def test_an_attribute_name_that_growthbook_would_read_otherwise_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="attribute"):
        OneOf(attribute=name, values=(1,))


@pytest.mark.parametrize("version", ["4.02", "4.2-beta", "v4", "", "123456", "4.", "4.2\n"])
def test_a_version_that_growthbook_would_order_otherwise_is_refused(version: str) -> None:
    with pytest.raises(ValidationError, match="version"):
        AtLeastVersion(attribute="app", version=version)


def test_a_signed_configuration_of_a_hundred_experiments_stays_small() -> None:
    experiments = [Experiment(key=f"e{i}", variants=HALVES, holdouts=("global",)) for i in range(100)]
    whole = CONFIGURATION.model_copy(
        update={"experiments": tuple(experiments), "holdouts": (Holdout(name="global", share=0.1),)}
    )
    assert len(sign(whole, KEY).model_dump_json()) < 30_000
