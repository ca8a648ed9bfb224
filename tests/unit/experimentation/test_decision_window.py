"""Outcomes that come late: a look at the primary metric takes the units whose window is over, all of them or none."""

import numpy as np

from pipelines.experimentation.decision.events import Events
from pipelines.experimentation.decision.ledger import Ledger, reproduce
from tests.unit.experimentation.test_decision import DAY, START, declared

WINDOW = 2 * DAY
LOOKS = (2.5, 4.5, 6.5, 8.5, 10.5)


PLAN = declared(
    metrics={"spend": {"kind": "mean", "outcome": "spend", "direction": "increase"}},
    primary="spend",
    guardrails=[],
    secondary=[],
    minimum_effect=1.0,
    window_hours=WINDOW / 3600,
    design={"kind": "group-sequential", "looks": [0.2, 0.4, 0.6, 0.8, 1.0], "spending": {"kind": "pocock"}},
)


def recorded(seed: int = 1, units: int = 240) -> Events:
    """Units exposed over eight days, each spending four times within two days of its exposure; no effect."""
    generator = np.random.default_rng(seed)
    unit = np.array([f"{i:016x}" for i in range(units)])
    at = START + 1 + generator.uniform(0, 8 * DAY, units)
    variant = np.where(generator.random(units) < 0.5, "treatment", "control")
    owner = np.repeat(np.arange(units), 4)
    came = at[owner] + generator.uniform(0, WINDOW, len(owner))
    value = generator.exponential(1, len(owner))
    return Events(unit, variant, at, unit[owner], np.full(len(owner), "spend"), value, came)


def after(events: Events, *days: float) -> Ledger:
    ledger = Ledger.start(PLAN, START)
    for day in days:
        if not ledger.ended:
            ledger = ledger.take_look(PLAN, events, START + day * DAY)
    return ledger


def test_units_whose_window_is_not_over_wait_for_the_next_look() -> None:
    events = recorded()
    ledger = after(events, 4.5)
    look = ledger.looks[0]
    waiting = int(((events.at > START + 2.5 * DAY) & (events.at <= START + 4.5 * DAY)).sum())
    assert look.flags["units whose window is not over"] == waiting
    assert look.comparisons[0].control_value is not None
    assert abs(look.comparisons[0].control_value - 4) < 0.7  # whole values, of four times 1 on average
    assert reproduce(ledger, events) == []


def test_before_any_window_is_over_nothing_is_said_and_no_error_is_spent() -> None:
    look = after(recorded(), 1.5).looks[0]
    assert look.verdict == "continue"
    comparison = look.comparisons[0]
    assert (comparison.difference, comparison.z, comparison.spent) == (None, None, None)


def test_the_error_over_all_looks_is_the_declared_one_though_outcomes_come_late() -> None:
    level, runs = 0.05, 200
    ledgers = [after(recorded(seed), *LOOKS) for seed in range(runs)]
    alarms = sum(any(c.crossed for look in ledger.looks for c in look.comparisons) for ledger in ledgers)
    assert abs(alarms / runs - level) <= 3 * np.sqrt(level * (1 - level) / runs)
