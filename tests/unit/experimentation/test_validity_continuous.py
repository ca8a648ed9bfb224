"""Tests that may be read at any moment reject a true null hypothesis as often as theory computes, and no more."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from pipelines.experimentation.analysis import sample_ratio
from pipelines.experimentation.analysis.always_valid import MINIMUM_UNITS, MixtureTest
from pipelines.experimentation.analysis.e_process import RareEventTest
from pipelines.experimentation.analysis.estimates import Effect
from pipelines.experimentation.analysis.sequential.boundaries import Sides
from pipelines.experimentation.analysis.simulation import (
    Plan,
    Rate,
    adjusted,
    always_valid,
    always_valid_rate,
    bernoulli,
    canonical,
    clustered,
    normal,
    ratio,
    rejection_rate,
)

LEVEL = 0.05
READINGS: dict[str, tuple[Callable[[], Effect], float, float]] = {
    # Each with two mixing deviations, in the metric's own unit, fixed here.
    "normal": (lambda: normal(Plan(8_000, 100, MINIMUM_UNITS, 13)), 0.03, 0.1),
    "bernoulli .10": (lambda: bernoulli(Plan(8_000, 100, MINIMUM_UNITS, 14), 0.10), 0.01, 0.03),
    "bernoulli .01": (lambda: bernoulli(Plan(8_000, 100, 1_000, 15), 0.01), 0.001, 0.003),
    "ratio": (lambda: ratio(Plan(2_000, 50, MINIMUM_UNITS, 16)), 0.01, 0.03),
    "clustered": (lambda: clustered(Plan(2_000, 50, MINIMUM_UNITS, 17)), 0.03, 0.1),
    "adjusted": (lambda: adjusted(Plan(2_000, 50, MINIMUM_UNITS, 18)), 0.03, 0.1),
}


@pytest.mark.parametrize("sides", ["two", "upper"])
def test_read_without_a_pause_the_mixture_test_errs_in_exactly_its_level_of_experiments(sides: Sides) -> None:
    """Between two of 800 readings a Brownian path crosses with exp(-2 a b / gap), a and b being its distances."""
    test, replicates = MixtureTest(0.05, sides), 10_000
    information = np.geomspace(1e-2, 1e9, 800) / test.mixing**2
    path = canonical(replicates, information, 5).difference * information
    bound, gap = test.radius(information, LEVEL) * information, np.diff(information)

    def crosses(side: np.ndarray) -> np.ndarray:
        left = np.clip(bound - side, 0, None)
        return np.exp(-2 * left[:, :-1] * left[:, 1:] / gap)

    chance = crosses(path) if sides == "upper" else np.minimum(1, crosses(path) + crosses(-path))
    crossed = (np.random.default_rng(6).random(chance.shape) < chance).any(axis=1)
    assert Rate(int(crossed.sum()), replicates).attains(LEVEL)


@pytest.mark.parametrize("sides", ["two", "upper"])
@pytest.mark.parametrize("mixing", [0.01, 0.1])
def test_at_many_readings_the_mixture_test_errs_as_often_as_the_recursion_computes(mixing: float, sides: Sides) -> None:
    information = np.geomspace(100.0, 1e6, 400)
    test = MixtureTest(mixing, sides)
    computed = always_valid_rate(test, information, LEVEL)
    assert LEVEL / 2 < computed < LEVEL
    assert rejection_rate(always_valid(test, LEVEL), canonical(10_000, information, 12)).attains(computed)


def test_closer_readings_bring_the_error_nearer_to_the_level_and_never_above() -> None:
    for sides in ("two", "upper"):
        rates = [
            always_valid_rate(MixtureTest(0.05, sides), np.geomspace(100.0, 1e8, n), LEVEL) for n in (20, 80, 320, 640)
        ]
        assert all(wider < closer < LEVEL for wider, closer in pairwise(rates))
        assert rates[-1] > 0.75 * LEVEL


@pytest.mark.parametrize("name", READINGS)
def test_every_kind_of_metric_errs_as_often_as_computed_when_read_at_every_batch(name: str) -> None:
    draw, *mixings = READINGS[name]
    effect = draw()
    looks = effect.difference.shape[1]
    information = np.linspace(0.0, float(np.median(effect.information[:, -1])), looks + 1)[1:]
    for mixing in mixings:
        for sides in ("two", "upper"):
            test = MixtureTest(mixing, sides)
            rate = rejection_rate(always_valid(test, LEVEL), effect)
            assert rate.attains(always_valid_rate(test, information, LEVEL)), (mixing, sides)
            assert rate.keeps(LEVEL)


@pytest.mark.parametrize("rate", [0.10, 0.01, 0.001])
@pytest.mark.parametrize("control", [900, 9_900])
def test_a_small_treated_arm_does_not_alarm_because_it_has_seen_no_event_yet(rate: float, control: int) -> None:
    """Read from a hundred treated units on, a tenth or a hundredth of all, for changes in either direction."""
    effect = bernoulli(Plan(4_000, 200, control, 19, treated=MINIMUM_UNITS), rate)
    for mixing in (0.1 * rate, 0.3 * rate, rate):
        two = rejection_rate(always_valid(MixtureTest(mixing), LEVEL), effect)
        falls = MixtureTest(mixing, "upper").log_e_value(-effect.difference, effect.cautious_information)
        fallen = Rate(int((np.nan_to_num(falls) >= np.log(1 / LEVEL)).any(axis=1).sum()), 4_000)
        rises = rejection_rate(always_valid(MixtureTest(mixing, "upper"), LEVEL), effect)
        assert two.keeps(LEVEL)
        assert fallen.keeps(LEVEL)
        assert rises.keeps(LEVEL)


@pytest.mark.parametrize("name", ["normal", "bernoulli .10", "ratio", "clustered"])
def test_small_treated_arms_of_every_kind_keep_the_level(name: str) -> None:
    draw: dict[str, Callable[[], Effect]] = {
        "normal": lambda: normal(Plan(4_000, 100, 1_900, 20, treated=MINIMUM_UNITS)),
        "bernoulli .10": lambda: bernoulli(Plan(4_000, 100, 1_900, 20, treated=MINIMUM_UNITS), 0.1),
        "ratio": lambda: ratio(Plan(500, 20, 900, 20, treated=MINIMUM_UNITS)),
        "clustered": lambda: clustered(Plan(500, 20, 900, 20, treated=MINIMUM_UNITS)),
    }
    effect = draw[name]()
    for mixing in READINGS[name][1:]:
        assert rejection_rate(always_valid(MixtureTest(mixing), LEVEL), effect).keeps(LEVEL)


def test_power_of_the_mixture_test_is_that_which_the_recursion_computes() -> None:
    test, effect = MixtureTest(0.1), 0.06
    found = rejection_rate(always_valid(test, LEVEL), normal(Plan(4_000, 60, MINIMUM_UNITS, 15), effect))
    information = np.linspace(0.0, MINIMUM_UNITS / 2 * 60, 61)[1:]
    assert found.attains(always_valid_rate(test, information, LEVEL, drift=effect))
    assert found.value > 0.5


def test_a_sample_ratio_watched_at_every_unit_errs_less_than_its_level_but_not_idly() -> None:
    weights, units = {"a": 0.7, "b": 0.3}, 400
    reached = np.zeros((units, units + 1), dtype=bool)
    for seen in range(1, units + 1):
        for b in range(seen + 1):
            evidence = sample_ratio.log_e_value({"a": seen - b, "b": b}, weights, concentration=20.0)
            reached[seen - 1, b] = evidence >= np.log(1 / LEVEL)
    reaches = _probability_of_ever(reached, weights["b"])
    assert LEVEL / 3 < reaches <= LEVEL


@pytest.mark.parametrize("share", [0.5, 0.05, 0.9])
def test_rare_events_read_at_every_event_err_less_than_the_level_but_not_idly(share: float) -> None:
    """Whatever the events' rate: each falls on the treatment with its share, so the error is computed exactly."""
    events = 1_000
    hits = np.arange(events + 1)[None, :]
    misses = np.arange(1, events + 1)[:, None] - hits
    reached = RareEventTest().log_e_values(hits, np.maximum(misses, 0), share) >= np.log(1 / LEVEL)
    assert LEVEL / 2 < _probability_of_ever(reached & (misses >= 0), share) <= LEVEL


def _probability_of_ever(reached: np.ndarray, chance: float) -> float:
    """Probability that a walk with `chance` of a step up is ever at a place marked in `reached` (steps, places)."""
    going, ever = np.zeros(reached.shape[1]), 0.0
    going[0] = 1.0
    for row in reached:
        going = going * (1 - chance) + np.concatenate([[0.0], going[:-1]]) * chance
        ever += float(going[row].sum())
        going[row] = 0.0
    return ever


@pytest.mark.parametrize("rate", [0.10, 0.01, 0.001])
def test_rare_events_among_units_of_two_arms_keep_the_level_whatever_their_rate(rate: float) -> None:
    generator, replicates, looks = np.random.default_rng(16), 3_000, 60
    batch = max(20, round(3 / rate))
    arms = [np.cumsum(generator.binomial(n, rate, (replicates, looks)), axis=1) for n in (batch // 10, batch)]
    # Units fall on treatment at random: given an event, with probability share = one eleventh.
    share = (batch // 10) / (batch // 10 + batch)
    found = (RareEventTest().log_e_values(arms[0], arms[1], share) >= np.log(1 / LEVEL)).any(axis=1)
    measured = Rate(int(found.sum()), replicates)
    assert measured.keeps(LEVEL)
    assert measured.value > LEVEL / 10


def test_rare_event_test_finds_a_tripled_rate_within_a_hundred_events() -> None:
    rng = np.random.default_rng(17)
    on_treatment = rng.random((1_000, 100)) < 0.75
    values = RareEventTest().log_e_values(np.cumsum(on_treatment, 1), np.cumsum(~on_treatment, 1), 0.5)
    assert (values >= np.log(1 / LEVEL)).any(axis=1).mean() > 0.9
