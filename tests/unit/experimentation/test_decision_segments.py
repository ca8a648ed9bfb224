"""Segments of a declaration: shown, exploratory, and without any say in the verdict."""

import dataclasses

import numpy as np
import pytest
from pydantic import ValidationError

from pipelines.experimentation.decision.declaration import Declaration
from pipelines.experimentation.decision.events import Events
from pipelines.experimentation.decision.ledger import Ledger, reproduce
from pipelines.experimentation.decision.records import Look
from pipelines.experimentation.decision.segments import MOST_VALUES, OTHER
from pipelines.experimentation.errors import ExperimentError
from tests.unit.experimentation.test_decision import DAY, START, declared, recorded


def by_country(*names: str, lift: float = 0.0, only: str | None = None, units: int = 4_000) -> Events:
    """Units spread evenly over countries; the treatment's lift is in one of them, or in all."""
    plain, lifted = recorded(units, lift=0.0), recorded(units, lift=lift)
    country = np.array([names[i % len(names)] for i in range(units)])
    if only is None:
        return dataclasses.replace(lifted, segments={"country": country})
    place = dict(zip(plain.unit.tolist(), country.tolist(), strict=True))
    kept = np.array([place[unit] != only for unit in plain.outcome_unit.tolist()])
    gained = np.array([place[unit] == only for unit in lifted.outcome_unit.tolist()])
    parts = [
        np.concatenate([old[kept], new[gained]])
        for old, new in (
            (plain.outcome_unit, lifted.outcome_unit),
            (plain.outcome, lifted.outcome),
            (plain.value, lifted.value),
            (plain.outcome_at, lifted.outcome_at),
        )
    ]
    unit, outcome, value, at = parts
    return dataclasses.replace(
        plain, outcome_unit=unit, outcome=outcome, value=value, outcome_at=at, segments={"country": country}
    )


def looked(events: Events, declaration: Declaration | None = None) -> Look:
    declaration = declaration or declared(segments=["country"])
    ledger = Ledger.start(declaration, START).take_look(declaration, events, START + 14 * DAY)
    assert reproduce(ledger, events) == []
    return ledger.looks[0]


def test_an_effect_in_one_country_alone_is_seen_there_and_called_exploratory() -> None:
    found = looked(by_country("nl", "de", "fr", lift=0.25, only="nl")).segments["country/treatment"]
    assert found.label == "exploratory"
    assert found.heterogeneity is not None
    assert found.heterogeneity < 1e-4
    differences = {value: effect.difference for value, effect in found.values.items()}
    assert differences["nl"] == pytest.approx(0.25, abs=0.07)
    assert differences["de"] == pytest.approx(0.0, abs=0.05)
    adjusted = {value: effect.adjusted for value, effect in found.values.items()}
    assert adjusted["nl"] is not None
    assert adjusted["nl"] < 1e-6


def test_segments_change_no_verdict() -> None:
    events = by_country("nl", "de", lift=0.05)
    without, within = looked(events, declared()), looked(events)
    assert without.segments == {}
    assert within.model_copy(update={"segments": {}}) == without


def test_equal_effects_are_called_different_as_often_as_the_level_says() -> None:
    level, alarms, runs = 0.05, 0, 300
    declaration = declared(segments=["country"], guardrails=[], secondary=[])
    for seed in range(runs):
        events = recorded(600, lift=0.05, seed=seed)
        country = np.random.default_rng(seed + 10_000).choice(["nl", "de", "fr"], 600)
        found = looked(dataclasses.replace(events, segments={"country": country}), declaration)
        p_value = found.segments["country/treatment"].heterogeneity
        assert p_value is not None
        alarms += p_value <= level
    assert abs(alarms / runs - level) <= 3 * np.sqrt(level * (1 - level) / runs)


def test_many_values_are_shown_as_the_largest_and_the_rest() -> None:
    names = [f"c{i:02d}" for i in range(40)]
    events = by_country(*names)
    country = events.segments["country"].copy()
    country[:400] = "c00"
    found = looked(dataclasses.replace(events, segments={"country": country})).segments["country/treatment"].values
    assert len(found) == MOST_VALUES
    assert {"c00", OTHER} < set(found)
    assert sum(effect.units for effect in found.values()) == len(country)


def test_a_value_without_an_estimate_is_shown_without_one() -> None:
    events = by_country("nl")
    country = events.segments["country"].copy()
    country[0] = "mt"
    found = looked(dataclasses.replace(events, segments={"country": country})).segments["country/treatment"]
    assert found.heterogeneity is None
    assert found.values["mt"].difference is None
    assert found.values["mt"].units == 1


def test_a_declared_segment_that_nobody_sent_is_an_error() -> None:
    with pytest.raises(ExperimentError, match=r"lack the segments \['country'\]"):
        looked(recorded())


def test_segments_that_cannot_be_are_refused_beforehand() -> None:
    with pytest.raises(ValidationError, match="names must differ"):
        declared(segments=["country", "country"])
    with pytest.raises(ValidationError, match="at most 5"):
        declared(segments=[f"s{i}" for i in range(6)])
