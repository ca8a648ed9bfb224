import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest

from pipelines.experimentation.decision.canary import Position, drive, next_move
from pipelines.experimentation.decision.declaration import Declaration
from pipelines.experimentation.decision.events import Events
from pipelines.experimentation.decision.ledger import Ledger, reproduce
from pipelines.experimentation.decision.serving import InMemoryServingWeights
from pipelines.experimentation.decision.switchback import Period, analyse, schedule, sign_flip_p
from pipelines.experimentation.errors import ExperimentError

START, HOUR = 1_700_000_000.0, 3600.0
CANARY = Declaration.model_validate(
    {
        "name": "model-v2",
        "hypothesis": "The new model fails no more often than the one in service.",
        "owner": "serving",
        "unit": "request",
        "variants": {"v1": 0.5, "v2": 0.5},
        "control": "v1",
        "metrics": {"failed": {"kind": "proportion", "outcome": "failed", "direction": "decrease"}},
        "primary": "failed",
        "minimum_effect": 0.001,
        "design": {"kind": "canary", "shares": [0.05, 0.25, 0.5], "minutes": 60, "units": 200},
        "guardrails": [{"kind": "rare-event", "metric": "failed", "level": 0.01}],
        "approvers": ["ann"],
    }
)


def traffic(hours: int, failure: float, seed: int = 1) -> Events:
    """Ten thousand requests an hour, each hour at the next of the canary's shares; v1 fails once in a hundred."""
    rng = np.random.default_rng(seed)
    stage = np.repeat(np.arange(hours), 10_000)
    treated = rng.random(len(stage)) < np.array([0.05, 0.25, 0.5])[stage]
    at = START + stage * HOUR + rng.uniform(0, HOUR - 1, len(stage))
    unit = np.array([f"{i:016x}" for i in range(len(stage))])
    failed = rng.random(len(stage)) < np.where(treated, failure, 0.01)
    return Events(
        unit,
        np.where(treated, "v2", "v1"),
        at,
        unit[failed],
        np.full(int(failed.sum()), "failed"),
        np.ones(int(failed.sum())),
        at[failed] + 0.1,
        stage=stage,
    )


def roll_out(failure: float) -> tuple[InMemoryServingWeights, Ledger, str]:
    weights, ledger, position = InMemoryServingWeights({"v1": 1.0, "v2": 0.0}), Ledger.start(CANARY, START), Position()
    events = traffic(3, failure)
    move = drive(weights, CANARY, position, None, START)
    for hour in (1, 2, 3):
        ledger = ledger.take_look(CANARY, events.until(START + hour * HOUR), START + hour * HOUR)
        move = drive(weights, CANARY, move.position, ledger.looks[-1], START + hour * HOUR)
        if move.position.over:
            break
    assert reproduce(ledger, events) == []
    return weights, ledger, move.action


def test_a_healthy_canary_takes_every_step_and_then_all_traffic() -> None:
    weights, _, action = roll_out(0.01)
    assert action == "finish"
    assert [shares["v2"] for shares in weights.history] == [0.0, 0.05, 0.25, 0.5, 1.0]


def test_a_failing_canary_is_rolled_back_by_itself_and_gets_no_more_traffic() -> None:
    weights, ledger, action = roll_out(0.04)
    assert action == "roll back"
    assert ledger.verdict == "roll back"
    assert weights.read() == {"v1": 1.0, "v2": 0.0}
    assert max(shares["v2"] for shares in weights.history) < 0.5


def test_a_canary_that_cannot_be_judged_is_rolled_back() -> None:
    events = traffic(1, 0.01)
    lost = np.flatnonzero(events.variant == "v2")[::2]
    keep = np.ones(len(events.unit), dtype=bool)
    keep[lost] = False
    assert events.stage is not None
    events = dataclasses.replace(
        events, unit=events.unit[keep], variant=events.variant[keep], at=events.at[keep], stage=events.stage[keep]
    )
    look = Ledger.start(CANARY, START).take_look(CANARY, events, START + HOUR).looks[-1]
    move = next_move(CANARY, Position(0, START), look, START + HOUR)
    assert (look.verdict, move.action) == ("invalid", "roll back")
    assert "sample ratio mismatch" in move.reason


def test_a_canary_holds_until_time_and_units_are_reached() -> None:
    look = Ledger.start(CANARY, START).take_look(CANARY, traffic(1, 0.01), START + HOUR / 2).looks[-1]
    move = next_move(CANARY, Position(0, START), look, START + HOUR / 2)
    assert (move.action, move.position) == ("hold", Position(0, START))
    assert "30 of 60 minutes" in move.reason


def test_every_step_needs_its_own_units_whatever_the_steps_before_have_seen() -> None:
    events = traffic(2, 0.01)
    first_hour = events.at < START + HOUR
    few = first_hour | (np.arange(len(events.unit)) % 100 == 0)
    outcome = np.isin(events.outcome_unit, events.unit[few])
    look = Ledger.start(CANARY, START).take_look(CANARY, events.where(few, outcome), START + 2 * HOUR).looks[-1]
    assert look.step_units[0] > 400
    assert look.step_units[1] < 200
    move = next_move(CANARY, Position(1, START + HOUR), look, START + 2 * HOUR)
    assert move.action == "hold"
    assert f"{look.step_units[1]} of 200 units" in move.reason


def test_a_canary_does_not_move_without_a_fresh_look_or_after_its_end() -> None:
    with pytest.raises(ExperimentError, match="look taken since the last move"):
        next_move(CANARY, Position(0, START), None, START + HOUR)
    with pytest.raises(ExperimentError, match="is over"):
        next_move(CANARY, Position(0, START, over=True), None, START)


def test_weights_that_somebody_else_changed_stop_the_plan_but_never_a_rollback() -> None:
    weights = InMemoryServingWeights({"v1": 0.3, "v2": 0.7})
    healthy = Ledger.start(CANARY, START).take_look(CANARY, traffic(1, 0.01), START + HOUR).looks[-1]
    with pytest.raises(ExperimentError, match="somebody else changed them"):
        drive(weights, CANARY, Position(0, START), healthy, START + HOUR)
    failing = Ledger.start(CANARY, START).take_look(CANARY, traffic(1, 0.08), START + HOUR).looks[-1]
    assert drive(weights, CANARY, Position(0, START), failing, START + HOUR).action == "roll back"
    assert weights.read()["v2"] == 0.0


def switchback(**changes: Any) -> Declaration:
    document: dict[str, Any] = {
        **CANARY.model_dump(),
        "design": {"kind": "switchback", "minutes": 60, "washout_minutes": 10, "pairs": 14, "salt": "not secret"},
        "metrics": {"wait": {"kind": "ratio", "numerator": "wait", "denominator": "ride", "direction": "decrease"}},
        "primary": "wait",
        "guardrails": [],
    }
    return Declaration.model_validate(document | changes)


def rides(periods: list[Period], effect: float, seed: int = 1) -> Events:
    rng = np.random.default_rng(seed)
    rows = list[tuple[str, str, float, float]]()
    for period in periods:
        level = 10 + 3 * np.sin(period.start / 7e4) + effect * (period.variant == "v2") + rng.normal(0, 0.3)
        for moment in rng.uniform(period.start, period.end, 40):
            level_now = level + 50 * (moment < period.counted_from)  # the change-over disturbs the washout
            rows += [("u", "ride", 1.0, moment), ("u", "wait", level_now + rng.normal(), moment)]
    unit, name, value, at = (np.array(column) for column in zip(*rows, strict=True))
    return Events(unit[:1], np.array(["v1"]), at[:1], unit, name, value, at)


def test_switchback_periods_come_in_balanced_pairs_that_follow_from_the_salt() -> None:
    periods = schedule(switchback(), START)
    assert periods == schedule(switchback(), START)
    pairs = [{p.variant for p in periods if p.pair == pair} for pair in range(14)]
    assert pairs == [{"v1", "v2"}] * 14
    assert len({p.variant for p in periods[::2]}) == 2  # not always the same one first
    assert all(a.end == b.start for a, b in itertools.pairwise(periods))


def test_switchback_finds_an_effect_in_spite_of_the_time_of_day_and_ignores_the_washout() -> None:
    declaration = switchback()
    periods = schedule(declaration, START)
    events = rides(periods, -1.0)
    found = analyse(declaration, periods, events)
    assert found.low < -1.0 < found.high < 0
    ledger = Ledger.start(declaration, START).take_look(declaration, events, periods[-1].end)
    assert (ledger.verdict, ledger.looks[0].winner) == ("ship", "v2")
    assert reproduce(ledger, events) == []


def test_a_switchback_is_not_looked_at_before_its_end() -> None:
    declaration = switchback()
    periods = schedule(declaration, START)
    with pytest.raises(ExperimentError, match="one look, after it"):
        Ledger.start(declaration, START).take_look(declaration, rides(periods, 0.0), periods[-1].start)


def test_switchback_type_i_error_is_nominal_for_few_skewed_pairs() -> None:
    rng = np.random.default_rng(4)
    rejected = [sign_flip_p(rng.standard_normal(8) ** 3) <= 0.05 for _ in range(800)]
    assert np.mean(rejected) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 800)
    assert np.mean(rejected) > 0.02


def test_a_switchback_without_outcomes_or_variation_is_an_error() -> None:
    declaration = switchback()
    periods = schedule(declaration, START)
    events = rides(periods, 0.0)
    with pytest.raises(ExperimentError, match="0 pairs have a value"):
        analyse(declaration, periods, dataclasses.replace(events, outcome=np.full_like(events.outcome, "none")))
    with pytest.raises(ExperimentError, match="no variance to judge by"):
        analyse(declaration, periods, dataclasses.replace(events, value=np.ones_like(events.value)))
