from collections.abc import Callable, Iterable
from math import nan

import numpy as np
import pytest
from scipy import stats

from pipelines.experimentation.interleaving import (
    Balanced,
    CascadeClicks,
    CompetitivePairs,
    Credit,
    Flag,
    Impression,
    Interleaver,
    InterleavingError,
    InterleavingLog,
    Outcome,
    PositionClicks,
    PreferenceTest,
    Probabilistic,
    Side,
    TeamDraft,
    prefer,
)

METHODS: list[Interleaver] = [
    TeamDraft(),
    CompetitivePairs(),
    CompetitivePairs(by_rank=True),
    Balanced(),
    Probabilistic(),
]
ITEMS = [f"d{i}" for i in range(8)]
GRADES = {item: int(i < 3) for i, item in enumerate(ITEMS)}
Clicks = Callable[[tuple[str, ...], np.random.Generator], Iterable[int]]


def _always_the_alphabetically_last(items: tuple[str, ...], _: np.random.Generator) -> Iterable[int]:
    return [items.index(max(items))]


CLICK_MODELS: dict[str, Clicks] = {
    "perfect": CascadeClicks(*CascadeClicks.PERFECT, GRADES).clicks,
    "navigational": CascadeClicks(*CascadeClicks.NAVIGATIONAL, GRADES).clicks,
    "informational": CascadeClicks(*CascadeClicks.INFORMATIONAL, GRADES).clicks,
    "random": CascadeClicks(*CascadeClicks.RANDOM, GRADES).clicks,
    "position": PositionClicks([1, 0.5, 0.3, 0.2, 0.1], dict.fromkeys(ITEMS, 0.6)).clicks,
    "one item only": _always_the_alphabetically_last,
}


def _noisy(size: float, generator: np.random.Generator) -> list[str]:
    order: list[int] = np.argsort(np.arange(8) + generator.normal(0, size, 8)).tolist()
    return [ITEMS[i] for i in order][:5]


def _simulate(
    method: Interleaver, clicks: Clicks, users: int, seed: int, noise: tuple[float, float] = (2.0, 2.0)
) -> list[Outcome]:
    """Both rankers see the true order through noise of the given size, drawn anew for every user."""
    generator = np.random.default_rng(seed)
    outcomes: list[Outcome] = []
    for user in range(users):
        a, b = (_noisy(size, generator) for size in noise)
        shown = method.draw(a, b, generator)
        credit = method.credit(shown, clicks(shown.items, generator))
        outcomes.append(Outcome(str(user), str(user), str(user % 50), shown.first, credit))
    return outcomes


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize("model", CLICK_MODELS)
def test_equal_rankers_win_half_the_time_under_every_click_model(method: Interleaver, model: str) -> None:
    outcomes = _simulate(method, CLICK_MODELS[model], 2500, seed=11)
    preference = prefer(outcomes)
    assert preference.valid
    standard_error = 0.5 * (preference.wins_a + preference.wins_b) ** 0.5 / preference.users
    assert abs(preference.share_a - 0.5) <= 3 * standard_error


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_the_better_ranker_is_preferred(method: Interleaver) -> None:
    outcomes = _simulate(method, CLICK_MODELS["informational"], 1500, seed=3, noise=(0.5, 4.0))
    for test in PreferenceTest:
        preference = prefer(outcomes, test)
        assert preference.p_value < 1e-6
        assert preference.mean_difference > 0
        assert preference.share_a > 0.5


@pytest.mark.parametrize("test", PreferenceTest)
def test_false_alarms_are_at_the_nominal_level(test: PreferenceTest) -> None:
    # 400 experiments of 100 users: three standard errors around .05 are .033; the exact sign test may lie below.
    generator = np.random.default_rng(8)
    rejected = 0
    for _ in range(400):
        clicks = generator.poisson(1.0, (100, 2)).tolist()
        outcomes = [Outcome(str(i), str(i), "q", "a" if i % 2 else "b", Credit(*pair)) for i, pair in enumerate(clicks)]
        rejected += prefer(outcomes, test).p_value <= 0.05
    assert rejected / 400 <= 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5


def test_counting_impressions_as_if_they_were_users_raises_false_alarms_and_summing_by_user_does_not() -> None:
    generator = np.random.default_rng(9)
    naive = proper = 0
    for _ in range(150):
        leaning = generator.random(40) < 0.5  # each user leans one way by chance, over 10 impressions
        outcomes = [
            Outcome(
                f"{user}-{i}", str(user), "q", "a" if i % 2 else "b", Credit(1.0, 0.0) if side else Credit(0.0, 1.0)
            )
            for user, side in enumerate(leaning.tolist())
            for i in range(10)
        ]
        proper += prefer(outcomes).p_value <= 0.05
        naive += prefer([Outcome(o.impression, o.impression, "q", o.first, o.credit) for o in outcomes]).p_value <= 0.05
    assert proper / 150 <= 0.05 + 3 * (0.05 * 0.95 / 150) ** 0.5
    assert naive / 150 > 0.3


def test_totals_are_tested_by_user_and_count_who_comes_often_for_more() -> None:
    generator = np.random.default_rng(12)
    outcomes: list[Outcome] = []
    sums: list[float] = []
    for user in range(60):
        visits = generator.poisson(1.0, (1 + user % 5, 2)).astype(float).tolist()
        sums.append(sum(a - b for a, b in visits))
        outcomes += [
            Outcome(f"{user}-{i}", str(user), "q", "a" if len(outcomes) % 2 else "b", Credit(*pair))
            for i, pair in enumerate(visits)
        ]
    preference = prefer(outcomes, PreferenceTest.TOTAL)
    expected = stats.ttest_1samp(sums, 0)
    assert preference.p_value == pytest.approx(float(expected.pvalue))
    assert preference.interval == pytest.approx(tuple(expected.confidence_interval()))
    assert preference.p_value != pytest.approx(prefer(outcomes, PreferenceTest.MEAN).p_value)


def test_totals_without_spread_are_flagged_and_show_nothing() -> None:
    outcomes = [Outcome(str(i), str(i // 2), "q", "a" if i % 2 else "b", Credit(1.0, 0.0)) for i in range(80)]
    preference = prefer(outcomes, PreferenceTest.TOTAL)
    assert Flag.NO_VARIANCE in preference.flags
    assert preference.p_value == 1


def _coin_outcomes(first: Callable[[int, np.random.Generator], Side]) -> list[Outcome]:
    generator = np.random.default_rng(4)
    return [Outcome(str(i), str(i), str(i % 40), first(i % 40, generator), Credit(0.0, 1.0)) for i in range(2000)]


def test_a_coin_that_favours_one_side_is_caught() -> None:
    outcomes = _coin_outcomes(lambda _, generator: "a" if generator.random() < 0.58 else "b")
    assert Flag.COIN_BIASED in prefer(outcomes).flags


def test_a_coin_fixed_per_query_is_caught_though_it_is_fair_over_all() -> None:
    outcomes = _coin_outcomes(lambda query, _: "a" if query % 2 else "b")
    assert sum(outcome.first == "a" for outcome in outcomes) == 1000
    preference = prefer(outcomes)
    assert Flag.COIN_BIASED in preference.flags
    assert not preference.valid


def test_a_fair_coin_is_not_accused() -> None:
    preference = prefer(_coin_outcomes(lambda _, generator: "a" if generator.random() < 0.5 else "b"))
    assert preference.valid


def test_all_users_alike_have_no_spread_to_judge_a_mean_by() -> None:
    outcomes = [Outcome(str(i), str(i), "q", "a" if i % 2 else "b", Credit(1.0, 0.0)) for i in range(60)]
    preference = prefer(outcomes, PreferenceTest.MEAN)
    assert preference.flags == {Flag.NO_VARIANCE}
    assert preference.p_value == 1.0


def test_no_clicks_is_a_flagged_state_and_no_verdict() -> None:
    preference = prefer([Outcome("1", "u", "q", "a", Credit(0.0, 0.0))])
    assert {Flag.NO_PREFERENCES, Flag.FEW_USERS} <= preference.flags
    assert preference.p_value == 1.0
    assert preference.share_a == 0.5


def test_outcomes_that_cannot_be_used_are_refused() -> None:
    good = Outcome("1", "u", "q", "a", Credit(1.0, 0.0))
    with pytest.raises(InterleavingError, match="got none"):
        prefer([])
    with pytest.raises(InterleavingError, match="impression '1' was given twice"):
        prefer([good, good])
    with pytest.raises(InterleavingError, match="credit must be finite"):
        prefer([Outcome("1", "u", "q", "a", Credit(nan, 0.0))])


def test_the_log_joins_late_and_repeated_clicks_to_their_impression() -> None:
    method = TeamDraft()
    shown = method.draw(["d1", "d2"], ["d3", "d4"], np.random.default_rng(0))
    log = InterleavingLog(method)
    log.show(Impression("i1", "u1", "q", shown))
    log.show(Impression("i2", "u2", "q", shown))
    log.click("i1", 0)
    log.click("i1", 0)
    first, second = log.outcomes()
    assert first.credit == method.credit(shown, [0])
    assert second.credit == Credit(0.0, 0.0)


def test_the_log_refuses_clicks_on_what_was_never_shown_and_impressions_recorded_twice() -> None:
    shown = TeamDraft().draw(["d1", "d2"], ["d3", "d4"], np.random.default_rng(0))
    log = InterleavingLog(TeamDraft())
    with pytest.raises(InterleavingError, match="'i1' was never shown"):
        log.click("i1", 0)
    log.show(Impression("i1", "u1", "q", shown))
    with pytest.raises(InterleavingError, match="recorded before"):
        log.show(Impression("i1", "u1", "q", shown))
    with pytest.raises(InterleavingError, match="position must be between 0 and 1"):
        log.click("i1", 2)
