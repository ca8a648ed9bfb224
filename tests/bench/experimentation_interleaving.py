"""Users needed to tell two MovieLens rankers apart: interleaving beside an A/B test.

Rankers are fitted on the earlier 70 % of each user's ratings in MovieLens 100K (the copy that ships inside recbole) and
judged by simulated clicks: a position is examined with probability 1 / log2(rank + 1), an examined film is clicked with
probability .7 if the user later rated it 4 or 5, else .05. In each session a random half of the films is on offer. A
user's sessions are averaged, then users are compared; A/B is given its most sensitive metric for each pair. Users
needed are those for power .8 at level .05 in z-tests on moments over users, sessions, drafts and clicks; one pair is
checked by whole simulated experiments at the sizes found.
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
from tests.bench._peers import data_file

Floats = NDArray[np.float64]

LENGTH = 10
EXAMINATION = 1 / np.log2(np.arange(LENGTH) + 2)
RELEVANT, IRRELEVANT = 0.7, 0.05
SESSIONS = 20
EXPERIMENTS = 100
METHODS: dict[str, Interleaver] = {
    "team_draft": TeamDraft(LENGTH),
    "team_draft_without_common_prefix": TeamDraft(LENGTH, ignore_common_prefix=True),
    "balanced": Balanced(LENGTH),
    "probabilistic": Probabilistic(LENGTH),
}
POWER = (float(stats.norm.ppf(0.975)) + float(stats.norm.ppf(0.8))) ** 2


class _Ranked(NamedTuple):
    """One ranker's lists by user and session, and the click probability at each of their positions."""

    lists: list[list[list[str]]]
    clicks: Floats
    """Shape (users, sessions, positions)."""


class _Moments(NamedTuple):
    """Mean and variance of one figure in each user's sessions, given what was shown; both (users, sessions)."""

    mean: Floats
    variance: Floats


def main() -> dict[str, Any]:
    """Users needed by pair of rankers and sessions per user, with the ratio to A/B's, and the power at those sizes."""
    seen, relevant = _ratings()
    offered = np.random.default_rng(3).random((len(seen), SESSIONS, seen.shape[1])) < 0.5
    ranked = {name: _rank(scores, seen, offered, relevant) for name, scores in _rankers(seen).items()}
    quality = {name: round(float(found.clicks.sum(axis=2).mean()), 4) for name, found in ranked.items()}
    table: dict[str, Any] = {}
    for a, b in combinations(ranked, 2):
        print(f"  {a} against {b}", file=sys.stderr)
        table[f"{a} against {b}"] = _pair(ranked[a], ranked[b], relevant)
    medians = {
        sessions: {
            name: round(float(np.median([row[sessions]["times_fewer_users"][name] for row in table.values()])), 1)
            for name in METHODS
        }
        for sessions in ("1 session", f"{SESSIONS} sessions")
    }
    pair = "popularity against ease"
    checked = _checked(ranked["popularity"], ranked["ease"], relevant, table[pair]["1 session"])
    return {
        "users": len(relevant),
        "expected_clicks_per_session": quality,
        "pairs": table,
        "median_times_fewer_users": medians,
        "checked_by_simulation": {"pair": pair, **checked},
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
        "factors": (u[:, :64] * s[:64]) @ vt[:64],
        "ease": seen @ ease,
    }


def _rank(scores: Floats, seen: Floats, offered: NDArray[np.bool_], relevant: list[set[str]]) -> _Ranked:
    lists: list[list[list[str]]] = []
    for user, films in enumerate(offered):
        possible = np.where(films & (seen[user] == 0), scores[user], -np.inf)
        order = np.argsort(-possible, axis=1, kind="stable")[:, :LENGTH]
        lists.append([[str(item) for item in row] for row in order.tolist()])
    clicks = [[_click_probabilities(items, relevant[user]) for items in shown] for user, shown in enumerate(lists)]
    return _Ranked(lists, np.array(clicks))


def _click_probabilities(items: list[str] | tuple[str, ...], liked: set[str]) -> Floats:
    attraction = np.array([RELEVANT if item in liked else IRRELEVANT for item in items])
    return np.asarray(EXAMINATION * attraction, dtype=np.float64)


def _pair(a: _Ranked, b: _Ranked, relevant: list[set[str]]) -> dict[str, Any]:
    metrics = {
        metric: (_ab(a.clicks, metric), _ab(b.clicks, metric)) for metric in ("clicks", "any_click", "reciprocal_rank")
    }
    methods = {name: _interleaved(method, a, b, relevant) for name, method in METHODS.items()}
    found: dict[str, Any] = {}
    for label, together in (("1 session", False), (f"{SESSIONS} sessions", True)):
        ab = {name: _ab_users(*sides, together=together) for name, sides in metrics.items()}
        needed = {name: _users(moments, together=together) for name, moments in methods.items()}
        fewest = min(ab.values())
        found[label] = {
            "ab_metric": min(ab, key=lambda metric: ab[metric]),
            "ab_users": round(fewest),
            "interleaving_users": {name: round(users) for name, users in needed.items()},
            "times_fewer_users": {name: round(fewest / users, 1) for name, users in needed.items()},
        }
    return found


def _spread(moments: _Moments, *, together: bool) -> tuple[float, float]:
    """Mean and variance of one user's figure: of one session, or averaged over all sessions."""
    mean = float(moments.mean.mean())
    if together:
        second = moments.mean.mean(axis=1) ** 2 + moments.variance.sum(axis=1) / SESSIONS**2
    else:
        second = moments.mean**2 + moments.variance
    return mean, float(second.mean()) - mean**2


def _users(moments: _Moments, *, together: bool) -> float:
    mean, variance = _spread(moments, together=together)
    return POWER * variance / mean**2


def _ab_users(a: _Moments, b: _Moments, *, together: bool) -> float:
    """Both groups together."""
    (mean_a, variance_a), (mean_b, variance_b) = _spread(a, together=together), _spread(b, together=together)
    return 2 * POWER * (variance_a + variance_b) / (mean_a - mean_b) ** 2


def _ab(clicks: Floats, metric: str) -> _Moments:
    """Exact over clicks."""
    if metric == "clicks":
        return _Moments(clicks.sum(axis=2), (clicks * (1 - clicks)).sum(axis=2))
    none_before = np.cumprod(1 - clicks, axis=2) / (1 - clicks)
    first = none_before * clicks
    value = np.ones(LENGTH) if metric == "any_click" else 1 / np.arange(1, LENGTH + 1)
    mean = (first * value).sum(axis=2)
    return _Moments(mean, (first * value**2).sum(axis=2) - mean**2)


def _interleaved(method: Interleaver, a: _Ranked, b: _Ranked, relevant: list[set[str]]) -> _Moments:
    """Of the credit difference in one draft per session; over clicks exact, but for balanced, where they are drawn."""
    generator = np.random.default_rng(1)
    mean, variance = np.zeros((len(relevant), SESSIONS)), np.zeros((len(relevant), SESSIONS))
    for user, liked in enumerate(relevant):
        for session in range(SESSIONS):
            shown = method.draw(a.lists[user][session], b.lists[user][session], generator)
            probabilities = _click_probabilities(shown.items, liked)
            if isinstance(method, Balanced):  # its credit is no sum over clicks
                clicks = np.flatnonzero(generator.random(LENGTH) < probabilities).tolist()
                mean[user, session] = method.credit(shown, clicks).difference
                continue
            worth = _worth(method, shown)
            mean[user, session] = float(worth @ probabilities)
            variance[user, session] = float(worth**2 @ (probabilities * (1 - probabilities)))
    return _Moments(mean, variance)


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
        for session in range(size):
            user = int(generator.integers(len(relevant)))
            offer = int(generator.integers(SESSIONS))
            shown = method.draw(a.lists[user][offer], b.lists[user][offer], generator)
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
    flat = clicks.reshape(-1, LENGTH)
    drawn = generator.random((users, LENGTH)) < flat[generator.integers(len(flat), size=users)]
    if metric == "clicks":
        return drawn.sum(axis=1).astype(np.float64)
    if metric == "any_click":
        return np.array(drawn.any(axis=1), dtype=np.float64)
    return np.array(drawn.any(axis=1) / (drawn.argmax(axis=1) + 1), dtype=np.float64)
