from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import NormalIndPower

from pipelines.experimentation.analysis import sample_ratio
from pipelines.experimentation.analysis.always_valid import MixtureTest
from pipelines.experimentation.analysis.e_process import RareEventTest, Stage
from pipelines.experimentation.analysis.estimates import (
    Effect,
    compare,
    compare_adjusted_means,
    compare_adjusted_ratios,
    compare_means,
    compare_ratios,
    quantile,
)
from pipelines.experimentation.analysis.moments import Moments
from pipelines.experimentation.analysis.multiplicity import correct
from pipelines.experimentation.analysis.planning import (
    detectable_effect,
    fixed_drift,
    fixed_power,
    plan,
    proportion_variance,
    ratio_variance,
    units_needed,
)
from pipelines.experimentation.analysis.segments import heterogeneity
from pipelines.experimentation.analysis.sequential import OBrienFleming, boundaries
from pipelines.experimentation.errors import ExperimentError

RNG = np.random.default_rng(1)
OUTCOMES = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30)


@given(first=OUTCOMES, second=OUTCOMES)
def test_merged_moments_are_those_of_all_units_together(first: list[float], second: list[float]) -> None:
    merged = Moments.of(first, np.square(first)).merge(Moments.of(second, np.square(second)))
    together = Moments.of(first + second, np.square(first + second))
    scale = 1 + np.abs(together.scatter).max()
    assert merged.count == together.count
    assert np.allclose(merged.mean, together.mean, rtol=1e-9, atol=1e-9 * scale)
    assert np.allclose(merged.scatter, together.scatter, rtol=1e-9, atol=1e-9 * scale)


def test_means_agree_with_welchs_test() -> None:
    control, treatment = RNG.normal(0, 1, 40), RNG.normal(0.5, 3, 25)
    found = compare_means(Moments.of(control), Moments.of(treatment))
    welch = stats.ttest_ind(treatment, control, equal_var=False)
    assert 2 * stats.norm.sf(abs(found.z)) == pytest.approx(welch.pvalue, rel=1e-9)
    assert found.interval() == pytest.approx(tuple(welch.confidence_interval()), rel=1e-9)


@pytest.mark.parametrize("clusters", [False, True])
def test_ratio_standard_error_is_that_of_the_bootstrap(clusters: bool) -> None:
    views = RNG.integers(1, 9 if clusters else 30, 4_000)
    clicks = RNG.binomial(views, RNG.beta(2, 8, 4_000))
    pairs = np.stack([clicks, views])
    samples = pairs[:, RNG.integers(0, 4_000, (2_000, 4_000))].sum(axis=2)
    found = compare_ratios(Moments.of(clicks, views), Moments.of(clicks, views))
    assert found.standard_error / np.sqrt(2) == pytest.approx(np.std(samples[0] / samples[1]), rel=0.06)


def test_covariate_takes_its_share_of_the_variance_away_without_bias() -> None:
    replicates, units, rho = 2_000, 400, 0.8
    before = RNG.standard_normal((2, replicates, units))
    after = rho * before + np.sqrt(1 - rho**2) * RNG.standard_normal((2, replicates, units))
    after[1] += 0.1
    plain = compare_means(*(Moments.of(after[arm]) for arm in (0, 1)))
    adjusted = compare_adjusted_means(*(Moments.of(after[arm], before[arm]) for arm in (0, 1)))
    assert (adjusted.standard_error**2 / plain.standard_error**2).mean() == pytest.approx(1 - rho**2, rel=0.02)
    assert adjusted.difference.mean() == pytest.approx(0.1, abs=3 * adjusted.difference.std() / np.sqrt(replicates))
    assert adjusted.difference.std() == pytest.approx(adjusted.standard_error.mean(), rel=0.05)


def test_constant_or_useless_covariate_changes_nothing() -> None:
    control, treatment = RNG.standard_normal(50), RNG.standard_normal(60)
    plain = compare_means(Moments.of(control), Moments.of(treatment))
    same = compare_adjusted_means(Moments.of(control, np.ones(50)), Moments.of(treatment, np.ones(60)))
    assert same.difference == pytest.approx(plain.difference)
    assert same.standard_error == pytest.approx(plain.standard_error)


def test_adjusted_ratio_has_the_error_it_says_and_less_than_the_plain_one() -> None:
    replicates, units = 1_500, 300
    taste = RNG.beta(2, 8, (2, replicates, units))
    views, earlier = RNG.integers(1, 20, (2, 2, replicates, units))
    clicks, earlier_clicks = RNG.binomial(views, taste), RNG.binomial(earlier, taste)
    arms = [Moments.of(clicks[a], views[a], earlier_clicks[a], earlier[a]) for a in (0, 1)]
    adjusted = compare_adjusted_ratios(*arms)
    plain = compare_ratios(*(Moments.of(clicks[a], views[a]) for a in (0, 1)))
    assert adjusted.difference.std() == pytest.approx(adjusted.standard_error.mean(), rel=0.06)
    assert adjusted.standard_error.mean() < 0.95 * plain.standard_error.mean()


@pytest.mark.parametrize("clustered", [False, True])
def test_quantile_standard_error_is_that_of_repeated_samples(clustered: bool) -> None:
    units, per_unit, probability = 1_500, 5, 0.9
    estimates, errors = list[float](), list[float]()
    for _ in range(300):
        shared = RNG.standard_normal((units, 1)) if clustered else 0.0
        values = np.exp(shared + RNG.standard_normal((units, per_unit))).ravel()
        owner = np.repeat(np.arange(units), per_unit) if clustered else None
        level = quantile(values, probability, owner)
        estimates.append(float(level.value))
        errors.append(float(np.sqrt(level.variance)))
    assert np.mean(errors) == pytest.approx(np.std(estimates), rel=0.13)


def test_relative_interval_covers() -> None:
    replicates, units = 4_000, 300
    control = Moments.of(5 + RNG.standard_normal((replicates, units)))
    treatment = Moments.of(5.5 + RNG.standard_normal((replicates, units)))
    low, high = compare_means(control, treatment).relative_interval(0.9)
    covered = ((low <= 0.1) & (high >= 0.1)).mean()
    assert abs(covered - 0.9) < 3 * np.sqrt(0.09 / replicates)


def test_no_variance_or_no_units_gives_nan_and_never_a_significance() -> None:
    constant = Moments.of(np.ones(10))
    for effect in (compare_means(constant, constant), compare_means(Moments.of([1.0]), Moments.of([2.0]))):
        assert np.isnan(effect.z)
        assert np.isnan(MixtureTest(1.0).log_e_value(effect.difference, effect.information))
    empty = Moments.of(np.empty(0), np.empty(0))
    assert np.isnan(compare_ratios(empty, empty).z)


def test_an_arm_without_an_event_is_not_taken_for_certain() -> None:
    control = Moments.of(np.repeat([1.0, 0.0], [20, 1_980]))
    found = compare_means(control, Moments.of(np.zeros(100)))
    assert found.z < -4  # what the arms' own variances say
    assert found.difference / found.cautious_error == pytest.approx(-1.0, abs=0.05)  # one event was expected
    assert found.cautious_information < found.information / 10
    assert MixtureTest(0.01).p_value(found) == 1.0


@given(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=20), st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=20))
def test_caution_never_adds_information_and_costs_arms_of_equal_size_none(
    first: list[float], second: list[float]
) -> None:
    found = compare_means(Moments.of(first), Moments.of(second))
    assert np.isnan(found.standard_error) or found.cautious_error >= found.standard_error
    size = min(len(first), len(second))
    equal = compare_means(Moments.of(first[:size]), Moments.of(second[:size]))
    ratio = float(equal.cautious_error / equal.standard_error)
    assert np.isnan(ratio) or ratio == pytest.approx(1.0, rel=1e-9)


def test_nan_outcomes_and_thin_quantiles_are_errors() -> None:
    with pytest.raises(ExperimentError, match="2 outcome values are NaN"):
        Moments.of([1.0, float("nan"), float("inf")])
    with pytest.raises(ExperimentError, match="fewer than 10 values beyond"):
        quantile(np.arange(100.0), 0.99)


def test_sample_ratio_check_finds_a_lost_percent_and_accepts_a_fair_split() -> None:
    half = {"control": 0.5, "treatment": 0.5}
    assert sample_ratio.check({"control": 50_000, "treatment": 48_800}, half).mismatch
    assert not sample_ratio.check({"control": 50_000, "treatment": 49_700}, half).mismatch
    assert sample_ratio.check({"control": 100}, half).mismatch  # nobody at all in treatment


def test_sample_ratio_errors_name_what_is_wrong() -> None:
    with pytest.raises(ExperimentError, match=r"exposed to \['c'\]"):
        sample_ratio.check({"c": 1}, {"a": 0.5, "b": 0.5})
    with pytest.raises(ExperimentError, match="add up to 1"):
        sample_ratio.check({"a": 1}, {"a": 0.5, "b": 0.6})
    with pytest.raises(ExperimentError, match="no unit"):
        sample_ratio.check({}, {"a": 0.5, "b": 0.5})


def test_sample_ratio_e_process_keeps_its_level_when_read_at_every_batch() -> None:
    weights, replicates = {"a": 0.7, "b": 0.3}, 600
    alarms = 0
    for _ in range(replicates):
        a = np.cumsum(RNG.binomial(50, 0.7, 60))
        total = 50 * np.arange(1, 61)
        alarms += any(
            sample_ratio.log_e_value({"a": int(x), "b": int(t - x)}, weights, 50.0) >= np.log(20)
            for x, t in zip(a, total, strict=True)
        )
    assert alarms / replicates <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / replicates)
    assert sample_ratio.log_e_value({"a": 6_000, "b": 4_000}, weights) > np.log(1_000)


@pytest.mark.parametrize("sides", ["two", "upper"])
def test_confidence_sequence_is_the_inverse_of_its_test(sides: str) -> None:
    test, information = MixtureTest(0.3, "two" if sides == "two" else "upper"), np.array([1.0, 30.0, 1e4])
    radius = test.radius(information, 0.05)
    assert np.allclose(test.log_e_value(radius, information), np.log(20), atol=1e-9)


@pytest.mark.parametrize("mixing", [0.0, -1.0, float("nan"), float("inf")])
def test_a_mixing_parameter_that_is_not_fixed_and_positive_is_an_error(mixing: float) -> None:
    with pytest.raises(ExperimentError, match="fixed in advance"):
        MixtureTest(mixing)


@given(
    share=st.floats(0.01, 0.99),
    tolerated=st.floats(0.5, 3),
    ratio=st.floats(0.05, 1.0),
    hits=st.integers(0, 8),
    misses=st.integers(0, 8),
)
def test_each_event_multiplies_the_e_value_by_at_most_one_on_average(
    share: float, tolerated: float, ratio: float, hits: int, misses: int
) -> None:
    test, risk = RareEventTest(tolerated), tolerated * ratio
    chance = share * risk / (share * risk + 1 - share)
    now = test.log_e_value([Stage(share, hits, misses)])
    up, down = (test.log_e_value([Stage(share, hits + 1, misses)]), test.log_e_value([Stage(share, hits, misses + 1)]))
    assert chance * np.exp(up - now) + (1 - chance) * np.exp(down - now) <= 1 + 1e-9


def test_rare_event_evidence_may_come_in_stages_of_different_shares() -> None:
    test = RareEventTest()
    split = test.log_e_value([Stage(0.5, 3, 1), Stage(0.5, 4, 2)])
    assert split == pytest.approx(test.log_e_value([Stage(0.5, 7, 3)]))
    assert test.log_e_value([Stage(0.01, 5, 40)]) > test.log_e_value([Stage(0.5, 5, 40)])
    with pytest.raises(ExperimentError, match="strictly between 0 and 1"):
        test.log_e_value([Stage(0.0, 1, 1)])


def test_holm_keeps_the_family_and_a_missing_p_value_is_an_error() -> None:
    found = correct({"a": 0.01, "b": 0.04, "c": 0.03}, 0.05)
    assert [found[k].significant for k in "abc"] == [True, False, False]
    assert found["a"].adjusted == pytest.approx(0.03)
    with pytest.raises(ExperimentError, match="not p-values"):
        correct({"a": float("nan")}, 0.05)


def effects(shifts: dict[str, float]) -> dict[str, Effect]:
    control = Moments.of(np.random.default_rng(3).standard_normal(2_000))
    return {
        name: compare_means(control, Moments.of(shift + np.random.default_rng(i).standard_normal(2_000)))
        for i, (name, shift) in enumerate(shifts.items(), start=10)
    }


def test_heterogeneity_is_labelled_exploratory_and_found_where_it_is() -> None:
    different = heterogeneity(effects({"new": 0.0, "old": 0.5}))
    assert different.label == "exploratory"
    assert different.p_value < 1e-6
    assert heterogeneity(effects({"new": 0.1, "old": 0.1})).p_value > 0.01
    flat = compare_means(Moments.of(np.ones(5)), Moments.of(np.ones(5)))
    assert heterogeneity({**effects({"a": 0.0, "b": 0.0}), "flat": flat}).skipped == ("flat",)


def test_planned_units_give_the_planned_power() -> None:
    variance = proportion_variance(0.1)
    units = units_needed(0.01, variance, fixed_drift(0.05, 0.8))
    assert fixed_power(0.01, variance, units, 0.05) == pytest.approx(0.8, abs=1e-3)
    assert detectable_effect(units, variance, fixed_drift(0.05, 0.8)) == pytest.approx(0.01, rel=1e-3)
    sequential = plan(boundaries([0.5, 1.0], 0.05, OBrienFleming()), 0.8, 0.01, variance, units_per_day=1_000)
    assert units < sequential.units < 1.02 * units
    assert sequential.days == -(-sequential.units // 1_000)
    assert units_needed(0.01, variance, 2.8, correlation=0.6) == pytest.approx(
        0.64 * units_needed(0.01, variance, 2.8), rel=1e-3
    )


@pytest.mark.parametrize("power", [0.8, 0.95])
@pytest.mark.parametrize("level", [0.05, 0.01])
@pytest.mark.parametrize("share", [0.5, 0.1])
def test_plans_of_one_look_agree_with_statsmodels(level: float, power: float, share: float) -> None:
    """Its two-sided power counts the far side too, which adds less than one unit here."""
    peer = cast(Any, NormalIndPower())
    expected = peer.solve_power(0.1, alpha=level, power=power, ratio=share / (1 - share))
    units = units_needed(0.1, 1.0, fixed_drift(level, power), share=share)
    assert units == pytest.approx(expected / (1 - share), abs=1.5)
    theirs = peer.power(0.1, units * (1 - share), level, ratio=share / (1 - share))
    assert fixed_power(0.1, 1.0, units, level, share) == pytest.approx(theirs, abs=1e-9)


def test_ratio_variance_agrees_with_the_delta_method_on_data() -> None:
    views = RNG.integers(1, 9, 5_000).astype(float)
    clicks = RNG.binomial(views.astype(int), 0.2).astype(float)
    moments = Moments.of(clicks, views)
    (a, b), (c, d) = moments.covariance.tolist()
    found = ratio_variance((float(moments.mean[0]), float(moments.mean[1])), ((a, b), (c, d)))
    # An estimate divides by the degrees of freedom that its residuals leave, a plan knows of no sample.
    left = (4_999 - d / float(moments.mean[1]) ** 2) / 4_999
    assert found == pytest.approx(left * 5_000 * float(compare_ratios(moments, moments).standard_error) ** 2 / 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: units_needed(0.0, 1.0, 2.8), "other than zero"),
        (lambda: units_needed(0.1, 0.0, 2.8), "constant metric"),
        (lambda: proportion_variance(1.0), "strictly between"),
    ],
)
def test_a_plan_that_cannot_be_is_an_error(call: object, message: str) -> None:
    with pytest.raises(ExperimentError, match=message):
        call()  # pyright: ignore[reportCallIssue]: a parametrised callable


def test_quantiles_of_two_arms_compare() -> None:
    arms = [quantile(np.random.default_rng(i).exponential(1.0, 3_000), 0.95) for i in (1, 2)]
    assert abs(compare(*arms).z) < 4
