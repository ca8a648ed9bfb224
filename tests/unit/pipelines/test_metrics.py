import numpy as np
import pytest

from pipelines import metrics


def test_a_perfect_ranking_and_a_reversed_one() -> None:
    truth = np.array([0.0, 0.0, 1.0, 1.0])
    scores = np.array([0.1, 0.2, 0.8, 0.9])
    assert metrics.quality(truth, scores).roc_auc == 1.0
    assert metrics.quality(truth, 1 - scores).roc_auc == 0.0
    assert metrics.quality(truth, scores).average_precision == 1.0


def test_brier_is_the_mean_squared_difference() -> None:
    found = metrics.quality(np.array([1.0, 0.0]), np.array([0.7, 0.4]))
    assert found.brier == pytest.approx((0.3**2 + 0.4**2) / 2)


def test_scores_that_are_the_observed_shares_are_calibrated() -> None:
    truth = np.array([1.0, 0.0, 0.0, 0.0] * 25 + [1.0, 1.0, 1.0, 0.0] * 25)
    scores = np.repeat([0.25, 0.75], 100)
    assert metrics.quality(truth, scores, bins=2).calibration_error == pytest.approx(0.0)
    assert metrics.quality(truth, scores + 0.1, bins=2).calibration_error == pytest.approx(0.1)


def test_bins_hold_every_row_once_and_rise() -> None:
    random = np.random.default_rng(1)
    scores, truth = random.random(103), (random.random(103) < 0.5).astype(float)
    bins = metrics.calibration(truth, scores)
    assert sum(each.rows for each in bins) == 103
    assert {each.rows for each in bins} <= {10, 11}
    assert [each.score for each in bins] == sorted(each.score for each in bins)


def test_calibration_error_weighs_bins_by_their_rows() -> None:
    bins = [metrics.Bin(rows=30, score=0.2, observed=0.3), metrics.Bin(rows=10, score=0.9, observed=0.4)]
    assert metrics.calibration_error(bins) == pytest.approx((30 * 0.1 + 10 * 0.5) / 40)
