"""Procedures known to be broken are caught by the checks that the right ones pass."""

import numpy as np
import pytest
from scipy.special import ndtri

from pipelines.experimentation.analysis.always_valid import MixtureTest
from pipelines.experimentation.analysis.estimates import Effect
from pipelines.experimentation.analysis.sequential import Pocock
from pipelines.experimentation.analysis.simulation import (
    Plan,
    Procedure,
    always_valid,
    bernoulli,
    canonical,
    clustered,
    normal,
    ratio,
    rejection_rate,
)

LEVEL = 0.05
FIFTHS = np.arange(1, 6) / 5
EVERY_THREE_PERCENT = np.geomspace(100.0, 1e6, 312)  # from a hundred users to a million
STREAMS = {
    "theory": lambda: canonical(5_000, FIFTHS, 18),
    "normal": lambda: normal(Plan(5_000, 5, 500, 18)),
    "bernoulli .10": lambda: bernoulli(Plan(5_000, 5, 2_000, 18), 0.10),
    "bernoulli .01": lambda: bernoulli(Plan(5_000, 5, 10_000, 18), 0.01),
    "ratio": lambda: ratio(Plan(2_000, 5, 200, 18)),
    "clustered": lambda: clustered(Plan(2_000, 5, 150, 18)),
}


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


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("broken", [naive_peeking, alpha_spent_as_critical_level])
def test_broken_looks_are_caught_for_every_kind_of_metric(broken: Procedure, name: str) -> None:
    rate = rejection_rate(broken, STREAMS[name]())
    assert not rate.attains(LEVEL)
    assert not rate.keeps(LEVEL), rate


def test_a_mixing_parameter_chosen_from_the_observed_effect_is_caught() -> None:
    readings = canonical(5_000, EVERY_THREE_PERCENT, 18)
    assert not rejection_rate(mixing_from_the_observed_effect, readings).keeps(LEVEL)
    fixed = rejection_rate(always_valid(MixtureTest(0.05), LEVEL), readings)
    assert fixed.keeps(LEVEL), fixed
