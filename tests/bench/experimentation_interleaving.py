"""Users needed to tell two MovieLens rankers apart: team-draft interleaving beside an A/B test.

Rankers are fitted on the earlier 70 % of each user's ratings in MovieLens 100K (the copy that ships inside recbole) and
judged by simulated clicks: a position is examined with probability 1 / log2(rank + 1), an examined film is clicked with
probability .7 if the user later rated it 4 or 5, else .05. One session per user. A/B is given its most sensitive metric
for each pair. Users needed are those for power .8 at level .05 in z-tests whose moments are exact for A/B and, for
interleaving, averaged over many drafts; both are then checked by whole simulated experiments at those sizes.
"""

import sys
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from pipelines.experimentation.interleaving import (
    Balanced,
    Interleaved,
    Interleaver,
    Outcome,
    PreferenceTest,
    Probabilistic,
    TeamDraft,
    prefer,
)
from tests.bench._learners import data_file

Floats = NDArray[np.float64]

LENGTH = 10
EXAMINATION = 1 / np.log2(np.arange(LENGTH) + 2)
RELEVANT, IRRELEVANT = 0.7, 0.05
DRAFTS = 10
EXPERIMENTS = 100
METHODS: dict[str, Interleaver] = {
    "team_draft": TeamDraft(LENGTH),
    "team_draft_without_common_prefix": TeamDraft(LENGTH, ignore_common_prefix=True),
    "balanced": Balanced(LENGTH),
    "probabilistic": Probabilistic(LENGTH),
}
POWER = (float(stats.norm.ppf(0.975)) + float(stats.norm.ppf(0.8))) ** 2


class _Ranked(NamedTuple):
    """One ranker's lists and the click probability at each of their positions."""

    lists: list[list[str]]
    clicks: Floats


def main() -> dict[str, Any]:
    """Users needed by pair of rankers, with the ratio to A/B's, and the power found at those sizes."""
    seen, relevant = _ratings()
    ranked = {name: _rank(scores, seen, relevant) for name, scores in _rankers(seen).items()}
    quality = {name: round(float(found.clicks.sum(axis=1).mean()), 4) for name, found in ranked.items()}
    table: dict[str, Any] = {}
    for a, b in combinations(ranked, 2):
        print(f"  {a} against {b}", file=sys.stderr)
        table[f"{a} against {b}"] = _pair(ranked[a], ranked[b], relevant)
    ratios = [row["times_fewer_users"]["team_draft_without_common_prefix"] for row in table.values()]
    checked = min(table, key=lambda pair: abs(table[pair]["interleaving_users"]["team_draft"] - 300))
    a, b = checked.split(" against ")
    return {
        "users": len(relevant),
        "expected_clicks": quality,
        "pairs": table,
        "median_times_fewer_users": round(float(np.median(ratios)), 1),
        "checked_by_simulation": {"pair": checked, **_checked(ranked[a], ranked[b], relevant, table[checked])},
    }


def _ratings() -> tuple[Floats, list[set[str]]]:
    """Seen films as a 0/1 matrix and, per user, the films liked later; users with at least five of those."""
    frame = pd.read_csv(data_file("recbole", "dataset_example/ml-100k/ml-100k.inter"), sep="\t")
    frame.columns = ["user", "item", "rating", "time"]
    frame = frame.sort_values(["user", "time", "item"])
    rank = frame.groupby("user").cumcount() / frame.groupby("user")["item"].transform("size")
    items = {item: column for column, item in enumerate(sorted(frame["item"].unique()))}
    early, late = frame[rank < 0.7], frame[(rank >= 0.7) & (frame["rating"] >= 4)]
    liked = {user: {str(items[item]) for item in group["item"]} for user, group in late.groupby("user")}
    users = [user for user, films in liked.items() if len(films) >= 5]
    seen = np.zeros((len(users), len(items)))
    rows = {user: row for row, user in enumerate(users)}
    early = early[early["user"].isin(users)]
    seen[early["user"].map(rows).to_numpy(), early["item"].map(items).to_numpy()] = 1
    return seen, [liked[user] for user in users]


def _rankers(seen: Floats) -> dict[str, Floats]:
    """Scores of every film for every user: popularity, item neighbours, latent factors, EASE (Steck, WWW 2019)."""
    norms = np.maximum(np.linalg.norm(seen, axis=0), 1)
    u, s, vt = np.linalg.svd(seen, full_matrices=False)
    gram = np.linalg.inv(seen.T @ seen + 200 * np.eye(seen.shape[1]))
    ease = -gram / np.diag(gram)
    np.fill_diagonal(ease, 0)
    return {
        "popularity": np.tile(seen.sum(axis=0), (len(seen), 1)),
        "neighbours": seen @ ((seen.T @ seen) / norms[:, None] / norms[None, :]),
        "factors_8": (u[:, :8] * s[:8]) @ vt[:8],
        "factors_16": (u[:, :16] * s[:16]) @ vt[:16],
        "factors_64": (u[:, :64] * s[:64]) @ vt[:64],
        "ease": seen @ ease,
    }


def _rank(scores: Floats, seen: Floats, relevant: list[set[str]]) -> _Ranked:
    order = np.argsort(np.where(seen > 0, -np.inf, scores) * -1, axis=1, kind="stable")[:, :LENGTH]
    lists = [[str(item) for item in row] for row in order.tolist()]
    clicks = np.array([_click_probabilities(items, liked) for items, liked in zip(lists, relevant, strict=True)])
    return _Ranked(lists, clicks)


def _click_probabilities(items: list[str] | tuple[str, ...], liked: set[str]) -> Floats:
    attraction = np.array([RELEVANT if item in liked else IRRELEVANT for item in items])
    return np.asarray(EXAMINATION * attraction, dtype=np.float64)


def _pair(a: _Ranked, b: _Ranked, relevant: list[set[str]]) -> dict[str, Any]:
    ab = {metric: _ab_users(a.clicks, b.clicks, metric) for metric in ("clicks", "any_click", "reciprocal_rank")}
    fewest = min(ab.values())
    needed = {name: _interleaving_users(method, a, b, relevant) for name, method in METHODS.items()}
    return {
        "ab_metric": min(ab, key=lambda metric: ab[metric]),
        "ab_users": round(fewest),
        "interleaving_users": {name: round(users) for name, users in needed.items()},
        "times_fewer_users": {name: round(fewest / users, 1) for name, users in needed.items()},
    }


def _ab_users(a: Floats, b: Floats, metric: str) -> float:
    """Both groups together, for a two-sided z-test: exact moments over users and clicks."""
    (mean_a, square_a), (mean_b, square_b) = _moments(a, metric), _moments(b, metric)
    variances = square_a - mean_a**2 + square_b - mean_b**2
    return 2 * POWER * variances / (mean_a - mean_b) ** 2


def _moments(clicks: Floats, metric: str) -> tuple[float, float]:
    """First and second moment of one session's metric."""
    if metric == "clicks":
        mean = clicks.sum(axis=1)
        return float(mean.mean()), float((mean**2 + (clicks * (1 - clicks)).sum(axis=1)).mean())
    none_before = np.cumprod(np.hstack([np.ones((len(clicks), 1)), 1 - clicks[:, :-1]]), axis=1)
    first = none_before * clicks
    value = np.ones(LENGTH) if metric == "any_click" else 1 / np.arange(1, LENGTH + 1)
    return float((first * value).sum(axis=1).mean()), float((first * value**2).sum(axis=1).mean())


def _interleaving_users(method: Interleaver, a: _Ranked, b: _Ranked, relevant: list[set[str]]) -> float:
    """For the mean test: moments of the credit difference over users, drafts and clicks."""
    generator = np.random.default_rng(1)
    first: list[float] = []
    second: list[float] = []
    for user, liked in enumerate(relevant):
        for _ in range(DRAFTS):
            shown = method.draw(a.lists[user], b.lists[user], generator)
            probabilities = _click_probabilities(shown.items, liked)
            if isinstance(method, Balanced):
                # Not a sum over clicks: one draw of the clicks stands for all.
                clicks = np.flatnonzero(generator.random(LENGTH) < probabilities).tolist()
                difference = method.credit(shown, clicks).difference
                first.append(difference)
                second.append(difference**2)
                continue
            worth = _worth(method, shown)
            mean = float(worth @ probabilities)
            first.append(mean)
            second.append(mean**2 + float(worth**2 @ (probabilities * (1 - probabilities))))
    mean = float(np.mean(first))
    return POWER * (float(np.mean(second)) - mean**2) / mean**2


def _worth(method: Interleaver, shown: Interleaved) -> Floats:
    return np.array([method.credit(shown, [position]).difference for position in range(LENGTH)])


def _checked(a: _Ranked, b: _Ranked, relevant: list[set[str]], row: dict[str, Any]) -> dict[str, Any]:
    """Share of whole experiments that find the difference, at the sizes computed for power .8."""
    name = "team_draft_without_common_prefix"
    size, ab_size = row["interleaving_users"][name], row["ab_users"] // 2
    generator = np.random.default_rng(2)
    method = METHODS[name]
    found_interleaving = found_ab = 0
    for _ in range(EXPERIMENTS):
        outcomes: list[Outcome] = []
        for session, user in enumerate(generator.choice(len(relevant), size=size)):
            shown = method.draw(a.lists[user], b.lists[user], generator)
            clicks = np.flatnonzero(generator.random(LENGTH) < _click_probabilities(shown.items, relevant[user]))
            credit = method.credit(shown, clicks.tolist())
            outcomes.append(Outcome(str(session), str(session), "home", shown.first, credit))
        found_interleaving += prefer(outcomes, PreferenceTest.MEAN).p_value <= 0.05
        values = [_metric(side.clicks, row["ab_metric"], ab_size, generator) for side in (a, b)]
        found_ab += float(stats.ttest_ind(*values, equal_var=False).pvalue) <= 0.05
    return {
        "interleaving_power": found_interleaving / EXPERIMENTS,
        "ab_power": found_ab / EXPERIMENTS,
        "experiments": EXPERIMENTS,
    }


def _metric(clicks: Floats, metric: str, users: int, generator: np.random.Generator) -> Floats:
    drawn = generator.random((users, LENGTH)) < clicks[generator.integers(len(clicks), size=users)]
    if metric == "clicks":
        return drawn.sum(axis=1).astype(np.float64)
    if metric == "any_click":
        return drawn.any(axis=1).astype(np.float64)
    return np.where(drawn.any(axis=1), 1 / (drawn.argmax(axis=1) + 1), 0.0)
