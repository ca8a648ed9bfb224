"""The split of a canary, looked at as often as one likes."""

import numpy as np
import pytest

from pipelines.experimentation.analysis.sample_ratio import check, watch

SPLIT = {"v1": 0.9, "v2": 0.1}


def alarms(share: float, runs: int, level: float, *, watched: bool, units: int = 4_000, every: int = 40) -> float:
    """Share of streams in which any of a hundred looks says mismatch."""
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(runs):
        treated = np.cumsum(rng.random(units) < share)
        for seen in range(every, units + 1, every):
            counts = {"v1": seen - int(treated[seen - 1]), "v2": int(treated[seen - 1])}
            told = watch(counts, SPLIT, level) if watched else check(counts, SPLIT, level=level)
            if told.mismatch:
                found += 1
                break
    return found / runs


def test_a_right_split_looked_at_a_hundred_times_seldom_alarms() -> None:
    level, runs = 0.05, 150
    assert alarms(0.1, runs, level, watched=True) <= level + 3 * np.sqrt(level * (1 - level) / runs)


def test_the_test_for_one_look_would_alarm_far_too_often() -> None:
    level, runs = 0.05, 150
    assert alarms(0.1, runs, level, watched=False) > level + 3 * np.sqrt(level * (1 - level) / runs)


def test_half_of_the_treatments_units_lost_is_noticed() -> None:
    assert alarms(0.05 / 0.95, 20, 0.001, watched=True) == 1.0


@pytest.mark.parametrize("counts", [{"v1": 900, "v2": 100}, {"v1": 9, "v2": 1}, {"v1": 10**6, "v2": 10**5}])
def test_the_p_value_is_a_number_from_0_to_1(counts: dict[str, int]) -> None:
    assert 0 <= watch(counts, SPLIT).p_value <= 1
