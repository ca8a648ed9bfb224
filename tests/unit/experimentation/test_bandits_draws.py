"""Drawing and breaking ties: fair, and never what cannot be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipelines.experimentation.bandits.policy import (
    argmax,
    argmax_many,
    argmax_probabilities,
    draw,
    draw_many,
    draw_rows,
)

WEIGHTS = st.lists(st.sampled_from([0.0, 0.0, 5e-324, 1e-17, 0.1, 1 / 3, 1.0]), min_size=2, max_size=8).filter(any)


class _Uniform(np.random.Generator):
    """A generator whose uniform numbers are all the one given: the ends of their range are too rare to wait for."""

    def __init__(self, value: float) -> None:
        super().__init__(np.random.PCG64(0))
        self._value = value

    def random(self, size: int | tuple[int, ...] | None = None) -> np.ndarray:  # type: ignore[override] - numpy declares an overload for each kind of size
        return np.full(() if size is None else size, self._value)


@settings(max_examples=200)
@given(weights=WEIGHTS, value=st.sampled_from([0.0, 2**-53, 0.5, 1 - 2**-52, 1 - 2**-53]))
def test_a_position_of_probability_zero_is_never_drawn_not_even_at_the_ends(weights: list[float], value: float) -> None:
    probabilities = np.array(weights) / sum(weights)
    generator = _Uniform(value)
    assert probabilities[draw(probabilities, generator)] > 0
    assert (probabilities[draw_many(probabilities.cumsum(), 3, generator)] > 0).all()
    assert (probabilities[draw_rows(np.tile(probabilities, (3, 1)), generator)] > 0).all()


@pytest.mark.parametrize("probabilities", [[0.2, 0.0, 0.5, 0.3], [0.01, 0.99], [1 / 3] * 3])
def test_draws_are_as_frequent_as_their_probabilities(probabilities: list[float]) -> None:
    generator = np.random.default_rng(1)
    expected = np.array(probabilities)
    possible = expected > 0
    for draws in (
        draw_many(expected.cumsum(), 20_000, generator),
        draw_rows(np.tile(expected, (20_000, 1)), generator),
        [draw(expected, generator) for _ in range(20_000)],
    ):
        counts = np.bincount(draws, minlength=len(expected))
        assert counts[~possible].sum() == 0
        assert stats.chisquare(counts[possible], 20_000 * expected[possible]).pvalue > 1e-3


def test_each_row_is_drawn_from_its_own_probabilities() -> None:
    rows = np.eye(5)[[3, 1, 4, 0, 2]]
    assert draw_rows(rows, np.random.default_rng(1)).tolist() == [3, 1, 4, 0, 2]


@given(st.lists(st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), min_size=3, max_size=3), min_size=1, max_size=20))
def test_the_largest_of_each_row_is_found_whether_or_not_rows_are_tied(rows: list[list[float]]) -> None:
    indices, generator = np.array(rows), np.random.default_rng(1)
    chosen = argmax_many(indices, generator)
    probabilities = argmax_probabilities(indices)
    assert probabilities.sum(axis=1) == pytest.approx(1.0)
    for row, position, shares in zip(rows, chosen.tolist(), probabilities.tolist(), strict=True):
        assert row[position] == max(row)
        assert row[argmax(row, generator)] == max(row)
        assert shares == pytest.approx([(value == max(row)) / row.count(max(row)) for value in row])


def test_ties_fall_to_each_of_the_largest_alike() -> None:
    generator = np.random.default_rng(2)
    row = [1.0, 3.0, 3.0, 2.0, 3.0]
    for chosen in (argmax_many(np.tile(row, (9000, 1)), generator), [argmax(row, generator) for _ in range(9000)]):
        counts = np.bincount(chosen, minlength=5)
        assert counts[[0, 3]].sum() == 0
        assert stats.chisquare(counts[[1, 2, 4]]).pvalue > 1e-3
