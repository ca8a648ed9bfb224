"""Boundaries and their recursion against other integrators, closed forms and the tables that predate spending."""

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
    inflation,
)
from pipelines.experimentation.analysis.sequential.recursion import crossing

FIFTHS = np.arange(1, 6) / 5
SPENDINGS: list[Spending] = [OBrienFleming(), Pocock(), KimDeMets(rho=1), KimDeMets(rho=3)]


def test_the_second_boundary_agrees_with_adaptive_quadrature() -> None:
    design = boundaries(FIFTHS, 0.05, OBrienFleming())
    first, second = design.upper[:2]

    def crosses_second(z: float) -> float:
        reached = (float(second) * np.sqrt(0.4) - z * np.sqrt(0.2)) / np.sqrt(0.2)
        return float(np.exp(-z * z / 2) / np.sqrt(2 * np.pi)) * float(ndtr(np.float64(-reached)))

    spent = quad(crosses_second, -float(first), float(first), epsabs=1e-15, epsrel=1e-12)[0]
    assert spent == pytest.approx(design.spent[1] - design.spent[0], rel=1e-9)


@pytest.mark.parametrize("z", [-3.0, 0.4, 2.3, 3.5])
def test_inference_after_the_second_look_agrees_with_adaptive_quadrature(z: float) -> None:
    design, (first, second) = boundaries(FIFTHS, 0.05, Pocock()), (3.0, 5.0)
    upper = float(design.upper[0])
    found = after_stopping([first, second], design, z, 0.9)

    def further_up(effect: float) -> float:
        """Stopped above at the first look, or went on and ended above z."""

        def goes_on(x: float) -> float:
            needed = z * np.sqrt(second) - x * np.sqrt(first) - effect * (second - first)
            density = np.exp(-((x - effect * np.sqrt(first)) ** 2) / 2) / np.sqrt(2 * np.pi)
            return float(density) * float(ndtr(np.float64(-needed / np.sqrt(second - first))))

        stopped = float(ndtr(np.float64(effect * np.sqrt(first) - upper)))
        return stopped + quad(goes_on, -upper, upper, epsabs=1e-13)[0]

    assert [further_up(e) for e in (found.low, found.estimate, found.high)] == pytest.approx(
        [0.05, 0.5, 0.95], abs=1e-8
    )
    assert found.p_value == pytest.approx(2 * min(further_up(0), 1 - further_up(0)), rel=1e-8)


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


def test_inflation_and_expected_size_of_constant_shapes_agree_with_published_tables() -> None:
    # Jennison & Turnbull (2000), tables 2.2, 2.4 and 2.7: five looks, 5 % two-sided, power .9.
    assert inflation(constant_shape(5, 0.05, 0.5), 0.05, 0.9, "two") == pytest.approx(1.207, abs=1e-3)
    of = constant_shape(5, 0.05, 0.0)
    assert inflation(of, 0.05, 0.9, "two") == pytest.approx(1.026, abs=1e-3)
    assert 0.5 < expected_fraction(of, drift_for(of, 0.9)) < 0.8
