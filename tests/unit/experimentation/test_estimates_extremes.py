"""Estimates where figures get extreme: far tails, weak controls, few units; and sample ratios of small arms."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm
from scipy.stats import t as student
from statsmodels.regression.linear_model import OLS

from pipelines.experimentation.analysis import sample_ratio
from pipelines.experimentation.analysis.estimates import Effect, compare_adjusted_means, compare_means
from pipelines.experimentation.analysis.moments import Moments


def effect(difference: float, degrees: float, control: float = 1.0, error: float = 1.0) -> Effect:
    values = (control, control + difference, difference, error, degrees, error**2 / 2)
    return Effect(*(np.asarray(value) for value in values))


def test_an_effect_of_forty_standard_errors_has_a_finite_z() -> None:
    """A win from .10 to .25 with 20,000 users an arm: its p-value is no float, but its z is as good as any."""
    arms = [Moments(np.array(2e4), np.array([r]), np.array([[2e4 * r * (1 - r)]])) for r in (0.10, 0.25)]
    found = compare_means(*arms)
    assert 39 < found.z < found.difference / found.standard_error < 41
    assert compare_means(*arms[::-1]).z == -found.z


@given(degrees=st.floats(3, 9e4), statistic=st.floats(1e-3, 35))
def test_z_keeps_the_p_value_of_students_t(degrees: float, statistic: float) -> None:
    wanted = student.logsf(statistic, degrees)
    assert norm.logsf(effect(statistic, degrees).z) == pytest.approx(wanted, rel=1e-6)


@given(degrees=st.floats(200, 9e4), statistic=st.floats(1, 1e4), further=st.floats(1.001, 2))
def test_z_is_finite_and_grows_with_the_statistic_without_end(degrees: float, statistic: float, further: float) -> None:
    near, far = effect(statistic, degrees).z, effect(statistic * further, degrees).z
    assert np.isfinite(far)
    assert near < far <= statistic * further


def test_z_has_no_step_where_the_tail_leaves_floating_point() -> None:
    statistics = np.linspace(36.0, 37.5, 400)
    z = np.array([float(effect(s, 9e4).z) for s in statistics])
    assert np.abs(np.diff(z, 2)).max() < 1e-3 * np.diff(z).min()


@given(difference=st.floats(-3, 3), control=st.floats(0.2, 5), error=st.floats(0.01, 1.0), degrees=st.floats(2, 1e4))
def test_fiellers_limits_solve_their_equation_or_are_nan(
    difference: float, control: float, error: float, degrees: float
) -> None:
    found = effect(difference, degrees, control, error)
    quantile = float(student.ppf(0.95, degrees))
    limits = found.relative_interval(0.9)
    if quantile**2 * found.control_variance >= control**2:
        assert np.isnan(limits).all()
        return
    for limit in limits:
        ratio = float(limit) + 1
        spread = float(found.control_variance) * (1 + ratio**2)  # equal variances, half the difference's each
        distance = abs(float(found.treatment) - ratio * control)
        assert distance == pytest.approx(quantile * np.sqrt(spread), rel=1e-6, abs=1e-9)
    assert limits[0] <= float(found.treatment / found.control) - 1 <= limits[1]


@pytest.mark.parametrize("covariates", [1, 3])
def test_adjusted_means_of_equal_arms_are_an_analysis_of_covariance(covariates: int) -> None:
    generator, units = np.random.default_rng(42), 16
    before, treated = generator.standard_normal((units, covariates)), np.arange(units) % 2
    after = before @ np.arange(1, covariates + 1) + 0.3 * treated + generator.standard_normal(units)
    least_squares: Any = OLS(after, np.column_stack([np.ones(units), treated, before]))
    fitted = least_squares.fit()
    found = compare_adjusted_means(*(Moments.of(after[treated == a], *before[treated == a].T) for a in (0, 1)))
    assert found.difference == pytest.approx(fitted.params[1], rel=1e-9)
    assert found.standard_error == pytest.approx(fitted.bse[1], rel=1e-9)


def test_more_covariates_than_units_can_carry_give_no_estimate() -> None:
    arms = [Moments.of(*np.random.default_rng(i).standard_normal((5, 3))) for i in (1, 2)]
    assert np.isnan(compare_adjusted_means(*arms).z)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
@pytest.mark.parametrize("units", [20, 200, 3_000])
def test_a_healthy_split_is_a_mismatch_no_oftener_than_the_level_however_few_the_units(
    share: float, units: int
) -> None:
    """Computed over every possible count; Pearson's test alone would alarm in .017 of ramps of one in a hundred."""
    chances = {k: float(binom.pmf(k, units, share)) for k in range(units + 1)}
    alarms = sum(
        chance
        for k, chance in chances.items()
        if chance > 1e-9 and sample_ratio.check({"a": units - k, "b": k}, {"a": 1 - share, "b": share}).mismatch
    )
    assert alarms <= sample_ratio.LEVEL


def test_small_arms_of_three_keep_the_level_too_and_a_missing_arm_is_found() -> None:
    weights = {"a": 0.9, "b": 0.05, "c": 0.05}
    drawn = np.random.default_rng(41).multinomial(60, list(weights.values()), 2_000)
    alarms = sum(sample_ratio.check(dict(zip("abc", row.tolist(), strict=True)), weights).mismatch for row in drawn)
    assert alarms <= 2_000 * sample_ratio.LEVEL + 3 * np.sqrt(2_000 * sample_ratio.LEVEL)
    assert sample_ratio.check({"a": 300, "b": 17}, weights).mismatch


def test_planned_looks_share_the_level_of_the_sample_ratio_check() -> None:
    counts, weights = {"a": 50_000, "b": 48_950}, {"a": 0.5, "b": 0.5}
    once, ten_times = (sample_ratio.check(counts, weights, looks) for looks in (1, 10))
    assert sample_ratio.LEVEL / 10 < once.p_value == ten_times.p_value < sample_ratio.LEVEL
    assert once.mismatch
    assert not ten_times.mismatch


def test_the_exact_and_pearsons_test_agree_where_one_hands_over_to_the_other() -> None:
    weights = {"a": 0.8, "b": 0.2}
    for off in (0, 30, 60):
        exact, pearson = (
            sample_ratio.check({"a": n - k, "b": k}, weights).p_value
            for n, k in ((2_499, 500 + off), (2_500, 500 + off))
        )
        assert exact == pytest.approx(pearson, rel=0.15)
