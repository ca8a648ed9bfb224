import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import ndtr
from scipy.stats import multivariate_normal, norm

from pipelines.experimentation.analysis.sequential import (
    KimDeMets,
    OBrienFleming,
    Pocock,
    Spending,
    after_stopping,
    boundaries,
    constant_shape,
    drift_for,
    expected_fraction,
    from_spent,
    inflation,
    power,
    with_futility,
)
from pipelines.experimentation.analysis.sequential.recursion import crossing
from pipelines.experimentation.errors import ExperimentError

FIFTHS = np.arange(1, 6) / 5
SPENDINGS: list[Spending] = [OBrienFleming(), Pocock(), KimDeMets(rho=1), KimDeMets(rho=3)]


@pytest.mark.parametrize(
    ("spending", "looks", "expected"),
    [
        # 2.5 % a side. R package gsDesign, sfLDOF; ldbounds prints 3.3569 for the second of five: see the next test.
        (OBrienFleming(), 3, [3.710303, 2.511427, 1.993048]),
        (OBrienFleming(), 5, [4.8769, 3.3570, 2.6803, 2.2898, 2.0310]),
        # R package ldbounds, after Reboussin, DeMets, Kim & Lan (2000), Controlled Clinical Trials 21.
        (Pocock(), 5, [2.4380, 2.4268, 2.4101, 2.3966, 2.3859]),
    ],
)
def test_boundaries_agree_with_published_tables(spending: Spending, looks: int, expected: list[float]) -> None:
    upper = boundaries(np.arange(1, looks + 1) / looks, 0.05, spending).upper
    assert np.abs(upper - expected).max() <= 1e-4


def test_the_second_boundary_agrees_with_adaptive_quadrature() -> None:
    design = boundaries(FIFTHS, 0.05, OBrienFleming())
    first, second = design.upper[:2]

    def crosses_second(z: float) -> float:
        reached = (float(second) * np.sqrt(0.4) - z * np.sqrt(0.2)) / np.sqrt(0.2)
        return float(np.exp(-z * z / 2) / np.sqrt(2 * np.pi)) * float(ndtr(np.float64(-reached)))

    spent = quad(crosses_second, -float(first), float(first), epsabs=1e-15, epsrel=1e-12)[0]
    assert spent == pytest.approx(design.spent[1] - design.spent[0], rel=1e-9)


@pytest.mark.parametrize(
    ("looks", "pocock", "obrien_fleming"),
    # Jennison & Turnbull (2000), tables 2.1 and 2.3, two-sided 5 %, three decimals.
    [(2, 2.178, 1.977), (3, 2.289, 2.004), (4, 2.361, 2.024), (5, 2.413, 2.040), (10, 2.555, 2.087)],
)
def test_constant_shapes_agree_with_published_tables(looks: int, pocock: float, obrien_fleming: float) -> None:
    assert constant_shape(looks, 0.05, 0.5).upper[-1] == pytest.approx(pocock, abs=6e-4)
    assert constant_shape(looks, 0.05, 0.0).upper[-1] == pytest.approx(obrien_fleming, abs=6e-4)


@pytest.mark.parametrize("spending", SPENDINGS, ids=str)
@pytest.mark.parametrize("fractions", [[0.3, 0.5, 1.0], [0.05, 0.9, 0.95]], ids=str)
def test_error_spent_agrees_with_another_integrator(spending: Spending, fractions: list[float]) -> None:
    t = np.array(fractions)
    upper = boundaries(t, 0.1, spending, "upper").upper
    correlation = np.sqrt(np.minimum.outer(t, t) / np.maximum.outer(t, t))
    stays = multivariate_normal.cdf(
        np.minimum(upper, 40), np.zeros(3), correlation, abseps=1e-8, releps=1e-8, maxpts=200_000, rng=1
    )
    assert 1 - stays == pytest.approx(spending.spent(t[-1], 0.1), abs=2e-6)


@given(
    gaps=st.lists(st.floats(0.001, 1.0), min_size=1, max_size=12),
    level=st.floats(0.001, 0.3),
    spending=st.sampled_from(SPENDINGS),
)
@settings(max_examples=40)
def test_whatever_the_looks_the_error_is_spent_exactly(gaps: list[float], level: float, spending: Spending) -> None:
    t = np.cumsum(gaps) / np.sum(gaps)
    design = boundaries(t, level, spending)
    crossed = crossing(design.fractions, design.lower, design.upper)
    assert crossed.upper.sum() == pytest.approx(level / 2, rel=1e-7)
    assert crossed.lower.sum() == pytest.approx(level / 2, rel=1e-7)


def test_one_look_is_the_fixed_test() -> None:
    design = boundaries([1.0], 0.05, OBrienFleming())
    assert design.upper[0] == pytest.approx(norm.isf(0.025), abs=1e-10)
    assert inflation(design, 0.05, 0.9, "two") == pytest.approx(1.0, abs=1e-3)  # the far side's 1e-7 is counted apart


def test_inflation_and_expected_size_agree_with_published_tables() -> None:
    # Jennison & Turnbull (2000), tables 2.2, 2.4 and 2.7: five looks, 5 % two-sided, power .9.
    assert inflation(constant_shape(5, 0.05, 0.5), 0.05, 0.9, "two") == pytest.approx(1.207, abs=1e-3)
    of = constant_shape(5, 0.05, 0.0)
    assert inflation(of, 0.05, 0.9, "two") == pytest.approx(1.026, abs=1e-3)
    assert 0.5 < expected_fraction(of, drift_for(of, 0.9)) < 0.8


def test_looking_earlier_than_planned_leaves_the_later_error_unspent() -> None:
    part = boundaries([0.2, 0.6], 0.05, Pocock())
    assert part.spent[-1] == pytest.approx(float(Pocock().spent(0.6, 0.025)))
    whole = boundaries([0.2, 0.6, 1.0], 0.05, Pocock())
    assert np.array_equal(part.upper, whole.upper[:2])


def test_the_last_look_may_spend_what_is_left_at_any_information() -> None:
    design = from_spent(np.array([0.4, 0.85]), OBrienFleming().spent, 0.05, "two", last_spends_all=True)
    assert crossing(design.fractions, design.lower, design.upper).upper.sum() == pytest.approx(0.025, rel=1e-9)


def test_futility_keeps_the_power_and_never_raises_the_level() -> None:
    design, drift = with_futility(list(FIFTHS), 0.025, OBrienFleming(), KimDeMets(rho=2), 0.9)
    assert power(design, drift) == pytest.approx(0.9, abs=1e-8)
    assert design.lower[-1] == design.upper[-1]
    ignored = crossing(design.fractions, np.full(5, -np.inf), design.upper)
    assert ignored.upper.sum() == pytest.approx(0.025, rel=1e-8)


def test_inference_after_stopping_agrees_with_the_fixed_test_when_there_was_one_look() -> None:
    got = after_stopping([4.0], boundaries([1.0], 0.05, Pocock()), 2.5, 0.95)
    assert (got.low, got.estimate, got.high) == pytest.approx((0.27002, 1.25, 2.22998), abs=1e-4)
    assert got.p_value == pytest.approx(2 * norm.sf(2.5), abs=1e-9)


def test_interval_after_stopping_covers_as_often_as_it_says() -> None:
    design, effect, replicates = boundaries(FIFTHS, 0.05, Pocock()), 2.0, 150
    information = 2.0 * FIFTHS
    steps = np.random.default_rng(5).standard_normal((replicates, 5)) * np.sqrt(np.diff(information, prepend=0))
    z = (np.cumsum(steps, axis=1) + effect * information) / np.sqrt(information)
    covered, estimates = 0, np.empty(replicates)
    for i, path in enumerate(z):
        stops = np.flatnonzero(np.abs(path) >= design.upper)
        k = int(stops[0]) if len(stops) else 4
        got = after_stopping(list(information[: k + 1]), design, float(path[k]), 0.9)
        covered += got.low <= effect <= got.high
        estimates[i] = got.estimate
    assert abs(covered / replicates - 0.9) < 3 * np.sqrt(0.09 / replicates)
    assert abs((estimates > effect).mean() - 0.5) < 3 * np.sqrt(0.25 / replicates)


@pytest.mark.parametrize("fractions", [[], [0.5, 0.5], [0.6, 0.4], [0.0, 1.0], [0.5, 1.2], [float("nan")]])
def test_looks_out_of_order_are_an_error(fractions: list[float]) -> None:
    with pytest.raises(ExperimentError, match="information fractions must"):
        boundaries(fractions, 0.05, Pocock())


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1])
def test_an_impossible_level_is_an_error(level: float) -> None:
    with pytest.raises(ExperimentError, match="level must lie"):
        boundaries([1.0], level, Pocock())
