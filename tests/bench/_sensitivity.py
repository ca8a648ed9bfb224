"""Users that an interleaving and an A/B test need to tell two rankers apart, from moments over users.

Both are z-tests at level .05 with power .8 on one figure per user; users are drawn from those of the data.
"""

from itertools import product
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pipelines.experimentation.interleaving import Balanced, Interleaved, Interleaver, PreferenceTest
from tests.bench._movielens import LENGTH, SESSIONS, Floats, Ranked, click_probabilities

POWER = (float(stats.norm.ppf(0.975)) + float(stats.norm.ppf(0.8))) ** 2
DRAFTS = 4
Form = Literal["mean of users", "total", "ratio"]
"""Each user's mean per session; each user's total; the sum over users by their sessions (delta method)."""
METRICS = ("clicks", "any_click", "reciprocal_rank")


class Moments(NamedTuple):
    """Mean and variance of one figure in each user's sessions, given what was on offer; both (users, sessions)."""

    mean: Floats
    variance: Floats
    error: float = 0.0
    """Standard error of the mean over everything that comes from drawing drafts."""


class Scenario(NamedTuple):
    """How often users come; either side may use the best of its forms."""

    name: str
    sessions: NDArray[np.intp] | None
    """Of each user; None: one, drawn from all."""
    forms: tuple[Form, ...]
    """Of A/B's metric."""
    tests: tuple[Form, ...] = ("mean of users",)
    """Of interleaving's credit, as `prefer` tests it."""


class Needed(NamedTuple):
    """Users needed, and the side the effect is on."""

    users: float
    sign: float


def scenarios(sessions: NDArray[np.intp]) -> list[Scenario]:
    """One session each, SESSIONS each, and as many as the users' activity in the data says."""
    return [
        Scenario("1 session", None, ("mean of users",)),
        Scenario(f"{SESSIONS} sessions", np.full_like(sessions, SESSIONS), ("mean of users",)),
        Scenario("sessions by activity", sessions, ("mean of users", "total", "ratio"), ("mean of users", "total")),
        Scenario("sessions by activity, A/B by users' totals", sessions, ("total",), ("mean of users", "total")),
    ]


def ab_moments(clicks: Floats, metric: str) -> Moments:
    """Exact over clicks."""
    if metric == "clicks":
        return Moments(clicks.sum(axis=2), (clicks * (1 - clicks)).sum(axis=2))
    none_before = np.cumprod(1 - clicks, axis=2) / (1 - clicks)
    first = none_before * clicks
    value = np.ones(LENGTH) if metric == "any_click" else 1 / np.arange(1, LENGTH + 1)
    mean = (first * value).sum(axis=2)
    return Moments(mean, (first * value**2).sum(axis=2) - mean**2)


def interleaved_moments(method: Interleaver, a: Ranked, b: Ranked, liked: list[set[str]]) -> Moments:
    """Of the credit difference over DRAFTS drafts per session; exact over clicks, which for balanced are drawn.

    The variance is that within drafts and that between them, so that squares and variances add up without bias.
    """
    generator = np.random.default_rng(1)
    shape = (len(liked), SESSIONS, DRAFTS)
    mean, variance = np.zeros(shape), np.zeros(shape)
    for user, session, draft in product(*map(range, shape)):
        shown = method.draw(a.lists[user][session], b.lists[user][session], generator)
        probabilities = click_probabilities(shown.items, liked[user])
        if isinstance(method, Balanced):  # its credit is no sum over clicks
            clicks = np.flatnonzero(generator.random(LENGTH) < probabilities).tolist()
            mean[user, session, draft] = method.credit(shown, clicks).difference
            continue
        worth = _worth(method, shown)
        mean[user, session, draft] = float(worth @ probabilities)
        variance[user, session, draft] = float(worth**2 @ (probabilities * (1 - probabilities)))
    between = mean.var(axis=2)
    error = float(np.sqrt(between.sum() / (DRAFTS - 1))) / between.size
    return Moments(mean.mean(axis=2), variance.mean(axis=2) + between, error)


def _worth(method: Interleaver, shown: Interleaved) -> Floats:
    sides = shown.teams
    return np.array([method.credit(shown, [p]).difference if sides[p] else 0.0 for p in range(LENGTH)])


def spread(moments: Moments, scenario: Scenario, form: Form) -> tuple[float, float]:
    """Mean and variance of one user's figure; of a ratio, the ratio and its linearisation's variance."""
    if scenario.sessions is None:
        mean = float(moments.mean.mean())
        return mean, float((moments.mean**2 + moments.variance).mean()) - mean**2
    count = scenario.sessions
    happened = np.arange(SESSIONS) < count[:, None]
    total, noise = (moments.mean * happened).sum(axis=1), (moments.variance * happened).sum(axis=1)
    if form == "total":
        return float(total.mean()), float(total.var() + noise.mean())
    if form == "mean of users":
        return float((total / count).mean()), float((total / count).var() + (noise / count**2).mean())
    ratio = float(total.sum() / count.sum())
    return ratio, float(((total - ratio * count) ** 2 + noise).mean() / count.mean() ** 2)


def interleaving_users(moments: Moments, scenario: Scenario) -> Needed:
    """By the form of the user's credit difference that needs fewest."""
    form: Form = "total" if interleaving_test(moments, scenario) is PreferenceTest.TOTAL else "mean of users"
    mean, variance = spread(moments, scenario, form)
    return Needed(POWER * variance / mean**2, float(np.sign(mean)))


def interleaving_test(moments: Moments, scenario: Scenario) -> PreferenceTest:
    """The test of `prefer` that is planned with."""
    spreads = {form: spread(moments, scenario, form) for form in scenario.tests}
    form = min(spreads, key=lambda each: spreads[each][1] / spreads[each][0] ** 2)
    return PreferenceTest.TOTAL if form == "total" else PreferenceTest.MEAN


def ab_users(a: Moments, b: Moments, scenario: Scenario, form: Form) -> Needed:
    """Both groups together."""
    (mean_a, variance_a), (mean_b, variance_b) = spread(a, scenario, form), spread(b, scenario, form)
    difference = mean_a - mean_b
    return Needed(2 * POWER * (variance_a + variance_b) / difference**2, float(np.sign(difference)))


def compare(
    a: Ranked, b: Ranked, liked: list[set[str]], methods: dict[str, Interleaver], plans: list[Scenario]
) -> dict[str, Any]:
    """Users needed in each scenario, A/B by the metric and form that need fewest.

    A method on the other side than A/B's metric gets 0 times: what it finds so fast is not what A/B would.
    """
    ab = {metric: (ab_moments(a.clicks, metric), ab_moments(b.clicks, metric)) for metric in METRICS}
    moments = {name: interleaved_moments(method, a, b, liked) for name, method in methods.items()}
    same = np.mean(
        [x == y for left, right in zip(a.lists, b.lists, strict=True) for x, y in zip(left, right, strict=True)]
    )
    found: dict[str, Any] = {
        "share_of_equal_lists": round(float(same), 3),
        "relative_error_of_effect": {
            name: round(each.error / abs(float(each.mean.mean())), 3) for name, each in moments.items()
        },
    }
    for plan in plans:
        options = {(metric, form): ab_users(*sides, plan, form) for metric, sides in ab.items() for form in plan.forms}
        best = min(options, key=lambda option: options[option].users)
        fewest = options[best]
        needed = {name: interleaving_users(each, plan) for name, each in moments.items()}
        times = {
            name: round(fewest.users / each.users, 1) if each.sign == fewest.sign else 0.0
            for name, each in needed.items()
        }
        found[plan.name] = {
            "ab_metric": best[0],
            "ab_form": best[1],
            "ab_users": round(fewest.users),
            "interleaving_users": {name: round(each.users) for name, each in needed.items()},
            "interleaving_test": {name: interleaving_test(each, plan).value for name, each in moments.items()},
            "times_fewer_users": times,
        }
    return found
