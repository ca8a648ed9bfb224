"""Type I error and power of every method at planned looks, for every kind of metric."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest
from scipy.stats import norm

from pipelines.experimentation.analysis.estimates import Effect, compare, quantile
from pipelines.experimentation.analysis.multiplicity import Method, correct
from pipelines.experimentation.analysis.sequential import (
    KimDeMets,
    OBrienFleming,
    Pocock,
    Spending,
    boundaries,
    power,
)
from pipelines.experimentation.analysis.sequential.boundaries import Sides
from pipelines.experimentation.analysis.simulation import (
    Plan,
    Rate,
    adjusted,
    bernoulli,
    clustered,
    group_sequential,
    normal,
    ratio,
    rejection_rate,
)

LEVEL = 0.05
FIFTHS = np.arange(1, 6) / 5
SPENDINGS: list[Spending] = [OBrienFleming(), Pocock(), KimDeMets(rho=2)]
STREAMS: dict[str, Callable[[int], Effect]] = {
    "normal": lambda seed: normal(Plan(10_000, 5, 500, seed)),
    "normal, a tenth treated": lambda seed: normal(Plan(10_000, 5, 1_800, seed, treated=200)),
    "bernoulli .10": lambda seed: bernoulli(Plan(10_000, 5, 2_000, seed), 0.10),
    "bernoulli .01": lambda seed: bernoulli(Plan(10_000, 5, 10_000, seed), 0.01),
    "ratio": lambda seed: ratio(Plan(2_000, 5, 200, seed)),
    "clustered": lambda seed: clustered(Plan(3_000, 5, 150, seed)),
    "adjusted": lambda seed: adjusted(Plan(3_000, 5, 150, seed)),
}


@lru_cache
def stream(name: str) -> Effect:
    return STREAMS[name](11)


@pytest.mark.parametrize("sides", ["two", "upper"])
@pytest.mark.parametrize("spending", SPENDINGS, ids=lambda s: s.kind)
@pytest.mark.parametrize("name", STREAMS)
def test_group_sequential_type_i_error_is_nominal(name: str, spending: Spending, sides: Sides) -> None:
    rate = rejection_rate(group_sequential(boundaries(FIFTHS, LEVEL, spending, sides)), stream(name))
    assert rate.attains(LEVEL), rate.deviation(LEVEL)


@pytest.mark.parametrize("name", STREAMS)
def test_type_i_error_of_a_single_look_is_nominal(name: str) -> None:
    last = stream(name)
    rejected = 2 * norm.sf(np.abs(last.z[:, -1])) <= LEVEL
    assert Rate(int(rejected.sum()), len(rejected)).attains(LEVEL)


@pytest.mark.parametrize("probability", [0.5, 0.9])
def test_type_i_error_of_a_quantile_is_nominal_at_planned_looks(probability: float) -> None:
    generator, replicates, units = np.random.default_rng(21), 2_000, 300
    z = np.empty((replicates, 5))
    for row in z:
        control, treatment = generator.exponential(size=(2, 5 * units))
        for k in range(5):
            seen = (k + 1) * units
            row[k] = compare(quantile(control[:seen], probability), quantile(treatment[:seen], probability)).z
    for spending in SPENDINGS:
        crossed = (np.abs(z) >= boundaries(FIFTHS, LEVEL, spending).upper).any(axis=1)
        assert Rate(int(crossed.sum()), replicates).attains(LEVEL), spending


@pytest.mark.parametrize("spending", SPENDINGS, ids=lambda s: s.kind)
def test_group_sequential_power_is_the_optimum_of_its_grid(spending: Spending) -> None:
    design, units, effect = boundaries(FIFTHS, LEVEL, spending), 2_000, 0.045
    rate = rejection_rate(group_sequential(design), normal(Plan(60_000, 5, units, 12), effect))
    assert rate.value == pytest.approx(power(design, effect * np.sqrt(5 * units / 2)), abs=0.005)


@pytest.mark.parametrize(
    ("method", "real", "nominal"),
    [
        # Five independent metrics. Without a real effect Holm's first step is Bonferroni's, which errs in
        # 1 - (1 - level / 5)**5; with four effects that are certainly found Holm tests the fifth at the whole level.
        ("holm", 0, 1 - (1 - LEVEL / 5) ** 5),
        ("bonferroni", 0, 1 - (1 - LEVEL / 5) ** 5),
        ("holm", 4, LEVEL),
        ("bonferroni", 4, LEVEL / 5),
        # Without a real effect every finding is false, so the false discovery rate is the family's error: Simes's.
        ("benjamini-hochberg", 0, LEVEL),
    ],
)
def test_a_family_of_metrics_errs_as_often_as_its_correction_allows(method: Method, real: int, nominal: float) -> None:
    replicates = 3_000
    z = np.random.default_rng(22).standard_normal((replicates, 5))
    z[:, :real] += 12
    p_values = 2 * norm.sf(np.abs(z))
    wrong = 0
    for row in p_values:
        found = correct({str(i): float(p) for i, p in enumerate(row)}, LEVEL, method)
        wrong += any(found[str(i)].significant for i in range(real, 5))
    assert Rate(wrong, replicates).attains(nominal)
