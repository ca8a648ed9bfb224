"""Each policy's arithmetic against another way to the same number."""

from fractions import Fraction
from math import comb, exp, log, sqrt, tau

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, special

from pipelines.experimentation.bandits import (
    KLUCB,
    UCB1,
    BetaThompson,
    EpsilonGreedy,
    GaussianThompson,
    LinearRandUCB,
    LinearThompson,
    LinUCB,
    Memory,
)
from pipelines.experimentation.bandits.best_arm import best_gaussian_probabilities
from pipelines.experimentation.bandits.memory import ArmStatistics
from pipelines.experimentation.bandits.policy import Policy
from pipelines.experimentation.bandits.ridge import RidgeModels
from pipelines.experimentation.bandits.upper_bounds import kl, kl_upper_bound


def _teach(policy: Policy, rewards: list[list[float]]) -> None:
    for arm, values in enumerate(rewards):
        for value in values:
            policy.update(arm, value, None)


def test_ucb1_adds_the_papers_bonus_to_the_mean() -> None:
    policy = UCB1(2)
    _teach(policy, [[1, 0, 1], [1]])
    assert policy.indices() == pytest.approx([2 / 3 + sqrt(2 * log(4) / 3), 1 + sqrt(2 * log(4))])


@settings(max_examples=200)
@given(mean=st.floats(1e-6, 1 - 1e-6), divergence=st.floats(1e-6, 20))
def test_the_kl_bound_is_where_the_divergence_is_reached(mean: float, divergence: float) -> None:
    bound = kl_upper_bound(mean, divergence)
    assert mean <= bound <= 1
    if bound < 1 - 1e-9:
        assert kl(mean, bound) == pytest.approx(divergence, rel=1e-6, abs=1e-9)
    else:
        assert kl(mean, 1 - 1e-9) <= divergence * (1 + 1e-6)


def test_the_kl_bound_agrees_with_a_root_finder_and_at_the_edges() -> None:
    root = optimize.brentq(lambda q: kl(0.3, q) - 0.2, 0.3, 1 - 1e-12)
    assert kl_upper_bound(0.3, 0.2) == pytest.approx(root, abs=1e-9)
    assert kl_upper_bound(1.0, 0.5) == 1.0
    assert kl_upper_bound(0.4, 0.0) == 0.4
    assert kl(0.0, kl_upper_bound(0.0, 0.5)) == pytest.approx(0.5)
    assert kl_upper_bound(0.5, 1e-40) == 0.5


def test_kl_ucb_is_tighter_than_ucb1_with_the_same_logarithm() -> None:
    klucb, ucb1 = KLUCB(2), UCB1(2, exploration=0.5)
    for policy in (klucb, ucb1):
        _teach(policy, [[0.0] * 40 + [1.0] * 2, [0.0] * 5 + [1.0] * 5])
    # Pinsker: kl(p, q) >= 2 (p - q)**2, so the bound with ln t / 2 under the root lies above.
    assert all(tight <= loose + 1e-12 for tight, loose in zip(klucb.indices(), ucb1.indices(), strict=True))


def _probability_that_the_second_beta_is_larger(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Closed form for whole parameters: the tail of a beta-binomial, summed exactly."""
    (a1, b1), (a2, b2) = first, second

    def beta(a: int, b: int) -> Fraction:
        return Fraction(1, a * comb(a + b - 1, a))

    total = sum((beta(a1 + i, b1 + b2) / ((b2 + i) * beta(1 + i, b2) * beta(a1, b1)) for i in range(a2)), Fraction(0))
    return float(total)


@pytest.mark.parametrize(
    ("first", "second"), [((1, 1), (1, 1)), ((3, 9), (5, 4)), ((40, 60), (55, 52)), ((2, 300), (1, 80))]
)
def test_beta_thompson_of_two_arms_has_the_closed_form_probability(
    first: tuple[int, int], second: tuple[int, int]
) -> None:
    policy = BetaThompson(2)
    _teach(policy, [[1.0] * (a - 1) + [0.0] * (b - 1) for a, b in (first, second)])
    probabilities, error = policy.probabilities(None)
    # P(second > first) = sum over i < a2 of B(a1 + i, b1 + b2) / ((b2 + i) B(1 + i, b2) B(a1, b1))
    expected = _probability_that_the_second_beta_is_larger(first, second)
    assert probabilities[1] == pytest.approx(expected, abs=max(error, 1e-9))
    assert error < 1e-8


def test_gaussian_thompson_of_two_arms_has_the_closed_form_probability() -> None:
    mean, deviation = np.array([0.3, 0.1]), np.array([0.2, 0.7])
    probabilities, error = best_gaussian_probabilities(mean, deviation)
    assert probabilities[0] == pytest.approx(special.ndtr(0.2 / sqrt(0.2**2 + 0.7**2)), abs=1e-10)
    assert error < 1e-10


@settings(max_examples=40)
@given(
    beliefs=st.lists(st.tuples(st.floats(-5, 5), st.floats(1e-3, 50)), min_size=2, max_size=12),
)
def test_best_arm_probabilities_sum_to_one_before_normalising_at_any_scale(beliefs: list[tuple[float, float]]) -> None:
    mean, deviation = np.array(beliefs).T
    probabilities, error = best_gaussian_probabilities(mean, deviation)
    assert error < 1e-6
    assert (probabilities >= 0).all()


def _best_by_adaptive_quadrature(mean: np.ndarray, deviation: np.ndarray, arm: int) -> float:
    others = np.arange(len(mean)) != arm

    def density(x: float) -> float:
        z = (x - mean) / deviation
        return float(np.exp(-0.5 * z[arm] ** 2) / (deviation[arm] * sqrt(tau)) * special.ndtr(z[others]).prod())

    low, high = mean[arm] - 9 * deviation[arm], mean[arm] + 9 * deviation[arm]
    cuts = np.concatenate([mean, mean - 3 * deviation, mean + 3 * deviation])
    inside = cuts[(cuts > low) & (cuts < high)]
    return float(integrate.quad(density, low, high, points=inside, epsabs=1e-10, limit=300)[0])


def test_best_arm_probabilities_match_adaptive_quadrature_for_beliefs_of_very_different_widths() -> None:
    generator = np.random.default_rng(6)
    for _ in range(15):
        mean, deviation = generator.normal(size=5), 10 ** generator.uniform(-2, 0.5, size=5)
        probabilities, error = best_gaussian_probabilities(mean, deviation)
        expected = [_best_by_adaptive_quadrature(mean, deviation, arm) for arm in range(5)]
        assert probabilities == pytest.approx(expected, abs=1e-9)
        assert error < 1e-9


def test_best_arm_probabilities_of_five_arms_match_simulation() -> None:
    mean, deviation = np.array([0.0, 0.5, 0.4, -1.0, 0.6]), np.array([1.0, 0.3, 0.6, 2.0, 0.05])
    draws = np.random.default_rng(1).normal(mean, deviation, (200_000, 5)).argmax(axis=1)
    frequencies = np.bincount(draws, minlength=5) / 200_000
    probabilities, _ = best_gaussian_probabilities(mean, deviation)
    assert np.abs(frequencies - probabilities).max() < 4.5 * 0.5 / sqrt(200_000)


@pytest.mark.parametrize("arms", [2, 10, 100, 300])
def test_equal_beliefs_share_alike_however_many_arms_there_are(arms: int) -> None:
    for policy in (BetaThompson(arms), GaussianThompson(arms)):
        probabilities, error = policy.probabilities(None)
        assert probabilities == pytest.approx(np.full(arms, 1 / arms), rel=1e-7)
        assert error < 1e-9


def test_a_belief_without_width_is_compared_like_any_other() -> None:
    probabilities, error = best_gaussian_probabilities(np.array([0.0, 0.1, 1.0]), np.array([1.0, 0.5, 0.0]))
    below = special.ndtr(1.0) * special.ndtr(0.9 / 0.5)
    assert probabilities[2] == pytest.approx(below, abs=1e-8)
    assert error < 1e-9
    assert best_gaussian_probabilities(np.array([1.0, 2.0, 2.0]), np.zeros(3))[0] == pytest.approx([0, 0.5, 0.5])


def test_only_differences_of_beliefs_matter_however_far_from_zero() -> None:
    mean, deviation = np.array([0.0, 1e-3]), np.array([1e-4, 1e-3])
    near, far = (best_gaussian_probabilities(mean + offset, deviation) for offset in (0.0, 1e9))
    # A float of 1e9 has steps of 1.2e-7, a ten-thousandth of the larger deviation.
    assert far[0] == pytest.approx(near[0], abs=1e-4)
    assert far[1] < 1e-9


def test_gaussian_thompson_weighs_prior_and_rewards_by_their_precision() -> None:
    policy = GaussianThompson(2, noise=2.0, prior_mean=1.0, prior_deviation=0.5)
    _teach(policy, [[3.0, 5.0], []])
    mean, deviation = policy.posterior()
    precision = 4 + 2 / 4
    assert mean == pytest.approx([(4 * 1.0 + 8 / 4) / precision, 1.0])
    assert deviation == pytest.approx([precision**-0.5, 0.5])


def test_epsilon_decays_as_its_constant_over_time() -> None:
    policy = EpsilonGreedy(2, epsilon=0.5, decay=10)
    _teach(policy, [[1.0] * 20, [0.0] * 20])
    probabilities, error = policy.probabilities(None)
    assert probabilities == pytest.approx([1 - 0.25 / 2, 0.25 / 2])
    assert error == 0.0


@pytest.mark.parametrize("memory", [Memory(), Memory(discount=0.8), Memory(window=7)], ids=str)
def test_what_is_remembered_is_the_weighted_sum_over_the_history(memory: Memory) -> None:
    generator = np.random.default_rng(2)
    history = [(int(generator.integers(3)), float(generator.normal())) for _ in range(60)]
    statistics = ArmStatistics(3, memory)
    for arm, reward in history:
        statistics.add(arm, reward)
    counts, sums = np.zeros(3), np.zeros(3)
    for age, (arm, reward) in enumerate(reversed(history)):
        weight = memory.discount**age if memory.window is None else float(age < memory.window)
        counts[arm] += weight
        sums[arm] += weight * reward
    assert statistics.counts == pytest.approx(counts)
    assert statistics.sums == pytest.approx(sums, abs=1e-12)


def test_an_arm_whose_rewards_have_faded_away_counts_as_untried_instead_of_keeping_a_wrong_mean() -> None:
    policy = EpsilonGreedy(2, epsilon=0.0, memory=Memory(discount=0.9))
    policy.update(1, 0.2, None)
    for _ in range(8000):  # 0.9 times the smallest float rounds to itself
        policy.update(0, 0.5, None)
    assert policy.statistics.counts[1] == policy.statistics.sums[1] == 0.0
    assert policy.probabilities(None)[0].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("memory", [Memory(), Memory(discount=0.9), Memory(window=9)], ids=str)
def test_ridge_models_are_the_weighted_least_squares_solutions(memory: Memory) -> None:
    generator = np.random.default_rng(3)
    history = [(int(generator.integers(2)), float(generator.normal()), generator.normal(size=3)) for _ in range(50)]
    models = RidgeModels(2, 3, 0.7, memory)
    for arm, reward, context in history:
        models.add(arm, reward, context)
    query = generator.normal(size=3)
    mean, deviation = models.predict(query)
    for arm in range(2):
        gram, moment = 0.7 * np.eye(3), np.zeros(3)
        for age, (played, reward, context) in enumerate(reversed(history)):
            weight = memory.discount**age if memory.window is None else float(age < memory.window)
            if played == arm:
                gram += weight * np.outer(context, context)
                moment += weight * reward * context
        assert mean[arm] == pytest.approx(float(query @ np.linalg.solve(gram, moment)))
        assert deviation[arm] == pytest.approx(sqrt(float(query @ np.linalg.solve(gram, query))))


def test_updating_the_inverse_many_times_stays_close_to_inverting() -> None:
    generator = np.random.default_rng(4)
    incremental, exact = RidgeModels(2, 5, 1.0, Memory()), RidgeModels(2, 5, 1.0, Memory(discount=1 - 1e-16))
    contexts, rewards = generator.normal(size=(2000, 5)), generator.normal(size=2000)
    for context, reward in zip(contexts, rewards.tolist(), strict=True):
        incremental.add(0, reward, context)
        exact.add(0, reward, context)
    for found, expected in zip(incremental.predict(contexts[0]), exact.predict(contexts[0]), strict=True):
        assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e5])
def test_features_of_very_different_scales_are_learnt_as_least_squares_has_it(scale: float) -> None:
    generator = np.random.default_rng(5)
    scales = np.array([1.0, scale, scale, 1.0, 1.0])
    contexts = generator.normal(size=(1500, 5)) * scales / 3
    rewards = contexts @ (generator.normal(size=5) / scales) + 0.1 * generator.normal(size=1500)
    models = RidgeModels(2, 5, 1.0, Memory())
    for context, reward in zip(contexts, rewards.tolist(), strict=True):
        models.add(1, reward, context)
    # By QR of the contexts themselves, which keeps the digits that squaring them loses.
    factor, triangle = np.linalg.qr(np.vstack([contexts, np.eye(5)]))
    weights = np.linalg.solve(triangle, factor.T @ np.concatenate([rewards, np.zeros(5)]))
    for query in contexts[:50]:
        mean, deviation = models.predict(query)
        whitened = np.asarray(np.linalg.solve(triangle.T, query), dtype=np.float64)
        assert mean[1] == pytest.approx(float(query @ weights), abs=1e-11)
        assert deviation[1] == pytest.approx(sqrt(whitened @ whitened), rel=1e-11)


def test_linucb_adds_its_bonus_and_linear_thompson_draws_around_the_same_estimate() -> None:
    ucb, thompson = LinUCB(2, features=2, exploration=1.5), LinearThompson(2, features=2, noise=0.3)
    context = np.array([1.0, -0.5])
    for policy in (ucb, thompson):
        policy.update(0, 1.0, np.array([1.0, 0.0]))
        policy.update(1, 0.4, np.array([0.0, 1.0]))
    mean, deviation = ucb.models.predict(context)
    best = int(np.argmax(mean + 1.5 * deviation))
    assert ucb.probabilities(context)[0][best] == 1.0
    difference = (mean[0] - mean[1]) / (0.3 * sqrt(deviation[0] ** 2 + deviation[1] ** 2))
    assert thompson.probabilities(context)[0][0] == pytest.approx(float(special.ndtr(float(difference))), abs=1e-9)


def test_a_context_of_zeros_leaves_linear_thompson_a_plain_tie() -> None:
    probabilities, _ = LinearThompson(3, features=2).probabilities(np.zeros(2))
    assert probabilities == pytest.approx([1 / 3] * 3)


def test_randucb_plays_the_bound_of_each_bonus_as_often_as_that_bonus_is_drawn() -> None:
    policy = LinearRandUCB(3, features=2, noise=1.5, largest=2.0, points=5)
    for arm, reward, context in ((0, 1.0, [1.0, 0.0]), (0, 0.8, [0.9, -0.2]), (1, 0.4, [0.0, 1.0])):
        policy.update(arm, reward, np.array(context))
    context = np.array([1.0, 0.1])
    mean, deviation = policy.models.predict(context)
    bonuses = [0.0, 0.5, 1.0, 1.5, 2.0]
    weights = np.array([exp(-(bonus**2) / 2) for bonus in bonuses])
    expected = np.zeros(3)
    for bonus, weight in zip(bonuses, weights / weights.sum(), strict=True):
        expected[int(np.argmax(mean + bonus * 1.5 * deviation))] += weight
    assert np.count_nonzero(expected) > 1
    probabilities, error = policy.probabilities(context)
    assert probabilities == pytest.approx(expected)
    assert error == 0.0


def test_randucb_knowing_nothing_plays_all_arms_alike() -> None:
    for context in ([0.0, 0.0], [1.0, 2.0]):
        assert LinearRandUCB(3, features=2).probabilities(np.array(context))[0] == pytest.approx([1 / 3] * 3)


def test_randucb_becomes_greedy_as_its_noise_vanishes() -> None:
    policy = LinearRandUCB(2, features=1, noise=1e-9)
    policy.update(1, 1.0, np.array([1.0]))
    assert policy.probabilities(np.array([1.0]))[0].tolist() == [0.0, 1.0]
