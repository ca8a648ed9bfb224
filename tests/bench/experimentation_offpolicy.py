"""Off-policy estimates on the Open Bandit Dataset's small slices (campaign all) beside the errors published for them.

The slices ship inside the package obp 0.4.1. Two policies served the same shop at random, so the value of either is
known from its own log, and can be estimated from the other's. Protocol of the authors (examples/obd of st-tech/zr-obp):
30 bootstrap samples of the log with their seeds, reward model logistic regression by position, three folds; the figure
is the relative error |estimate - truth| / truth.
"""

import math
import statistics
import sys
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from pipelines.experimentation.offpolicy import Estimate, Estimator, LoggedDecisions, cross_fitted, evaluate
from tests.bench._peers import data_file

Floats = NDArray[np.float64]

RUNS = 30
SIMULATIONS = 1_000_000
PUBLISHED = {
    "random to bts, January 2022": {
        "dm": 0.156876,
        "ips": 0.311082,
        "snips": 0.311795,
        "dr": 0.292464,
        "switch": 0.258410,
    },
    "random to bts, February 2021": {"dm": 0.180305, "ips": 0.333113, "dr": 0.304421},
}
"""examples/obd/README.md of st-tech/zr-obp at the two dates; 30 bootstrap samples of the same slice."""

SLOPES: dict[str, tuple[float, ...] | None] = {
    "switch, slope": None,
    "switch, slope, the authors' thresholds": (10, 50, 100, 500, 1000, 5000, 10000, math.inf),
}
"""By the thresholds to choose among: our own, and those of the authors' evaluate_off_policy_estimators.py."""


class _Slice:
    """One policy's log of 10,000 impressions, as obp's own loader arranges it."""

    def __init__(self, policy: str) -> None:
        frame = pd.read_csv(data_file("obp", f"dataset/obd/{policy}/all/all.csv"), index_col=0).sort_values("timestamp")
        items = pd.read_csv(data_file("obp", f"dataset/obd/{policy}/all/item_context.csv"), index_col=0)
        self.action = frame["item_id"].to_numpy(dtype=np.int64)
        self.position = frame["position"].to_numpy(dtype=np.int64) - 1
        self.reward = frame["click"].to_numpy(dtype=np.float64)
        self.propensity = frame["propensity_score"].to_numpy(dtype=np.float64)
        users = frame.loc[:, frame.columns.str.contains("user_feature")]
        self.context = pd.get_dummies(users, drop_first=True).to_numpy(dtype=np.float64)
        codes = [pd.factorize(items[f"item_feature_{i}"], sort=True)[0].astype(np.float64) for i in (1, 2, 3)]
        self.items = np.column_stack([*codes, items["item_feature_0"].to_numpy(dtype=np.float64)])

    def log(self, rows: NDArray[np.int64]) -> LoggedDecisions:
        frame = pd.DataFrame({"decision": [str(i) for i in range(len(rows))]})
        frame["action"] = [str(item) for item in self.action[rows]]
        frame["propensity"] = self.propensity[rows]
        frame["reward"] = self.reward[rows]
        frame["context"] = list(self.context[rows])
        return LoggedDecisions.from_pandas(frame, [str(item) for item in range(len(self.items))])


class _Logistic:
    """The authors' reward model; a fold without a click predicts none."""

    def __init__(self) -> None:
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - slow to import

        self._model: Any = LogisticRegression(C=100, max_iter=10_000, random_state=12345)
        self._constant: float | None = None

    def fit(self, features: Floats, reward: Floats) -> object:
        self._constant = float(reward[0]) if np.ptp(reward) == 0 else None
        return self if self._constant is not None else self._model.fit(features, reward)

    def predict(self, features: Floats) -> Floats:
        if self._constant is not None:
            return np.full(len(features), self._constant)
        return self._model.predict_proba(features)[:, 1]


def main() -> dict[str, Any]:
    """Relative errors of both directions, beside those published for one, with diagnostics of the whole slices."""
    slices = {"random": _Slice("random"), "bts": _Slice("bts")}
    by_position = {"random": np.full((3, 80), 1 / 80), "bts": _thompson_probabilities()}
    found: dict[str, Any] = {"published": PUBLISHED}
    for logging, target in (("random", "bts"), ("bts", "random")):
        print(f"  {logging} to {target}", file=sys.stderr)
        truth = float(slices[target].reward.mean())
        found[f"{logging} to {target}"] = _direction(slices[logging], by_position[target], truth)
    return found


def _direction(source: _Slice, by_position: Floats, truth: float) -> dict[str, Any]:
    errors: dict[str, list[float]] = {name: [] for name in (*Estimator, *SLOPES)}
    size = len(source.action)
    for seed in range(RUNS):
        rows = np.random.RandomState(seed).choice(np.arange(size), size=size, replace=True)
        log = source.log(rows)
        model = _model(source, log, rows)
        # The log's clicks are 0 or 1: what SWITCH's bias bound needs to know.
        evaluation = evaluate(log, by_position[source.position[rows]], model=model, reward_range=(0.0, 1.0))
        found: dict[str, Estimate] = {str(name): estimate for name, estimate in evaluation.estimates.items()}
        for name, among in SLOPES.items():
            by_slope = evaluate(
                log,
                by_position[source.position[rows]],
                model=model,
                estimators=[Estimator.SWITCH],
                switch="slope",
                switch_among=among,
            )
            found[name] = by_slope[Estimator.SWITCH]
        for name, estimate in found.items():
            errors[name].append(abs(estimate.value - truth) / truth)
    rows = np.arange(size)
    begun = time.perf_counter()
    whole = evaluate(source.log(rows), by_position[source.position])
    seconds = time.perf_counter() - begun
    return {
        "on_policy_value": truth,
        "relative_error": {
            str(estimator): {"mean": round(statistics.fmean(values), 4), "std": round(statistics.stdev(values), 4)}
            for estimator, values in errors.items()
        },
        "whole_slice": {
            "ips": whole[Estimator.IPS].value,
            "ips_interval": whole[Estimator.IPS].interval,
            "snips": whole[Estimator.SNIPS].value,
            "snips_interval": whole[Estimator.SNIPS].interval,
            "effective_sample": round(whole.diagnostics.effective_sample),
            "max_weight": round(whole.diagnostics.max_weight, 1),
            "mean_weight": round(whole.diagnostics.mean_weight, 3),
            "unsupported_mass": whole.diagnostics.unsupported_mass,
            "flags": sorted(whole.diagnostics.flags),
            "suspicious_actions": whole.diagnostics.suspicious_actions,
            "seconds": round(seconds, 2),
        },
    }


def _model(source: _Slice, log: LoggedDecisions, rows: NDArray[np.int64]) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a few folds of rare clicks converge slowly
        return cross_fitted(
            log, _Logistic, action_features=source.items, groups=source.position[rows], folds=3, seed=12345
        )


def _thompson_probabilities() -> Floats:
    """Probability of each item in each of the page's three places, of the Thompson policy as it was deployed.

    Its Beta parameters were frozen before the data were collected and ship with obp; places go to the three best draws.
    """
    prior = yaml.safe_load(data_file("obp", "policy/conf/prior_bts.yaml").read_text())["all"]
    alpha, beta = np.array(prior["alpha"]), np.array(prior["beta"])
    generator = np.random.default_rng(12345)
    counts = np.zeros((3, len(alpha)))
    chunk = 20_000
    for _ in range(SIMULATIONS // chunk):
        draws = generator.beta(alpha, beta, size=(chunk, len(alpha)))
        best = np.argpartition(-draws, 3, axis=1)[:, :3]
        order = np.take_along_axis(best, np.argsort(-np.take_along_axis(draws, best, axis=1), axis=1), axis=1)
        for place in range(3):
            counts[place] += np.bincount(order[:, place], minlength=len(alpha))
    return counts / counts.sum(axis=1, keepdims=True)
