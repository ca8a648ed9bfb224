"""Users needed to tell two MovieLens rankers apart: interleaving beside an A/B test.

Two groups of pairs were declared before any was measured, and all are reported: four rather different rankers with each
other, and versions of one ranker, which is what interleaving is mostly used for. A/B is given its most sensitive metric
and form for each pair. Users come once, twenty times, or as often as their activity in the data says: ratings per user,
and so sessions, are heavy-tailed (Harper and Konstan, The MovieLens Datasets, TiiS 2015). There A/B is judged once by
the best of all forms and once by users' totals alone, which is how products are mostly judged. One pair of each group
is checked by whole simulated experiments at the sizes found.
"""

import sys
from itertools import combinations
from typing import Any

import numpy as np

from pipelines.experimentation.interleaving import (
    Balanced,
    CompetitivePairs,
    Interleaver,
    Probabilistic,
    TeamDraft,
)
from tests.bench._movielens import LENGTH, SESSIONS, Ranked, Ratings, rank, rankers, ratings
from tests.bench._sensitivity import Scenario, compare, scenarios
from tests.bench._whole_experiments import false_alarms, power

METHODS: dict[str, Interleaver] = {
    "team_draft": TeamDraft(LENGTH),
    "team_draft_without_common_prefix": TeamDraft(LENGTH, ignore_common_prefix=True),
    "competitive_pairs": CompetitivePairs(LENGTH),
    "competitive_pairs_by_rank": CompetitivePairs(LENGTH, by_rank=True),
    "balanced": Balanced(LENGTH),
    "probabilistic": Probabilistic(LENGTH),
}
GROUPS: dict[str, list[tuple[str, str]]] = {
    "different rankers": list(combinations(("popularity", "neighbours", "factors", "ease"), 2)),
    "versions of one ranker": [
        ("popularity", "popularity, recent"),
        ("popularity", "popularity, good ratings"),
        ("neighbours", "neighbours, shrunk by 10"),
        ("neighbours", "neighbours, nearest 100"),
        ("factors", "factors, 48"),
        ("factors", "factors, 32"),
        ("ease", "ease, 400"),
        ("ease", "ease, 100"),
    ],
}
CHECKED = [("popularity", "ease"), ("factors", "factors, 48")]
"""Small enough to be simulated a hundred times."""
GOAL = 50


def main() -> dict[str, Any]:
    """Users needed by group, pair and scenario, their summary, and the checks by whole experiments."""
    data = ratings()
    plans = scenarios(data.sessions)
    ranked = _ranked(data)
    groups: dict[str, Any] = {}
    for group, pairs in GROUPS.items():
        groups[group] = {}
        for a, b in pairs:
            print(f"  {a} against {b}", file=sys.stderr)
            groups[group][f"{a} against {b}"] = compare(ranked[a], ranked[b], data.liked, METHODS, plans)
    return {
        "users": len(data.liked),
        "sessions_by_activity": dict(
            zip(("least", "median", "mean", "most"), _sessions(data), strict=True),
        ),
        "expected_clicks_per_session": {
            name: round(float(found.clicks.sum(axis=2).mean()), 4) for name, found in ranked.items()
        },
        "groups": groups,
        "summary": {group: _summary(rows, plans) for group, rows in groups.items()},
        "checked_by_simulation": _checked(ranked, data, groups, plans),
        "false_alarms": false_alarms(METHODS, ranked["popularity"], ranked["ease"], data.liked, plans[2]),
    }


def _ranked(data: Ratings) -> dict[str, Ranked]:
    offered = np.random.default_rng(3).random((len(data.liked), SESSIONS, data.seen.shape[1])) < 0.5
    return {name: rank(scores, data.seen, offered, data.liked) for name, scores in rankers(data).items()}


def _sessions(data: Ratings) -> tuple[int, float, float, int]:
    counts = data.sessions
    return int(counts.min()), float(np.median(counts)), round(float(counts.mean()), 2), int(counts.max())


def _summary(rows: dict[str, Any], plans: list[Scenario]) -> dict[str, Any]:
    """Median and range of the times fewer users, pairs that reach the goal, and pairs on the other side than A/B."""
    found: dict[str, Any] = {}
    for plan in plans:
        found[plan.name] = {}
        for name in METHODS:
            times = [row[plan.name]["times_fewer_users"][name] for row in rows.values()]
            found[plan.name][name] = {
                "median": round(float(np.median(times)), 1),
                "least": min(times),
                "most": max(times),
                f"pairs_with_{GOAL}": sum(value >= GOAL for value in times),
                "other_side_than_ab": times.count(0.0),
                "pairs": len(times),
            }
    return found


def _checked(ranked: dict[str, Ranked], data: Ratings, groups: dict[str, Any], plans: list[Scenario]) -> dict[str, Any]:
    """With competitive pairs, a declaration's default, for users who come once and for users who come by activity."""
    found: dict[str, Any] = {}
    name = "competitive_pairs"
    for (a, b), rows in zip(CHECKED, groups.values(), strict=True):
        for plan in (plans[0], plans[2]):
            row = rows[f"{a} against {b}"][plan.name]
            print(f"  whole experiments: {a} against {b}, {plan.name}", file=sys.stderr)
            checked = power(METHODS[name], ranked[a], ranked[b], data.liked, plan, row, name)
            found[f"{a} against {b}, {plan.name}"] = checked
    return found
