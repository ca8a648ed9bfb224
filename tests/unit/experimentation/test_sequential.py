import numpy as np
import pytest
from scipy.stats import norm

from pipelines.experimentation.analysis.sequential import (
    KimDeMets,
    OBrienFleming,
    Pocock,
    Spending,
    after_stopping,
    boundaries,
    drift_for,
    from_spent,
    inflation,
    power,
    with_futility,
)
from pipelines.experimentation.analysis.sequential.boundaries import Sides
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


@pytest.mark.parametrize(
    ("spending", "sides", "level", "fractions", "expected"),
    [
        # Figures that the R package rpact is tested by: test-f_design_group_sequential.R, …_beta_spending.R, 2022.
        (KimDeMets(rho=2.2), "upper", 0.03, [0.3, 0.7, 1.0], [2.8594012, 2.2435708, 1.9735737]),
        (KimDeMets(rho=1), "upper", 0.03, [0.2, 0.4, 1.0], [2.5121443, 2.4228747, 2.0280392]),
        (KimDeMets(rho=2.5), "two", 0.05, [0.3, 0.4, 0.8, 1.0], [3.0276355, 2.8984727, 2.2289649, 2.0639032]),
        (Pocock(), "upper", 0.13, [0.35, 0.7, 1.0], [1.5446617, 1.4828682, 1.4620058]),
        (Pocock(), "upper", 0.025, [0.4, 0.7], [2.223875, 2.3050796]),
        (OBrienFleming(), "upper", 0.13, [0.4, 0.75, 1.0], [2.1280732, 1.4368565, 1.2468994]),
    ],
    ids=str,
)
def test_boundaries_at_uneven_looks_agree_with_published_figures(
    spending: Spending, sides: Sides, level: float, fractions: list[float], expected: list[float]
) -> None:
    assert np.abs(boundaries(fractions, level, spending, sides).upper - expected).max() <= 2e-6


def test_boundaries_hardly_ever_crossed_agree_with_published_figures() -> None:
    # rpact, as above. Its second leaves 5.8681e-7 above it, .9997 of the error to be spent there: hence not closer.
    upper = boundaries([0.15, 0.25, 0.8, 1.0], 0.025, OBrienFleming()).upper
    assert np.abs(upper - [6.3431527, 4.8600403, 2.560259, 2.292451]).max() <= 1e-4


def test_any_schedule_of_spent_error_agrees_with_published_figures() -> None:
    schedule = np.array([0.01, 0.02, 0.03, 0.05])  # rpact, as above, "asUser"
    design = from_spent(np.arange(1, 5) / 4, lambda _fractions, _level: schedule, 0.05, "upper")
    assert np.abs(design.upper - [2.3263479, 2.2192994, 2.1201347, 1.8189562]).max() <= 2e-6


def test_inflation_of_a_spending_design_agrees_with_published_figures() -> None:
    # rpact, as above: spending in proportion to information, 3 % upper, power .86.
    design = boundaries([0.2, 0.4, 1.0], 0.03, KimDeMets(rho=1), "upper")
    assert drift_for(design, 0.86) ** 2 == pytest.approx(9.4594101, abs=1e-5)
    assert inflation(design, 0.03, 0.86, "upper") == pytest.approx(1.0788327, abs=1e-6)


@pytest.mark.parametrize(
    ("level", "fractions", "spending", "futility", "wanted", "lower", "information"),
    [  # rpact, as above, with futility boundaries that do not bind; information is the drift's square
        (0.03, [0.3, 0.7, 1.0], KimDeMets(rho=2.2), KimDeMets(rho=3.2), 0.66, [-1.1558435, 0.72836893], 5.551371),
        (0.13, [0.4, 0.75, 1.0], OBrienFleming(), KimDeMets(rho=2.5), 0.59, [-0.83725762, 0.35992547], None),
    ],
)
def test_futility_boundaries_agree_with_published_figures(
    level: float,
    fractions: list[float],
    spending: Spending,
    futility: Spending,
    wanted: float,
    lower: list[float],
    information: float | None,
) -> None:
    design, drift = with_futility(fractions, level, spending, futility, wanted)
    assert np.abs(design.lower[:-1] - lower).max() <= 2e-5
    assert information is None or drift**2 == pytest.approx(information, abs=1e-4)


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


def test_futility_that_spends_too_much_too_early_is_an_error() -> None:
    with pytest.raises(ExperimentError, match="spends so much error so early"):
        with_futility([0.1, 0.2, 0.3, 0.4, 1.0], 0.025, OBrienFleming(), KimDeMets(rho=0.01), 0.5)


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
