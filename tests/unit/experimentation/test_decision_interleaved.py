import dataclasses
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipelines.experimentation.decision import interleaved
from pipelines.experimentation.decision.declaration import Declaration
from pipelines.experimentation.decision.events import Events
from pipelines.experimentation.decision.ledger import Ledger, reproduce
from pipelines.experimentation.decision.stream import Event
from pipelines.experimentation.errors import ExperimentError
from pipelines.experimentation.interleaving import Impression, InterleavingLog, PreferenceTest, prefer

START, DAY = 1_700_000_000.0, 86_400.0
OLD, NEW = [f"d{i}" for i in range(8)], [f"d{i}" for i in (1, 0, 3, 2, 9, 5, 4, 7)]


def declared(**changes: Any) -> Declaration:
    document: dict[str, Any] = {
        "name": "new-ranker",
        "hypothesis": "Users click the new ranker's films more, since it knows what they saw last.",
        "owner": "search",
        "unit": "user",
        "variants": {"old": 0.5, "new": 0.5},
        "control": "old",
        "metrics": {"credit": {"kind": "mean", "outcome": "credit", "direction": "increase"}},
        "primary": "credit",
        "minimum_effect": 0.08,
        "design": {"kind": "interleaving", "length": 6, "looks": [0.25, 0.5, 0.75, 1.0]},
        "approvers": ["ann"],
    }
    return Declaration.model_validate({**document, **changes})


def recorded(users: int = 800, lift: float = 0.0, seed: int = 1, coin: float = 0.5) -> Events:
    """Eight days: users arrive one by one and come back, clicks follow within the minute, users differ in activity."""
    generator = np.random.default_rng(seed)
    impressions = 1 + generator.geometric(0.4, users)
    member = np.repeat(np.arange(users), impressions)
    came = generator.uniform(0, 7 * DAY, users)[member]
    at = START + 1 + came + generator.uniform(0, 1, len(member)) * (8 * DAY - came - 60)
    clicks = generator.random(len(member)) < 0.4
    leaning = np.clip(0.5 + lift + generator.normal(0, 0.2, users), 0, 1)[member]
    value = np.where(generator.random(len(member)) < leaning, 1.0, -1.0)
    unit = np.array([f"{i:016x}" for i in member])
    began = np.where(generator.random(len(member)) < coin, "new", "old")
    outcome = np.full(int(clicks.sum()), "credit")
    return Events(unit, began, at, unit[clicks], outcome, value[clicks], at[clicks] + 30)


def after(events: Events, *days: float, declaration: Declaration | None = None) -> Ledger:
    declaration = declaration or declared()
    ledger = Ledger.start(declaration, START)
    for day in days:
        if not ledger.ended:
            ledger = ledger.take_look(declaration, events, START + day * DAY)
    return ledger


def columns(events: list[Event]) -> Events:
    """What was sent, as the columns that a look reads."""
    exposures = [event for event in events if event.kind == "exposure"]
    outcomes = [event for event in events if event.kind == "outcome"]
    return Events(
        np.array([event.unit for event in exposures]),
        np.array([event.variant for event in exposures]),
        np.array([event.at for event in exposures]),
        np.array([event.unit for event in outcomes]),
        np.array([event.outcome for event in outcomes]),
        np.array([event.value for event in outcomes]),
        np.array([event.at for event in outcomes]),
    )


def test_a_ranker_that_users_prefer_ships_and_the_record_can_be_computed_again() -> None:
    events = recorded(lift=0.2)
    ledger = after(events, 2, 4, 6, 8)
    assert ledger.verdict == "ship"
    assert ledger.looks[-1].winner == "new"
    comparison = ledger.looks[-1].comparisons[0]
    assert comparison.interval is not None
    assert comparison.interval[0] > 0
    assert reproduce(ledger, events) == []


def test_a_ranker_that_users_like_less_is_not_shipped() -> None:
    ledger = after(recorded(lift=-0.2), 2, 4, 6, 8)
    assert ledger.verdict == "keep control"
    assert ledger.looks[-1].comparisons[0].crossed == "lower"


def test_before_the_boundaries_are_crossed_the_verdict_is_to_continue() -> None:
    ledger = after(recorded(), 2)
    assert ledger.verdict == "continue"
    assert 0 < (ledger.looks[0].comparisons[0].fraction or 0) < 1


@pytest.mark.parametrize("test", ["mean", "sign"])
def test_a_look_computes_what_prefer_computes_from_the_same_impressions(test: str) -> None:
    declaration = declared(design={"kind": "interleaving", "length": 6, "looks": [1.0], "test": test})
    method = interleaved.interleaver(declaration)
    sent, log, generator = list[Event](), InterleavingLog(method), np.random.default_rng(6)
    for number in range(240):
        impression = Impression(f"i{number}", f"{number % 70:016x}", "home", method.draw(OLD, NEW, generator))
        log.show(impression)
        sent.append(interleaved.shown(declaration, impression, START + number))
        for position in np.flatnonzero(generator.random(6) < 0.3).tolist():
            log.click(impression.id, position)
            sent.append(interleaved.clicked(declaration, impression, position, START + number + 0.5))
    preference = prefer(log.outcomes(), PreferenceTest(test))
    look = after(columns(sent), 28, declaration=declaration).looks[0]
    found = look.comparisons[0]
    signs = (preference.wins_b - preference.wins_a) / preference.users
    assert found.difference == pytest.approx(-preference.mean_difference if test == "mean" else signs, abs=1e-12)
    assert look.sample_ratio_p == pytest.approx(preference.coin_p_value)
    if test == "mean":
        assert found.interval is not None
        assert sorted(found.interval) == pytest.approx(sorted(-end for end in preference.interval), rel=0.05)


def test_every_click_on_a_position_has_the_same_identifier_so_that_it_counts_once() -> None:
    declaration = declared()
    shown = interleaved.interleaver(declaration).draw(OLD, NEW, np.random.default_rng(0))
    impression = Impression("i", "0" * 16, "home", shown)
    clicks = [interleaved.clicked(declaration, impression, position, START + position) for position in (1, 1, 2)]
    assert clicks[0].id == clicks[1].id
    assert clicks[0].id != clicks[2].id
    assert clicks[0].id != interleaved.shown(declaration, impression, START).id


def test_a_click_is_worth_its_credit_to_the_treatment_less_that_to_the_control() -> None:
    declaration = declared(design={"kind": "interleaving", "length": 3})
    method = interleaved.interleaver(declaration)
    shown = method.draw(["both", "old", "x"], ["both", "new", "y"], np.random.default_rng(0))
    impression = Impression("i", "0" * 16, "home", shown)
    values = {item: interleaved.clicked(declaration, impression, i, START).value for i, item in enumerate(shown.items)}
    assert values == {"both": 0.0, "new": 1.0, "old": -1.0}


def test_a_biased_coin_is_invalid_and_shows_no_effect() -> None:
    ledger = after(recorded(lift=0.2, coin=0.6), 8)
    assert ledger.verdict == "invalid"
    assert ledger.looks[0].comparisons == ()
    assert "the coin is not fair" in ledger.looks[0].reasons[0]


def test_a_coin_fixed_per_query_is_invalid_though_it_is_fair_over_all() -> None:
    events = recorded()
    query = np.array([f"q{i % 40}" for i in range(len(events.unit))])
    began = np.array(["new" if i % 2 else "old" for i in range(len(events.unit))])
    fixed = dataclasses.replace(events, variant=began, segments={"query": query})
    assert after(fixed, 8).verdict == "invalid"
    assert after(dataclasses.replace(events, segments={"query": query}), 8).verdict != "invalid"


@pytest.mark.parametrize(
    ("value", "reason"), [(float("nan"), "1 credits are NaN or infinite"), (2.0, "1 credits of a click lie beyond")]
)
def test_credits_that_cannot_be_are_invalid(value: float, reason: str) -> None:
    events = recorded()
    values = events.value.copy()
    values[0] = value
    look = after(dataclasses.replace(events, value=values), 8).looks[0]
    assert look.verdict == "invalid"
    assert reason in look.reasons[0]


def test_an_undeclared_ranker_is_invalid() -> None:
    events = recorded()
    variant = np.where(np.arange(len(events.variant)) == 3, "other", events.variant)
    assert after(dataclasses.replace(events, variant=variant), 8).looks[0].reasons == (
        "impressions begun by undeclared variants ['other']",
    )


def test_clicks_before_their_units_first_impression_or_without_one_are_counted_and_not_used() -> None:
    events = recorded()
    plain = after(events, 8).looks[0]
    strays = [("f" * 16, START + DAY), (str(events.unit[0]), START)]
    more = dataclasses.replace(
        events,
        outcome_unit=np.append(events.outcome_unit, [unit for unit, _ in strays]),
        outcome=np.append(events.outcome, ["credit", "credit"]),
        value=np.append(events.value, [1.0, 1.0]),
        outcome_at=np.append(events.outcome_at, [at for _, at in strays]),
    )
    look = after(more, 8).looks[0]
    assert look.flags == {
        "clicks of units without an impression": 1,
        "clicks before their unit's first impression": 1,
    }
    assert look.comparisons == plain.comparisons


def test_without_clicks_nothing_is_said_and_at_the_end_it_is_invalid() -> None:
    events = recorded()
    none = events.where(np.ones(len(events.unit), dtype=bool), np.zeros(len(events.outcome), dtype=bool))
    ledger = after(none, 2, 4, 6)
    assert [look.verdict for look in ledger.looks] == ["continue"] * 3
    assert after(none, 2, 4, 6, 8).verdict == "invalid"


def test_without_an_impression_there_is_nothing_to_look_at() -> None:
    events = recorded()
    nothing = events.where(np.zeros(len(events.unit), dtype=bool), np.ones(len(events.outcome), dtype=bool))
    with pytest.raises(ExperimentError, match="no impression was recorded"):
        after(nothing, 8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variants": {"old": 0.4, "new": 0.3, "newer": 0.3}}, "compares two variants"),
        ({"variants": {"old": 0.9, "new": 0.1}}, "coin is fair: give both rankers weight 0.5"),
        (
            {"metrics": {"credit": {"kind": "proportion", "outcome": "credit", "direction": "increase"}}},
            "must be a mean to be increased",
        ),
        ({"clustered": True}, "declare the primary metric alone"),
        ({"secondary": [{"metric": "credit", "mixing": 1}]}, "declare the primary metric alone"),
        ({"window_hours": 3}, "window_hours: clicks belong to their list"),
        ({"design": {"kind": "interleaving", "length": 0}}, "greater than or equal to 1"),
        ({"design": {"kind": "interleaving", "length": 5, "method": "balanced"}}, "competitive-pairs"),
        (
            {"design": {"kind": "interleaving", "length": 5, "method": "probabilistic", "test": "sign"}},
            "fair in the mean only",
        ),
        ({"design": {"kind": "interleaving", "length": 5, "looks": [0.5, 0.4]}}, "looks|fractions"),
    ],
)
def test_declarations_that_cannot_be_interleaved_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises((ValidationError, ExperimentError), match=message):
        declared(**changes)


def test_events_of_another_design_are_refused() -> None:
    other = declared(design={"kind": "group-sequential"})
    with pytest.raises(ExperimentError, match="is a group-sequential, not an interleaving"):
        interleaved.interleaver(other)


def test_equal_rankers_are_told_apart_at_the_nominal_level_over_all_looks() -> None:
    """400 experiments of four looks, users arriving and coming back in between; three standard errors are .033."""
    declaration, experiments = declared(minimum_effect=0.2), 400
    shown = 0
    for seed in range(experiments):
        ledger = after(recorded(users=160, seed=seed), 2, 4, 6, 8, declaration=declaration)
        shown += any(c.crossed is not None for look in ledger.looks for c in look.comparisons)
    assert abs(shown / experiments - 0.05) <= 3 * (0.05 * 0.95 / experiments) ** 0.5


def test_an_event_needs_a_hashed_unit() -> None:
    declaration = declared()
    shown = interleaved.interleaver(declaration).draw(OLD, NEW, np.random.default_rng(0))
    with pytest.raises(ValidationError, match="at least 16"):
        interleaved.shown(declaration, Impression("i", "ann", "home", shown), START)
    event: Event = interleaved.shown(declaration, Impression("i", "0" * 16, "home", shown), START)
    assert event.variant in declaration.variants
