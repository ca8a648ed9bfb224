"""Whole simulated experiments, with real drafts and clicks, against which the moments are checked."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pipelines.experimentation.interleaving import Credit, Interleaver, Outcome, PreferenceTest, prefer
from tests.bench._movielens import LENGTH, SESSIONS, Floats, Ranked, click_probabilities
from tests.bench._sensitivity import Form, Scenario

EXPERIMENTS = 100
EQUAL_EXPERIMENTS = 400
EQUAL_USERS = 100
Sessions = list[tuple[int, int]]
"""User and offer of each session."""


def power(
    method: Interleaver, a: Ranked, b: Ranked, liked: list[set[str]], plan: Scenario, row: dict[str, Any], name: str
) -> dict[str, Any]:
    """Share of experiments that find the difference, each with the users and by the test in `row`."""
    generator = np.random.default_rng(2)
    size, test = row["interleaving_users"][name], PreferenceTest(row["interleaving_test"][name])
    found_interleaving = found_ab = 0
    for _ in range(EXPERIMENTS):
        outcomes = _outcomes(method, a, b, liked, _visits(plan, len(liked), size, generator), generator)
        found_interleaving += prefer(outcomes, test).p_value <= 0.05
        sides = [
            _figures(side, plan, row["ab_metric"], row["ab_form"], row["ab_users"] // 2, generator) for side in (a, b)
        ]
        found_ab += _ab_p_value(sides, row["ab_form"]) <= 0.05
    return {
        "interleaving_users": size,
        "interleaving_power": found_interleaving / EXPERIMENTS,
        "ab_users": row["ab_users"],
        "ab_power": found_ab / EXPERIMENTS,
        "experiments": EXPERIMENTS,
    }


def false_alarms(
    methods: dict[str, Interleaver], a: Ranked, b: Ranked, liked: list[set[str]], plan: Scenario
) -> dict[str, Any]:
    """Share of experiments that tell equal rankers apart: which of two is which is tossed up in each session."""
    found = dict[str, Any]()
    for name, method in methods.items():
        generator = np.random.default_rng(4)
        alarms = {test.value: 0 for test in PreferenceTest}
        for _ in range(EQUAL_EXPERIMENTS):
            visits = _visits(plan, len(liked), EQUAL_USERS, generator)
            outcomes = _outcomes(method, a, b, liked, visits, generator, equal=True)
            for test in PreferenceTest:
                alarms[test.value] += prefer(outcomes, test).p_value <= 0.05
        found[name] = {test: count / EQUAL_EXPERIMENTS for test, count in alarms.items()}
    return {"users": EQUAL_USERS, "experiments": EQUAL_EXPERIMENTS, "share_below_.05": found}


def _visits(plan: Scenario, population: int, size: int, generator: np.random.Generator) -> list[Sessions]:
    """Of `size` users drawn from the population, each with its sessions."""
    users: list[int] = generator.integers(population, size=size).tolist()
    if plan.sessions is None:
        return [[(user, int(generator.integers(SESSIONS)))] for user in users]
    return [[(user, offer) for offer in range(plan.sessions[user])] for user in users]


def _outcomes(
    method: Interleaver,
    a: Ranked,
    b: Ranked,
    liked: list[set[str]],
    visits: list[Sessions],
    generator: np.random.Generator,
    *,
    equal: bool = False,
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for number, sessions in enumerate(visits):
        for user, offer in sessions:
            first, second = (b, a) if equal and generator.random() < 0.5 else (a, b)
            shown = method.draw(first.lists[user][offer], second.lists[user][offer], generator)
            clicks = np.flatnonzero(generator.random(LENGTH) < click_probabilities(shown.items, liked[user]))
            credit: Credit = method.credit(shown, clicks.tolist())
            outcomes.append(Outcome(str(len(outcomes)), str(number), "home", shown.first, credit))
    return outcomes


def _figures(
    side: Ranked, plan: Scenario, metric: str, form: Form, size: int, generator: np.random.Generator
) -> tuple[Floats, Floats]:
    """Each user's total of the metric and number of sessions."""
    population = len(side.clicks)
    users = generator.integers(population, size=size)
    counts = np.ones(size, dtype=np.intp) if plan.sessions is None else plan.sessions[users]
    owner = np.repeat(np.arange(size), counts)
    offer = _offers(plan, counts, generator)
    drawn = generator.random((len(owner), LENGTH)) < side.clicks[users[owner], offer]
    values = _metric(drawn, metric)
    totals = np.bincount(owner, weights=values, minlength=size).astype(np.float64)
    return (totals / counts if form == "mean of users" else totals), counts.astype(np.float64)


def _offers(plan: Scenario, counts: NDArray[np.intp], generator: np.random.Generator) -> NDArray[np.intp]:
    if plan.sessions is None:
        return generator.integers(SESSIONS, size=len(counts)).astype(np.intp)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    return np.arange(int(counts.sum())) - starts


def _metric(drawn: NDArray[np.bool_], metric: str) -> Floats:
    if metric == "clicks":
        return drawn.sum(axis=1).astype(np.float64)
    found = np.asarray(drawn.any(axis=1), dtype=np.float64)
    return found if metric == "any_click" else np.asarray(found / (drawn.argmax(axis=1) + 1), dtype=np.float64)


def _ab_p_value(sides: list[tuple[Floats, Floats]], form: Form) -> float:
    if form != "ratio":
        return float(stats.ttest_ind(sides[0][0], sides[1][0], equal_var=False).pvalue)
    ratios = [float(values.sum() / counts.sum()) for values, counts in sides]
    errors = [
        float(np.mean((values - ratio * counts) ** 2) / np.mean(counts) ** 2 / len(values))
        for (values, counts), ratio in zip(sides, ratios, strict=True)
    ]
    z = abs(ratios[0] - ratios[1]) / float(np.sqrt(sum(errors)))
    return float(2 * stats.norm.sf(z))
