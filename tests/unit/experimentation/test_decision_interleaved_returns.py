"""Repeated looks at units that return in between are wrong as often as promised."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipelines.experimentation.analysis.sequential import Pocock, boundaries, from_spent, power
from pipelines.experimentation.decision.returning import combined

Floats = NDArray[np.float64]
LEVEL, LOOKS, UNITS, EXPERIMENTS = 0.05, 6, 600, 1000


def figures_by_look(generator: np.random.Generator, lift: float = 0.0) -> Floats:
    """Mean credit per impression of each unit at each look; NaN before it came. A fifth of the units come early and
    return often, by a heavy-tailed rate; the others come once, later."""
    early = generator.random(UNITS) < 0.2
    came = np.where(early, generator.uniform(0, 0.2, UNITS), generator.uniform(0.2, 1, UNITS))
    rate = np.where(early, np.minimum(5 + 20 * generator.pareto(1.2, UNITS), 500), 0)
    returns = generator.poisson(rate * (1 - came))
    member = np.concatenate([np.arange(UNITS), np.repeat(np.arange(UNITS), returns)])
    at = came[member] + generator.random(len(member)) * (1 - came[member])
    at[:UNITS] = came
    leaning = np.clip(0.5 + lift + generator.normal(0, 0.2, UNITS), 0, 1)[member]
    credit = np.where(generator.random(len(member)) < leaning, 1.0, -1.0) * (generator.random(len(member)) < 0.4)
    figures: list[Floats] = []
    for look in range(1, LOOKS + 1):
        seen = at <= look / LOOKS
        count = np.bincount(member[seen], minlength=UNITS).astype(np.float64)
        figures.append(np.bincount(member[seen], credit[seen], UNITS) / np.where(count > 0, count, np.nan))
    return np.array(figures)


def path(figures: Floats, *, alone: bool = False) -> tuple[Floats, Floats]:
    """Information and z at each look, from all looks so far or (`alone`) from the present figures only."""
    effects = [
        combined(np.where(np.isnan(part), np.nan, 0.0), part)
        for part in (figures[look if alone else 0 : look + 1] for look in range(len(figures)))
    ]
    return np.array([float(e.information) for e in effects]), np.array([float(e.z) for e in effects])


def rejects(information: Floats, z: Floats) -> bool:
    """By Pocock-like spending of the information reached; a look that brought none is not tested."""
    kept = np.flatnonzero(information > np.maximum.accumulate(np.concatenate([[0.0], information[:-1]])))
    fractions = information[kept] / information[kept[-1]]
    bounds = from_spent(fractions, Pocock().spent, LEVEL, "two", last_spends_all=True)
    return bool((np.abs(z[kept]) >= bounds.upper).any())


@pytest.fixture(scope="module")
def equal_rankers() -> list[Floats]:
    generator = np.random.default_rng(31)
    return [figures_by_look(generator) for _ in range(EXPERIMENTS)]


def most_correlated(paths: list[tuple[Floats, Floats]]) -> float:
    """Largest correlation of an estimate with how it differs from the look before; none in a least-variance one."""
    estimates = np.array([z / np.sqrt(information) for information, z in paths])
    changes = np.diff(estimates, axis=1)
    return max(abs(float(np.corrcoef(estimates[:, k + 1], changes[:, k])[0, 1])) for k in range(LOOKS - 1))


def test_all_looks_together_are_wrong_as_often_as_the_level_says(equal_rankers: list[Floats]) -> None:
    found = sum(rejects(*path(figures)) for figures in equal_rankers) / EXPERIMENTS
    assert abs(found - LEVEL) <= 3 * (LEVEL * (1 - LEVEL) / EXPERIMENTS) ** 0.5


def test_increments_are_independent_as_boundaries_assume(equal_rankers: list[Floats]) -> None:
    assert most_correlated([path(figures) for figures in equal_rankers]) <= 3.5 / EXPERIMENTS**0.5


def test_taking_each_looks_mean_as_if_units_did_not_return_is_caught_as_broken(equal_rankers: list[Floats]) -> None:
    assert most_correlated([path(figures, alone=True) for figures in equal_rankers]) > 5 / EXPERIMENTS**0.5


def test_power_is_what_the_boundaries_promise_at_the_information_reached() -> None:
    generator, experiments, lift = np.random.default_rng(32), 500, 0.1
    paths = [path(figures_by_look(generator, lift)) for _ in range(experiments)]
    information = np.mean([each[0] for each in paths], axis=0)
    plan = boundaries(information / information[-1], LEVEL, Pocock())
    effect = float(np.mean([each[1][-1] / each[0][-1] ** 0.5 for each in paths]))
    promised = power(plan, effect * float(information[-1]) ** 0.5)
    found = np.mean([rejects(*each) for each in paths])
    assert 0.5 < promised < 0.95
    assert abs(found - promised) <= 3 * (promised * (1 - promised) / experiments) ** 0.5


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), looks=st.integers(2, 6))
def test_one_more_look_at_the_same_figures_changes_nothing(seed: int, looks: int) -> None:
    figures = np.random.default_rng(seed).normal(size=40)
    one = combined(np.zeros((1, 40)), figures[None])
    more = combined(np.zeros((looks, 40)), np.tile(figures, (looks, 1)))
    assert float(more.difference) == pytest.approx(float(one.difference))
    assert float(more.standard_error) == pytest.approx(float(one.standard_error), rel=0.2)


def test_a_look_without_variance_says_nothing_and_later_ones_leave_it_out() -> None:
    figures = np.array([[0.0, 0.0, np.nan, np.nan], [1.0, -1.0, 0.0, 1.0]])
    first = combined(np.where(np.isnan(figures[:1]), np.nan, 0.0), figures[:1])
    assert np.isnan(first.standard_error)
    both = combined(np.where(np.isnan(figures), np.nan, 0.0), figures)
    alone = combined(np.zeros((1, 4)), figures[1:])
    assert float(both.difference) == float(alone.difference) == 0.25
    assert float(both.standard_error) == float(alone.standard_error)


def test_parts_differ_by_the_difference() -> None:
    generator = np.random.default_rng(5)
    parts = generator.random((2, 3, 50))
    parts[:, 0, 20:] = np.nan
    found = combined(parts[0], parts[1])
    assert float(found.treatment - found.control) == pytest.approx(float(found.difference))
