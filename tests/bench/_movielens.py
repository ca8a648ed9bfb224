"""Rankers of films fitted on MovieLens 100K, and users who click what they are known to have liked later.

The copy of the data is the one that ships inside recbole. Rankers are fitted on the earlier 70 % of each user's
ratings. A position is examined with probability 1 / log2(rank + 1), an examined film is clicked with probability .7 if
the user later rated it 4 or 5, else .05. In each session a random half of the films is on offer.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tests.bench._peers import data_file

Floats = NDArray[np.float64]

LENGTH = 10
EXAMINATION = 1 / np.log2(np.arange(LENGTH) + 2)
RELEVANT, IRRELEVANT = 0.7, 0.05
SESSIONS = 20


class Ratings(NamedTuple):
    """Users with at least five films liked later; matrices are users by films, 0 or 1, of the earlier ratings."""

    seen: Floats
    good: Floats
    """Rated 4 or 5."""
    recent: Floats
    """Among the later half of all users' earlier ratings."""
    liked: list[set[str]]
    """Columns of the films that each user rated 4 or 5 later, as text."""
    sessions: NDArray[np.intp]
    """Each user's number of sessions, in proportion to their ratings; the most active user has SESSIONS."""


class Ranked(NamedTuple):
    """One ranker's lists by user and session, and the click probability at each of their positions."""

    lists: list[list[list[str]]]
    clicks: Floats
    """Shape (users, sessions, positions)."""


def ratings() -> Ratings:
    """The data, split by time within each user."""
    frame = pd.read_csv(data_file("recbole", "dataset_example/ml-100k/ml-100k.inter"), sep="\t")
    frame.columns = ["user", "item", "rating", "time"]
    frame = frame.sort_values(["user", "time", "item"])
    rank = frame.groupby("user").cumcount() / frame.groupby("user")["item"].transform("size")
    columns = {item: column for column, item in enumerate(sorted(frame["item"].unique()))}
    early, late = frame[rank < 0.7], frame[(rank >= 0.7) & (frame["rating"] >= 4)]
    liked = {user: {str(columns[item]) for item in group["item"]} for user, group in late.groupby("user")}
    users = [user for user, films in liked.items() if len(films) >= 5]
    rows = {user: row for row, user in enumerate(users)}
    early = early[early["user"].isin(users)]

    def matrix(chosen: pd.DataFrame) -> Floats:
        filled = np.zeros((len(users), len(columns)))
        filled[chosen["user"].map(rows).to_numpy(), chosen["item"].map(columns).to_numpy()] = 1
        return filled

    counts = frame["user"].value_counts().to_dict()
    activity = np.array([counts[user] for user in users], dtype=np.float64)
    return Ratings(
        seen=matrix(early),
        good=matrix(early[early["rating"] >= 4]),
        recent=matrix(early[early["time"] >= early["time"].median()]),
        liked=[liked[user] for user in users],
        sessions=np.ceil(SESSIONS * activity / activity.max()).astype(np.intp),
    )


def rankers(data: Ratings) -> dict[str, Floats]:
    """Scores of every film for every user.

    Popularity, item neighbours by cosine, latent factors (PureSVD, Cremonesi et al., RecSys 2010), EASE (Steck,
    WWW 2019); and of each two other versions with a change that is ordinary for its kind.
    """
    seen = data.seen
    together = seen.T @ seen
    norms = np.maximum(np.sqrt(np.diag(together)), 1)
    cosine = together / norms[:, None] / norms[None, :]
    nearest = np.where(cosine >= np.sort(cosine, axis=0)[-100], cosine, 0)
    u, s, vt = np.linalg.svd(seen, full_matrices=False)

    def popularity(counted: Floats) -> Floats:
        return np.tile(counted.sum(axis=0), (len(seen), 1))

    def factors(count: int) -> Floats:
        return (u[:, :count] * s[:count]) @ vt[:count]

    def ease(regularisation: float) -> Floats:
        gram = np.linalg.inv(together + regularisation * np.eye(seen.shape[1]))
        weights = -gram / np.diag(gram)
        np.fill_diagonal(weights, 0)
        return seen @ weights

    return {
        "popularity": popularity(seen),
        "popularity, recent": popularity(data.recent),
        "popularity, good ratings": popularity(data.good),
        "neighbours": seen @ cosine,
        "neighbours, shrunk by 10": seen @ (cosine * together / (together + 10)),
        "neighbours, nearest 100": seen @ nearest,
        "factors": factors(64),
        "factors, 48": factors(48),
        "factors, 32": factors(32),
        "ease": ease(200),
        "ease, 400": ease(400),
        "ease, 100": ease(100),
    }


def rank(scores: Floats, seen: Floats, offered: NDArray[np.bool_], liked: list[set[str]]) -> Ranked:
    """Each user's best films on offer in each session, leaving out those seen."""
    lists: list[list[list[str]]] = []
    for user, films in enumerate(offered):
        possible = np.where(films & (seen[user] == 0), scores[user], -np.inf)
        order = np.argsort(-possible, axis=1, kind="stable")[:, :LENGTH]
        lists.append([[str(item) for item in row] for row in order.tolist()])
    clicks = [[click_probabilities(items, liked[user]) for items in shown] for user, shown in enumerate(lists)]
    return Ranked(lists, np.array(clicks))


def click_probabilities(items: list[str] | tuple[str, ...], liked: set[str]) -> Floats:
    """Of each position."""
    attraction = np.array([RELEVANT if item in liked else IRRELEVANT for item in items])
    return np.asarray(EXAMINATION * attraction, dtype=np.float64)
