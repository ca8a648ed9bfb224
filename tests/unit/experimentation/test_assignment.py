import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import chi2_contingency, chisquare

from pipelines.experimentation.assignment import (
    Assigner,
    Configuration,
    Experiment,
    Slot,
    StaleConfigurationError,
    TamperedConfigurationError,
    Variant,
    key_id,
    override_digest,
    reshuffles,
    sign,
    verify,
)
from pipelines.experimentation.assignment.hashing import bucket, buckets, fnv1a32
from pipelines.experimentation.errors import ExperimentError

from .placements import CONFIGURATION, HALVES, THIRDS, units

ROOT = Path(__file__).parents[3]
GOLDEN = json.loads((ROOT / "tests/golden/experimentation/growthbook_placements.json").read_text())["placements"]
ISSUED = CONFIGURATION.issued_at
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TRUSTED = {key_id(KEY.public_key()): KEY.public_key()}


def assigner(configuration: Configuration = CONFIGURATION) -> Assigner:
    return Assigner(configuration, clock=lambda: ISSUED.timestamp() + 60)


ASSIGNER = assigner()


def changed(**fields: object) -> Configuration:
    return Configuration.model_validate({**CONFIGURATION.model_dump(), **fields})


def one(**fields: object) -> Configuration:
    experiment = {"key": "plain", "variants": HALVES, **fields}
    return changed(experiments=[Experiment.model_validate(experiment)])


@pytest.mark.parametrize(
    ("seed", "value", "version", "expected"),
    [  # the public vectors of GrowthBook's SDK specification, tests/cases.json, section "hash"
        ("", "a", 1, 0.22),
        ("", "b", 1, 0.077),
        ("b", "a", 1, 0.946),
        ("ef", "d", 1, 0.652),
        ("asdf", "8952klfjas09ujk", 1, 0.549),
        ("", "123", 1, 0.011),
        ("", '___)((*":&', 1, 0.563),
        ("seed", "a", 2, 0.0505),
        ("seed", "b", 2, 0.2696),
        ("foo", "ab", 2, 0.2575),
        ("foo", "def", 2, 0.2019),
        ("89123klj", "8952klfjas09ujkasdf", 2, 0.124),
        ("90850943850283058242805", "123", 2, 0.7516),
        ("()**(%$##$%#$#", '___)((*":&', 2, 0.0128),
    ],
)
def test_hash_agrees_with_growthbooks_public_vectors(seed: str, value: str, version: int, expected: float) -> None:
    assert bucket(seed, value, version) / {1: 1_000, 2: 10_000}[version] == expected


def test_fnv_agrees_with_the_published_vectors() -> None:
    assert (fnv1a32(""), fnv1a32("a"), fnv1a32("foobar")) == (0x811C9DC5, 0xE40C292C, 0xBF9CF968)


@pytest.mark.parametrize(
    ("weights", "coverage", "expected"),
    [  # the same file, section "getBucketRange"
        ((0.5, 0.5), 1, [(0, 0.5), (0.5, 1)]),
        ((0.5, 0.5), 0.5, [(0, 0.25), (0.5, 0.75)]),
        ((0.2, 0.3, 0.5), 0.2, [(0, 0.04), (0.2, 0.26), (0.5, 0.6)]),
    ],
)
def test_ranges_agree_with_growthbooks_public_vectors(
    weights: tuple[float, ...], coverage: float, expected: list[tuple[float, float]]
) -> None:
    variants = tuple(Variant(name=f"v{i}", weight=weight) for i, weight in enumerate(weights))
    ranges = Experiment(key="e", variants=variants, coverage=coverage).ranges()
    assert np.allclose(ranges, expected, atol=1e-12)


@pytest.mark.parametrize("experiment", [e.key for e in CONFIGURATION.experiments])
def test_places_every_unit_where_growthbooks_sdk_places_it(experiment: str) -> None:
    placed = assigner()
    assert [placed.variant(experiment, unit, attributes) for unit, attributes in units()] == GOLDEN[experiment]


@pytest.mark.parametrize("extension", ["compiled", "hidden"])
def test_another_process_with_another_hash_seed_places_alike_with_or_without_the_compiled_hash(extension: str) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "if sys.argv[2] == 'hidden': sys.modules['fnv_hash_fast._fnv_impl'] = None\n"
        "from tests.unit.experimentation.placements import CONFIGURATION as c, units\n"
        "from pipelines.experimentation.assignment import Assigner\n"
        "import json; a = Assigner(c, clock=lambda: c.issued_at.timestamp() + 60)\n"
        "sys.stdout.write(json.dumps({e.key: [a.variant(e.key, *u) for u in units()] for e in c.experiments}))"
    )
    command = [sys.executable, "-c", code, str(ROOT), extension]
    output = subprocess.run(command, env={"PYTHONHASHSEED": "1"}, capture_output=True, check=True, timeout=120).stdout
    assert json.loads(output) == GOLDEN


@given(unit=st.text(min_size=1, max_size=60), key=st.sampled_from([e.key for e in CONFIGURATION.experiments]))
def test_explain_and_variant_agree_for_any_identifier(unit: str, key: str) -> None:
    attributes = {"country": "NL", "orders": 4, "app": "5.0"}
    explained = ASSIGNER.explain(key, unit, attributes)
    assert ASSIGNER.variant(key, unit, attributes) == explained.variant
    assert (explained.variant is not None) == (explained.reason in ("assigned", "overridden"))


@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=50), min_size=1, max_size=20))
def test_vectorised_hash_agrees_with_the_scalar_one(values: list[str]) -> None:
    assert buckets("salt", values).tolist() == [bucket("salt", value) for value in values]


@pytest.mark.parametrize("shape", ["{}", "user-{}", "{:032x}"])
def test_buckets_are_uniform(shape: str) -> None:
    counts = np.bincount(buckets("shop/button", [shape.format(i) for i in range(200_000)]) // 100, minlength=100)
    assert chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize(("one", "other"), [("shop/a", "shop/b"), ("shop/layer/x", "shop/button"), ("1", "2")])
def test_layers_and_experiments_are_dealt_independently(one: str, other: str) -> None:
    names = [f"user-{i}" for i in range(200_000)]
    table = np.histogram2d(buckets(one, names), buckets(other, names), bins=20)[0]
    assert chi2_contingency(table).pvalue > 1e-4


@given(
    weights=st.lists(st.integers(1, 50), min_size=2, max_size=5),
    ramp=st.lists(st.floats(0, 1), min_size=2, max_size=6),
    names=st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=40),
)
def test_no_ramp_ever_moves_a_unit_that_was_in(weights: list[int], ramp: list[float], names: list[str]) -> None:
    total = sum(weights)
    variants = [Variant(name=f"v{i}", weight=weight / total) for i, weight in enumerate(weights)]
    before: dict[str, str | None] = dict.fromkeys(names)
    previous: Configuration | None = None
    for version, coverage in enumerate([*sorted(ramp), 1.0], start=8):
        configuration = one(variants=variants, coverage=coverage).model_copy(update={"version": version})
        assert previous is None or reshuffles(previous, configuration) == []
        placed = assigner(configuration)
        now = {name: placed.variant("plain", name) for name in names}
        assert all(now[name] == variant for name, variant in before.items() if variant is not None)
        before, previous = now, configuration
    assert None not in before.values()


@pytest.mark.parametrize("unit", ["x" * 10_000, "\0", " ", "\ud800", "a\udfff-7", "e\u0301", "\u00e9", "𝄞" * 500])
def test_any_identifier_but_the_empty_one_is_placed_as_its_utf_16_code_units_say(unit: str) -> None:
    def fold(text: str) -> int:
        state = 0x811C9DC5
        data = text.encode("utf-16-le", "surrogatepass")
        for i in range(0, len(data), 2):
            state = (state ^ int.from_bytes(data[i : i + 2], "little")) * 0x01000193 % 2**32
        return state

    assert bucket("shop/plain", unit) == fold(str(fold("shop/plain" + unit))) % 10_000
    assert ASSIGNER.variant("plain", unit) in ("control", "treatment")
    overridden = one(overrides={override_digest("salt", unit): "treatment"})
    assert assigner(overridden).explain("plain", unit).reason == "overridden"


def test_placements_of_two_experiments_and_a_layer_are_uniform_and_independent_as_callers_see_them() -> None:
    placed = assigner()
    names = [f"user-{i}" for i in range(40_000)]
    dealt = {key: [str(placed.variant(key, name)) for name in names] for key in ("plain", "seeded", "first", "older")}
    assert chisquare(np.unique(dealt["plain"], return_counts=True)[1]).pvalue > 1e-4
    seen = np.unique(dealt["seeded"], return_counts=True)[1]
    assert chisquare(seen, np.array([0.1, 0.2, 0.7]) * len(names)).pvalue > 1e-4
    for one_key, other in (("plain", "seeded"), ("plain", "first"), ("seeded", "first"), ("first", "older")):
        rows, columns = (np.unique(dealt[key], return_inverse=True)[1] for key in (one_key, other))
        table = np.zeros((rows.max() + 1, columns.max() + 1))
        np.add.at(table, (rows, columns), 1)
        assert chi2_contingency(table).pvalue > 1e-4, (one_key, other)


def test_a_ramp_moves_nobody_who_was_in() -> None:
    names = [f"user-{i}" for i in range(3_000)]
    before = dict.fromkeys(names)
    for coverage in (0.0, 0.01, 0.1, 0.5, 0.9, 1.0):
        placed = assigner(one(variants=THIRDS, coverage=coverage))
        now = {name: placed.variant("plain", name) for name in names}
        assert all(now[name] == variant for name, variant in before.items() if variant is not None)
        before = now
    assert None not in before.values()


def test_experiments_of_one_layer_never_share_a_unit_and_miss_nobody() -> None:
    placed = assigner()
    for i in range(2_000):
        inside = [placed.variant(key, f"u{i}") is not None for key in ("first", "second")]
        assert sum(inside) == 1


def test_a_holdout_keeps_the_same_units_out_of_every_experiment_that_names_it() -> None:
    experiments = [Experiment(key=key, variants=HALVES, holdouts=("global",)) for key in ("one", "two")]
    placed = assigner(changed(experiments=experiments))
    names = [f"u{i}" for i in range(5_000)]
    out = [{n for n in names if placed.explain(key, n).reason == "held out"} for key in ("one", "two")]
    assert out[0] == out[1]
    assert abs(len(out[0]) / len(names) - 0.1) < 3 * np.sqrt(0.09 / len(names))


def test_an_override_wins_over_targeting_and_coverage_and_stores_no_identifier() -> None:
    digest = override_digest("salt", "tester")
    configuration = one(coverage=0.0, overrides={digest: "treatment"})
    assert assigner(configuration).explain("plain", "tester").reason == "overridden"
    assert assigner(configuration).variant("plain", "tester") == "treatment"
    assert b"tester" not in configuration.canonical()


def test_a_condition_on_a_missing_or_mistyped_attribute_is_false() -> None:
    placed = assigner()
    good: dict[str, str | float | bool] = {"country": "NL", "orders": 3, "app": "4.2", "staff": False}
    assert placed.explain("targeted", "u", good).reason == "assigned"
    for wrong in ({"country": 1}, {"orders": "3"}, {"orders": True}, {"app": 4.2}, {"app": "new"}, {"staff": True}):
        assert placed.explain("targeted", "u", {**good, **wrong}).reason == "not targeted"
    assert placed.explain("targeted", "u").reason == "not targeted"


def test_signed_configuration_survives_the_round_trip() -> None:
    assert verify(sign(CONFIGURATION, KEY), TRUSTED, ISSUED) == CONFIGURATION


def test_a_tampered_configuration_is_refused() -> None:
    envelope = sign(CONFIGURATION, KEY)
    raised = envelope.payload.replace('"coverage":0.3', '"coverage":1.0')
    forged = sign(CONFIGURATION, Ed25519PrivateKey.generate())
    for bad in (
        envelope.model_copy(update={"payload": raised}),
        envelope.model_copy(update={"signature": "AAAA"}),
        envelope.model_copy(update={"signature": "not base64!"}),
        forged,
        forged.model_copy(update={"key_id": envelope.key_id}),
    ):
        with pytest.raises(TamperedConfigurationError):
            verify(bad, TRUSTED, ISSUED)


def test_a_stale_or_future_configuration_is_refused() -> None:
    envelope = sign(CONFIGURATION, KEY)
    for moment in (CONFIGURATION.expires_at, ISSUED - timedelta(minutes=6)):
        with pytest.raises(StaleConfigurationError):
            verify(envelope, TRUSTED, moment)
    verify(envelope, TRUSTED, ISSUED - timedelta(minutes=4))


def test_an_assigner_stops_placing_when_its_configuration_expires() -> None:
    now = ISSUED.timestamp()
    placed = Assigner(CONFIGURATION, clock=lambda: now)
    placed.variant("plain", "u")
    now = CONFIGURATION.expires_at.timestamp()
    with pytest.raises(StaleConfigurationError):
        placed.variant("plain", "u")


def test_an_update_is_refused_when_older_or_different_under_the_same_version_and_leaves_the_old_in_use() -> None:
    placed = assigner()
    with pytest.raises(StaleConfigurationError, match="version 7 is in use, got version 6"):
        placed.update(sign(changed(version=6), KEY), TRUSTED)
    with pytest.raises(ExperimentError, match="two different configurations"):
        placed.update(sign(changed(experiments=[]), KEY), TRUSTED)
    with pytest.raises(ExperimentError, match="namespace is shop"):
        placed.update(sign(changed(namespace="other", version=8), KEY), TRUSTED)
    assert placed.configuration == CONFIGURATION
    assert placed.update(sign(CONFIGURATION, KEY), TRUSTED) is False
    assert placed.update(sign(changed(version=8, experiments=[]), KEY), TRUSTED) is True
    with pytest.raises(ExperimentError, match="unknown experiment 'plain'"):
        placed.variant("plain", "u")


def test_an_empty_unit_is_an_error() -> None:
    with pytest.raises(ExperimentError, match="unit is empty"):
        assigner().variant("plain", "")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"variants": [{"name": "a", "weight": 0.6}, {"name": "b", "weight": 0.6}]}, "would overlap"),
        ({"variants": [{"name": "a", "weight": 0.4}, {"name": "b", "weight": 0.4}]}, "leave a gap"),
        ({"variants": [{"name": "a", "weight": float("nan")}, {"name": "b", "weight": 0.4}]}, "finite"),
        ({"variants": [{"name": "a", "weight": 0.5}, {"name": "a", "weight": 0.5}]}, "names must differ"),
        ({"variants": [{"name": "a", "weight": 1.0}]}, "at least 2"),
        ({"coverage": 1.2}, "less than or equal to 1"),
        ({"overrides": {"00": "c"}}, "unknown variants"),
        ({"slot": Slot.model_construct(layer="l", start=0.5, end=0.5, hash_version=2)}, "start 0.5 must be below"),
    ],
)
def test_an_invalid_experiment_is_refused(fields: dict[str, object], message: str) -> None:
    fields = {key: value.model_dump() if isinstance(value, Slot) else value for key, value in fields.items()}
    with pytest.raises(ValidationError, match=message):
        Experiment.model_validate({"key": "e", "variants": [v.model_dump() for v in HALVES], **fields})


def test_overlapping_slots_of_one_layer_are_refused() -> None:
    slots = [Slot(layer="l", start=0, end=0.6), Slot(layer="l", start=0.5, end=1)]
    experiments = [Experiment(key=f"e{i}", variants=HALVES, slot=slot) for i, slot in enumerate(slots)]
    with pytest.raises(ValidationError, match="overlap; experiments of one layer exclude each other"):
        changed(experiments=experiments)


def test_a_successor_that_would_move_units_is_named_with_every_reason() -> None:
    def after(**fields: object) -> list[str]:
        return reshuffles(one(coverage=0.5), one(coverage=0.5, **fields).model_copy(update={"version": 8}))

    assert after() == []
    assert after(overrides={"00": "control"}) == []
    assert reshuffles(one(coverage=0.5), one(coverage=0.6).model_copy(update={"version": 8})) == []
    assert "version must grow" in reshuffles(one(), one())[0]
    assert "the seed changed" in after(seed="new")[0]
    assert "weights changed" in after(variants=THIRDS)[0]
    assert "moved into a layer" in after(slot=Slot(layer="l", start=0, end=0.5))[0]
    assert "coverage fell" in reshuffles(one(coverage=0.5), one(coverage=0.4).model_copy(update={"version": 8}))[0]


def test_a_naive_moment_in_a_configuration_is_refused() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        changed(issued_at=datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None))
