import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.backends.cloudwatch.evaluation import state
from infra.local.backends.cloudwatch.expressions import ExpressionError, check, evaluate
from infra.local.backends.cloudwatch.statistics import Samples, statistic

values = st.lists(st.integers(0, 1000).map(float), min_size=1, max_size=60)


def samples(numbers: list[float]) -> list[Samples]:
    """The numbers as two puts, equal ones counted."""
    half = len(numbers) // 2
    puts: list[dict[float, float]] = []
    for part in (numbers[:half], numbers[half:]):
        counted: dict[float, float] = {}
        for number in part:
            counted[number] = counted.get(number, 0) + 1
        if counted:
            puts.append(counted)
    return [Samples.of(put) for put in puts]


@given(values)
def test_statistics_of_counted_values_are_those_of_the_values(numbers: list[float]) -> None:
    found = {
        name: statistic(name, samples(numbers)) for name in ("Sum", "Minimum", "Maximum", "SampleCount", "Average")
    }
    assert found == {
        "Sum": sum(numbers),
        "Minimum": min(numbers),
        "Maximum": max(numbers),
        "SampleCount": len(numbers),
        "Average": pytest.approx(statistics.fmean(numbers)),
    }


@given(values, st.sampled_from([0, 1, 25, 50, 90, 99, 100]))
def test_percentiles_interpolate_between_closest_ranks(numbers: list[float], percent: int) -> None:
    ordered = sorted(numbers)
    rank = percent / 100 * (len(ordered) - 1)
    low, high = ordered[int(rank)], ordered[min(int(rank) + 1, len(ordered) - 1)]
    assert statistic(f"p{percent}", samples(numbers)) == pytest.approx(low + (high - low) * (rank % 1))


def test_nothing_has_no_statistic_and_a_summary_no_percentile() -> None:
    summary = Samples(count=2, total=6, least=1, most=5)
    assert statistic("Sum", []) is None
    assert (statistic("Average", [summary]), statistic("p99", [summary])) == (3.0, None)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("errors / requests", 0.25),
        ("100 * errors / (requests + 4)", 12.5),
        ("IF(requests > 10, errors, 0)", 0.0),
        ("FILL(missing, 7)", 7.0),
        ("missing + 1", None),
        ("errors / (requests - 4)", None),
        ("SUM([errors, requests, missing])", 5.0),
        ("MAX(errors, requests)", 4.0),
        ("-ABS(-errors)", -1.0),
    ],
)
def test_metric_math(expression: str, expected: float | None) -> None:
    assert evaluate(expression, {"errors": 1.0, "requests": 4.0, "missing": None}) == expected


@pytest.mark.parametrize("expression", ["unknown + 1", "RATE(m)", "m.attribute", "m[0]", "__import__('os')", "m +"])
def test_math_that_is_not_written_is_refused(expression: str) -> None:
    with pytest.raises(ExpressionError):
        check(expression, frozenset({"m"}))


@pytest.mark.parametrize(
    ("points", "to_alarm", "missing", "expected"),
    [
        ([9.0], 1, "missing", "ALARM"),
        ([1.0], 1, "missing", "OK"),
        ([None], 1, "missing", "INSUFFICIENT_DATA"),
        ([None], 1, "ignore", None),
        ([None], 1, "breaching", "ALARM"),
        ([None], 1, "notBreaching", "OK"),
        ([9.0, None, 9.0], 2, "missing", "ALARM"),
        ([9.0, 1.0, 1.0], 2, "missing", "OK"),
        ([9.0, None, None], 2, "breaching", "ALARM"),
        ([5.0], 1, "missing", "OK"),
    ],
)
def test_alarm_states(points: list[float | None], to_alarm: int, missing: str, expected: str | None) -> None:
    assert state(points, "GreaterThanThreshold", 5.0, to_alarm, missing) == expected
