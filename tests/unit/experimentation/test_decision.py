import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipelines.experimentation.decision.declaration import Declaration, load
from pipelines.experimentation.decision.events import Events
from pipelines.experimentation.decision.ledger import ChangedDeclarationError, Ledger, reproduce
from pipelines.experimentation.errors import ExperimentError

START, DAY = 1_700_000_000.0, 86_400.0


def declared(**changes: Any) -> Declaration:
    document: dict[str, Any] = {
        "name": "checkout-button",
        "hypothesis": "A larger button makes more visitors buy, since they find it sooner.",
        "owner": "checkout",
        "unit": "user",
        "variants": {"control": 0.5, "treatment": 0.5},
        "control": "control",
        "metrics": {
            "conversion": {"kind": "proportion", "outcome": "purchase", "direction": "increase"},
            "errors": {"kind": "proportion", "outcome": "error", "direction": "decrease"},
            "spend": {"kind": "mean", "outcome": "spend", "direction": "increase", "covariates": ["spend_before"]},
            "latency": {"kind": "quantile", "outcome": "latency", "quantile": 0.9, "direction": "decrease"},
        },
        "primary": "conversion",
        "minimum_effect": 0.03,
        "design": {"kind": "group-sequential", "looks": [0.5, 1.0]},
        "guardrails": [
            {"kind": "rare-event", "metric": "errors"},
            {"kind": "always-valid", "metric": "latency", "mixing": 20},
        ],
        "secondary": [{"metric": "spend", "mixing": 1.0}],
        "approvers": ["ann"],
    }
    return Declaration.model_validate({**document, **changes})


def recorded(units: int = 4_000, lift: float = 0.0, errors: float = 0.0, share: float = 0.5, seed: int = 1) -> Events:
    """Two weeks of exposures, each with its outcomes within the hour."""
    rng = np.random.default_rng(seed)
    unit = np.array([f"{i:016x}" for i in range(units)])
    treated = rng.random(units) < share
    at = START + rng.uniform(1, 14 * DAY, units)
    before = rng.exponential(10, units)
    parts = {
        "purchase": (rng.random(units) < 0.1 + lift * treated, np.ones(units)),
        "error": (rng.random(units) < 0.005 + errors * treated, np.ones(units)),
        "spend": (np.ones(units, dtype=bool), before + rng.exponential(5, units)),
        "latency": (np.ones(units, dtype=bool), rng.exponential(100, units)),
    }
    rows = [(unit[hit], np.full(hit.sum(), name), value[hit], at[hit] + 60) for name, (hit, value) in parts.items()]
    columns = [np.concatenate(column) for column in zip(*rows, strict=True)]
    return Events(
        unit,
        np.where(treated, "treatment", "control"),
        at,
        *columns,
        covariates={"spend_before": before},
    )


def after(events: Events, *days: float, declaration: Declaration | None = None) -> Ledger:
    declaration = declaration or declared()
    ledger = Ledger.start(declaration, START)
    for day in days:
        ledger = ledger.take_look(declaration, events, START + day * DAY)
    return ledger


def outcome(events: Events, unit: str, name: str, value: float, at: float) -> Events:
    return dataclasses.replace(
        events,
        outcome_unit=np.append(events.outcome_unit, unit),
        outcome=np.append(events.outcome, name),
        value=np.append(events.value, value),
        outcome_at=np.append(events.outcome_at, at),
    )


def test_a_real_improvement_ships_and_the_record_says_what_it_hung_on() -> None:
    ledger = after(recorded(lift=0.06), 15)
    look = ledger.looks[-1]
    assert (ledger.verdict, look.winner) == ("ship", "treatment")
    comparison = look.comparisons[0]
    assert comparison.interval is not None
    assert comparison.estimate is not None
    assert comparison.interval[0] < comparison.estimate < comparison.interval[1]
    needed = {change.what: change for change in look.would_have_changed}
    assert needed["z of treatment"].verdict == "continue"
    assert needed["z of treatment"].observed == comparison.z
    assert "sample ratio p-value" in needed


def test_no_effect_goes_on_and_then_keeps_control() -> None:
    ledger = after(recorded(), 7, 15)
    assert [look.verdict for look in ledger.looks] == ["continue", "keep control"]
    assert ledger.looks[1].comparisons[0].spent == pytest.approx(0.025)  # the last look spends what is left


def test_harm_to_the_primary_metric_keeps_control_early() -> None:
    assert after(recorded(lift=-0.08), 14).looks[0].reasons == ("conversion is shown to be worse in every treatment",)


def test_a_tripped_guardrail_rolls_back_although_the_primary_metric_improved() -> None:
    ledger = after(recorded(lift=0.06, errors=0.03), 15)
    assert ledger.verdict == "roll back"
    assert "errors" in ledger.looks[-1].reasons[0]


def test_a_mismatched_sample_ratio_is_invalid_and_shows_no_effect() -> None:
    look = after(recorded(lift=0.06, share=0.56), 15).looks[-1]
    assert look.verdict == "invalid"
    assert look.comparisons == ()
    assert "sample ratio mismatch" in look.reasons[0]


def test_nan_outcomes_are_invalid() -> None:
    events = recorded(lift=0.06)
    look = after(outcome(events, events.unit[0], "spend", float("nan"), START + 14.5 * DAY), 15).looks[-1]
    assert (look.verdict, look.reasons) == ("invalid", ("1 outcome values are NaN, infinite or beyond 1e+100",))


def test_an_undeclared_variant_is_invalid() -> None:
    events = recorded()
    events.variant[0] = "treatmen"
    assert "undeclared variants ['treatmen']" in after(events, 15).looks[-1].reasons[0]


def test_too_many_units_in_several_variants_is_invalid_and_a_few_are_set_aside() -> None:
    events = recorded()

    def crossed(count: int) -> Events:
        other = np.where(events.variant[:count] == "control", "treatment", "control")
        return dataclasses.replace(
            events,
            unit=np.append(events.unit, events.unit[:count]),
            variant=np.append(events.variant, other),
            at=np.append(events.at, events.at[:count] + 5),
            covariates={"spend_before": np.append(events.covariates["spend_before"], np.zeros(count))},
        )

    assert "exposed to several variants" in after(crossed(100), 15).looks[-1].reasons[0]
    assert after(crossed(5), 15).looks[-1].flags["units in several variants"] == 5


def test_outcomes_before_exposure_or_without_one_are_counted_and_not_used() -> None:
    events = recorded()
    plain = after(events, 15).looks[-1]
    early = outcome(events, events.unit[0], "purchase", 1.0, START - 5 * DAY)
    strange = outcome(early, "f" * 16, "purchase", 1.0, START + DAY)
    look = after(strange, 15).looks[-1]
    assert (look.flags["outcomes before exposure"], look.flags["outcomes without exposure"]) == (1, 1)
    assert look.comparisons == plain.comparisons


def test_outcomes_after_the_window_do_not_count() -> None:
    events = recorded()
    late = outcome(events, events.unit[0], "purchase", 1.0, events.at[0] + 3 * 3600)
    assert after(late, 30, declaration=declared(window_hours=2)).looks[-1].flags["outcomes after the window"] == 1


def test_a_repeated_exposure_changes_nothing() -> None:
    events = recorded()
    twice = dataclasses.replace(
        events,
        unit=np.append(events.unit, events.unit),
        variant=np.append(events.variant, events.variant),
        at=np.append(events.at, events.at + 1),
        covariates={"spend_before": np.tile(events.covariates["spend_before"], 2)},
    )
    assert after(twice, 15).looks[-1].comparisons == after(events, 15).looks[-1].comparisons


def test_no_events_or_no_variance_is_never_a_verdict() -> None:
    quiet = recorded()
    quiet = dataclasses.replace(quiet, outcome=np.where(quiet.outcome == "purchase", "other", quiet.outcome))
    look = after(quiet, 29).looks[-1]
    assert look.verdict == "invalid"
    assert "no variance or no events" in look.reasons[0]
    nobody = recorded().until(START)
    with pytest.raises(ExperimentError, match="no exposure was recorded"):
        after(nobody, 15)


def test_too_little_data_for_a_guardrail_is_noted_and_trips_nothing() -> None:
    readings = after(recorded(units=150), 15, declaration=declared(secondary=[])).looks[-1].guardrails
    latency = next(reading for reading in readings if reading.metric == "latency")
    assert "units in the smaller arm" in latency.note
    assert not latency.tripped


def test_a_changed_declaration_is_refused_after_the_start() -> None:
    ledger = after(recorded(), 7)
    for change in ({"minimum_effect": 0.01}, {"level": 0.1}, {"primary": "spend"}, {"hypothesis": "x" * 30}):
        with pytest.raises(ChangedDeclarationError, match="changed after its start"):
            ledger.take_look(declared(**change), recorded(), START + 15 * DAY)
    stored = json.loads(ledger.model_dump_json())
    stored["declaration"]["level"] = 0.2
    with pytest.raises((ChangedDeclarationError, ValidationError), match="does not have the digest"):
        Ledger.model_validate(stored)


def test_no_look_after_the_end_or_back_in_time() -> None:
    ledger = after(recorded(lift=0.06), 15)
    with pytest.raises(ExperimentError, match="ended at look 1 with 'ship'"):
        ledger.take_look(declared(), recorded(), START + 16 * DAY)
    with pytest.raises(ExperimentError, match="a look must come after"):
        after(recorded(), 7, 7)


def test_shipping_waits_for_the_declared_days() -> None:
    declaration = declared(stop={"minimum_days": 14}, design={"kind": "group-sequential", "looks": [0.3, 0.6, 1.0]})
    ledger = after(recorded(units=20_000, lift=0.06), 7, 14.5, declaration=declaration)
    assert [look.verdict for look in ledger.looks] == ["continue", "ship"]


def test_a_look_without_new_data_spends_nothing() -> None:
    design = {"kind": "group-sequential", "looks": [0.3, 0.6, 1.0]}
    ledger = after(recorded(), 15, 16, declaration=declared(design=design))
    assert ledger.looks[0].comparisons[0].spent is not None
    assert ledger.looks[1].comparisons[0].spent is None
    assert ledger.verdict == "continue"


def test_the_record_is_reproduced_from_stored_events_and_tampering_is_found() -> None:
    events = recorded(lift=0.03, seed=3)
    ledger = Ledger.model_validate_json(after(events, 7, 15).model_dump_json())
    order = np.random.default_rng(0).permutation(len(events.outcome))
    shuffled = dataclasses.replace(
        events,
        outcome_unit=events.outcome_unit[order],
        outcome=events.outcome[order],
        value=events.value[order],
        outcome_at=events.outcome_at[order],
    )
    assert reproduce(ledger, shuffled) == []
    changed = outcome(events, events.unit[0], "spend", 1.0, START + 2 * DAY)
    assert any("data_digest" in difference for difference in reproduce(ledger, changed))


def test_only_a_named_approver_approves_a_conclusive_verdict_once() -> None:
    going_on = after(recorded(), 7)
    with pytest.raises(ExperimentError, match="nothing to approve"):
        going_on.approve("ann", START)
    shipped = after(recorded(lift=0.06), 15)
    assert not shipped.may_ship
    with pytest.raises(ExperimentError, match="bob may not approve"):
        shipped.approve("bob", START)
    approved = shipped.approve("ann", START + 15 * DAY)
    assert approved.may_ship
    assert reproduce(approved, recorded(lift=0.06)) == []
    with pytest.raises(ExperimentError, match="has approved already"):
        approved.approve("ann", START)


def test_several_treatments_share_the_level() -> None:
    variants = {"control": 0.4, "treatment": 0.3, "other": 0.3}
    declaration = declared(variants=variants)
    assert declaration.level_per_treatment == pytest.approx(0.025)
    events = recorded(units=6_000, lift=0.06)
    other = np.random.default_rng(9).random(6_000) < 0.3
    variant = np.where(other, "other", events.variant)
    ledger = after(dataclasses.replace(events, variant=variant), 15, declaration=declaration)
    assert "sample ratio mismatch" in ledger.looks[-1].reasons[0]  # .35/.35/.30 was dealt, not .4/.3/.3
    fair = declared(variants={"control": 0.35, "treatment": 0.35, "other": 0.3})
    look = after(dataclasses.replace(events, variant=variant), 15, declaration=fair).looks[-1]
    assert {c.treatment for c in look.comparisons} == {"treatment", "other"}


def test_clustered_units_are_analysed_by_cluster() -> None:
    declaration = declared(clustered=True, guardrails=[], secondary=[])
    events = recorded()
    with pytest.raises(ExperimentError, match="carry no cluster"):
        after(events, 15, declaration=declaration)
    number = np.arange(4_000) // 8
    events = dataclasses.replace(
        events, variant=np.where(number % 2 == 0, "control", "treatment"), cluster=number.astype(np.str_)
    )
    look = after(events, 15, declaration=declaration).looks[-1]
    assert look.comparisons[0].standard_error is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variants": {"control": 0.6, "treatment": 0.6}}, "weights must be positive and add up to 1"),
        ({"variants": {"a": 0.5, "b": 0.5}}, "control: 'control' is not among the variants"),
        ({"primary": "revenue"}, "primary: unknown metric 'revenue'"),
        ({"guardrails": [{"kind": "rare-event", "metric": "nope"}]}, r"guardrails\[0\].metric: unknown metric 'nope'"),
        ({"guardrails": [{"kind": "rare-event", "metric": "spend"}]}, "needs a proportion"),
        ({"minimum_effect": 0}, "greater than 0"),
        ({"minimum_effect": float("nan")}, "finite"),
        ({"design": {"kind": "group-sequential", "looks": [0.5, 0.4]}}, "must increase"),
        ({"design": {"kind": "canary"}, "guardrails": []}, "canary without guardrails"),
        ({"design": {"kind": "canary", "shares": [0.5, 0.2]}}, "shares must rise"),
        (
            {"design": {"kind": "switchback", "minutes": 5, "washout_minutes": 5, "pairs": 8, "salt": "12345678"}},
            "washout",
        ),
        ({"surprise": 1}, "Extra inputs"),
    ],
)
def test_a_wrong_declaration_is_refused_with_its_reason(change: dict[str, Any], message: str) -> None:
    with pytest.raises((ValidationError, ExperimentError), match=message):
        declared(**change)


def test_a_declaration_file_names_every_mistake_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text("name: Bad Name\nhypothesis: short\n")
    with pytest.raises(ExperimentError, match=r"experiment\.yaml:\n(.|\n)*name: (.|\n)*hypothesis: (.|\n)*metrics: "):
        load(path)
    path.write_text("a: [")
    with pytest.raises(ExperimentError, match="not YAML"):
        load(path)


def test_formatting_of_the_file_does_not_change_the_digest(tmp_path: Path) -> None:
    path = tmp_path / "experiment.yaml"
    document = declared().model_dump(mode="json")
    path.write_text(json.dumps(document, indent=3))
    assert load(path).digest() == declared().digest()
    assert declared(level=0.06).digest() != declared().digest()


def test_the_example_is_a_valid_declaration() -> None:
    example = load(Path(__file__).parents[3] / "pipelines/experimentation/decision/example.yaml")
    assert example.treatments == ["treatment"]
    assert example.maximum_information > 0
