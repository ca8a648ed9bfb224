"""A reward model whose prediction for a row never saw that row."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from pipelines.experimentation.offpolicy.errors import LogError
from pipelines.experimentation.offpolicy.log import Floats, Integers, LoggedDecisions


class Model(Protocol):
    """A regression: scikit-learn's regressors are; wrap a classifier so that `predict` returns the probability."""

    def fit(self, features: Floats, reward: Floats, /) -> object:
        """Learn from rows of features, shape (m, f), and rewards, shape (m,)."""
        ...

    def predict(self, features: Floats, /) -> Floats:
        """Expected rewards, shape (m,)."""
        ...


def cross_fitted(
    log: LoggedDecisions,
    make: Callable[[], Model],
    *,
    action_features: Floats | None = None,
    groups: Integers | None = None,
    folds: int = 3,
    seed: int = 0,
) -> Floats:
    """Predicted reward of every action in every row, shape (n, K), from models fitted on the other folds.

    Features are the context beside `action_features` (K, m), by default one indicator per action. With `groups` (n,),
    each group has its own model (positions of a page). Cross-fitting keeps DR unbiased whatever the model (Narita,
    Yasui, Yata, RecSys 2021). Raises LogError for folds that leave a group without rows to fit on.
    """
    if not 2 <= folds <= len(log):
        raise LogError([f"folds: must be between 2 and the {len(log)} rows, got {folds}"])
    count = len(log.actions)
    of_action = np.eye(count) if action_features is None else action_features
    if of_action.shape[0] != count:
        raise LogError([f"action_features: must have {count} rows, one per action, got {of_action.shape[0]}"])
    context = np.zeros((len(log), 0)) if log.context is None else log.context
    groups = np.zeros(len(log), dtype=np.int64) if groups is None else groups
    predicted = np.empty((len(log), count))
    parts = np.array_split(np.random.default_rng(seed).permutation(len(log)), folds)
    for held_out in parts:
        training = np.setdiff1d(np.arange(len(log)), held_out)
        for group in np.unique(groups[held_out]):
            fitting = training[groups[training] == group]
            if not len(fitting):
                raise LogError([f"groups: group {group} has no rows outside one fold; use fewer groups or folds"])
            model = make()
            model.fit(np.hstack([context[fitting], of_action[log.action[fitting]]]), log.reward[fitting])
            asked = held_out[groups[held_out] == group]
            rows = np.hstack([np.repeat(context[asked], count, axis=0), np.tile(of_action, (len(asked), 1))])
            predicted[asked] = model.predict(rows).reshape(len(asked), count)
    return predicted
