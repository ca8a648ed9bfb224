"""Type I error and power of every method under its own peeking plan, and of procedures known to be broken."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import ndtri

from pipelines.experimentation.analysis.always_valid import MixtureTest
from pipelines.experimentation.analysis.e_process import RareEventTest
from pipelines.experimentation.analysis.estimates import Effect
from pipelines.experimentation.analysis.sequential import KimDeMets, OBrienFleming, Pocock, Spending, boundaries, power
from pipelines.experimentation.analysis.simulation import (
    Plan,
    Procedure,
    Rate,
    always_valid,
    bernoulli,
    canonical,
    clustered,
    group_sequential,
    normal,
    ratio,
    rejection_rate,
)

LEVEL = 0.05
FIFTHS = np.arange(1, 6) / 5
EVERY_THREE_PERCENT = np.geomspace(100.0, 1e6, 312)  # from a hundred users to a million
STREAMS: dict[str, Callable[[int], Effect]] = {
    "normal": lambda seed: normal(Plan(10_000, 5, 500, seed)),
    "bernoulli .10": lambda seed: bernoulli(Plan(10_000, 5, 2_000, seed), 0.10),
    "bernoulli .01": lambda seed: bernoulli(Plan(10_000, 5, 10_000, seed), 0.01),
    "ratio": lambda seed: ratio(Plan(2_000, 5, 200, seed)),
    "clustered": lambda seed: clustered(Plan(3_000, 5, 150, seed)),
}


@pytest.mark.parametrize("spending", [OBrienFleming(), Pocock(), KimDeMets(rho=2)], ids=lambda s: s.kind)
@pytest.mark.parametrize("stream", STREAMS)
def test_group_sequential_type_i_error_is_nominal(stream: str, spending: Spending) -> None:
    rate = rejection_rate(group_sequential(boundaries(FIFTHS, LEVEL, spending)), STREAMS[stream](11))
    assert rate.attains(LEVEL), rate


@pytest.mark.parametrize("spending", [OBrienFleming(), Pocock(), KimDeMets(rho=2)], ids=lambda s: s.kind)
def test_group_sequential_power_is_the_optimum_of_its_grid(spending: Spending) -> None:
    design, units, effect = boundaries(FIFTHS, LEVEL, spending), 2_000, 0.045
    rate = rejection_rate(group_sequential(design), normal(Plan(60_000, 5, units, 12), effect))
    assert rate.value == pytest.approx(power(design, effect * np.sqrt(5 * units / 2)), abs=0.005)


@pytest.mark.parametrize("sides", ["two", "upper"])
@pytest.mark.parametrize("mixing", [0.03, 0.1])
def test_always_valid_type_i_error_under_reading_at_every_batch(mixing: float, sides: str) -> None:
    test = MixtureTest(mixing, "two" if sides == "two" else "upper")
    rate = rejection_rate(always_valid(test, LEVEL), normal(Plan(4_000, 200, 100, 13)))
    assert rate.keeps(LEVEL)
    assert rate.value > LEVEL / 4  # a test that never rejects would keep its level too


@pytest.mark.parametrize("stream", ["bernoulli .10", "bernoulli .01", "ratio", "clustered"])
def test_always_valid_type_i_error_for_every_kind_of_metric(stream: str) -> None:
    effect = STREAMS[stream](14)
    mixing = float(np.median(effect.standard_error[:, -1])) * 2
    # The scale is a constant of the stream known beforehand; no replicate's own outcome enters it.
    assert rejection_rate(always_valid(MixtureTest(mixing), LEVEL), effect).keeps(LEVEL)


def test_always_valid_power_is_high_at_the_effect_it_is_tuned_for() -> None:
    rate = rejection_rate(always_valid(MixtureTest(0.1), LEVEL), normal(Plan(1_000, 100, 60, 15), 0.1))
    assert rate.value > 0.95


@pytest.mark.parametrize("rate", [0.10, 0.01, 0.001])
@pytest.mark.parametrize("share", [0.5, 0.05])
def test_rare_event_test_keeps_its_level_at_every_event(rate: float, share: float) -> None:
    rng, replicates, units = np.random.default_rng(16), 1_000, 40_000
    events = rng.binomial(units, rate, replicates).max()
    on_treatment = rng.random((replicates, min(events, 400))) < share
    treatment = np.cumsum(on_treatment, axis=1)
    control = np.cumsum(~on_treatment, axis=1)
    found = (RareEventTest().log_e_values(treatment, control, share) >= np.log(1 / LEVEL)).any(axis=1)
    assert Rate(int(found.sum()), replicates).keeps(LEVEL)


def test_rare_event_test_finds_a_tripled_rate_within_a_hundred_events() -> None:
    rng = np.random.default_rng(17)
    on_treatment = rng.random((1_000, 100)) < 0.75
    values = RareEventTest().log_e_values(np.cumsum(on_treatment, 1), np.cumsum(~on_treatment, 1), 0.5)
    assert (values >= np.log(1 / LEVEL)).any(axis=1).mean() > 0.9


def naive_peeking(effect: Effect) -> np.ndarray:
    return np.abs(effect.z) >= 1.959964


def alpha_spent_as_critical_level(effect: Effect) -> np.ndarray:
    """Takes the error that may have been spent by a look for that look's own level."""
    return np.abs(effect.z) >= -ndtri(Pocock().spent(FIFTHS, LEVEL / 2))


def mixing_from_the_observed_effect(effect: Effect) -> np.ndarray:
    mixing = np.maximum(np.abs(effect.difference), 1e-12)
    scale = 1 + mixing**2 * effect.information
    score = effect.difference * effect.information * mixing / np.sqrt(scale)
    return 0.5 * score**2 - 0.5 * np.log(scale) >= np.log(1 / LEVEL)


@pytest.mark.parametrize(
    ("broken", "information"),
    [
        (naive_peeking, FIFTHS),
        (alpha_spent_as_critical_level, FIFTHS),
        (mixing_from_the_observed_effect, EVERY_THREE_PERCENT),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_procedure_is_caught(broken: Procedure, information: np.ndarray) -> None:
    rate = rejection_rate(broken, canonical(5_000, information, 18))
    assert not rate.attains(LEVEL)
    assert not rate.keeps(LEVEL), rate


def test_the_same_mixture_with_its_parameter_fixed_is_not_caught() -> None:
    rate = rejection_rate(always_valid(MixtureTest(0.05), LEVEL), canonical(5_000, EVERY_THREE_PERCENT, 18))
    assert rate.keeps(LEVEL), rate
