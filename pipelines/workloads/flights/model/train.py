"""Train the late-arrival model, judge it beside two baselines, and leave an MLflow model with its evidence.

Runs inside the training container in script mode: channels `train` and `test` hold Parquet with the features, `late`
(1.0 or 0.0) and `flight_id`; the container reaches no network.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportPrivateImportUsage=false, reportUnknownParameterType=false
# scikit-learn and MLflow carry no types.

import argparse
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

NOT_FEATURES = ["flight_id", "scheduled_departure", "late"]
CATEGORIES = ["carrier", "origin", "dest"]
# Flights behind the rate of a carrier and hour count as much as so many flights at the overall rate.
PRIOR_FLIGHTS = 50.0
# The one type in the model that MLflow's safe format loads only when it is named: its node indices are not checked.
TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]


# It wants to pin pip's version, and a locked environment has no pip.
logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)


def main() -> None:
    """Read the channels, fit, judge, save."""
    options = parse()
    train, test = read("SM_CHANNEL_TRAIN"), read("SM_CHANNEL_TEST")
    columns = [name for name in train.columns if name not in NOT_FEATURES]
    say(f"{len(train)} flights to learn from, {len(test)} to judge on, {len(columns)} features")
    model = boosting(columns, options).fit(train[columns], train["late"])
    say("gradient boosting fitted")
    scores = {
        "model": model.predict_proba(test[columns])[:, 1],
        "carrier_hour_rate": carrier_hour_rate(train, test),
        "logistic_regression": logistic_regression(columns, train, test),
    }
    metrics = judge(test["late"].to_numpy(), scores)
    for name, value in metrics.items():
        say(f"{name}={value:.5f}")
    save(model, train[columns].head(100), metrics, pd.DataFrame({"id": test["flight_id"], **scores}))


def parse() -> argparse.Namespace:
    """Hyperparameters; SageMaker hands them over as arguments."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--iterations", type=int, required=True)
    parser.add_argument("--learning-rate", type=float, required=True)
    parser.add_argument("--leaves", type=int, required=True)
    parser.add_argument("--smallest-leaf", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    return parser.parse_args()


def read(channel: str) -> pd.DataFrame:
    """All Parquet files of a channel, in the order of their paths."""
    parts = sorted(Path(os.environ[channel]).rglob("*.parquet"))
    if not parts:
        sys.exit(f"{channel} holds no Parquet file")
    return pd.concat([pd.read_parquet(part) for part in parts], ignore_index=True)


def boosting(columns: list[str], options: argparse.Namespace) -> Pipeline:
    """Gradient boosting over categories as numbers; a category never seen is a missing value."""
    others = [name for name in columns if name not in CATEGORIES]
    encode = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), CATEGORIES),
        ("passthrough", others),
    )
    classify = HistGradientBoostingClassifier(
        max_iter=options.iterations,
        learning_rate=options.learning_rate,
        max_leaf_nodes=options.leaves,
        min_samples_leaf=options.smallest_leaf,
        random_state=options.seed,
    )
    return make_pipeline(encode, classify)


def carrier_hour_rate(train: pd.DataFrame, test: pd.DataFrame) -> Any:
    """Late share of the carrier in the hour of departure, drawn towards the overall share where flights are few."""

    def key(table: pd.DataFrame) -> Any:
        return table["carrier"] + "/" + (table["departure_minute"] // 60).astype(int).astype(str)

    overall = train["late"].mean()
    groups = train["late"].groupby(key(train)).agg(["sum", "count"])
    rate = (groups["sum"] + PRIOR_FLIGHTS * overall) / (groups["count"] + PRIOR_FLIGHTS)
    return key(test).map(rate).fillna(overall).to_numpy()


def logistic_regression(columns: list[str], train: pd.DataFrame, test: pd.DataFrame) -> Any:
    """Linear in the same features; medians for what is missing."""
    others = [name for name in columns if name not in CATEGORIES]
    prepare: ColumnTransformer = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), CATEGORIES),
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), others),
    )
    fitted = make_pipeline(prepare, LogisticRegression(max_iter=200)).fit(train[columns], train["late"])
    return fitted.predict_proba(test[columns])[:, 1]


def judge(truth: Any, scores: dict[str, Any]) -> dict[str, float]:
    """ROC AUC, average precision and Brier score: the model's bare, the baselines' with their name in front."""
    found: dict[str, float] = {"rows": float(len(truth)), "late_share": float(truth.mean())}
    for name, values in scores.items():
        prefix = "" if name == "model" else f"{name}_"
        found[f"{prefix}roc_auc"] = float(roc_auc_score(truth, values))
        found[f"{prefix}average_precision"] = float(average_precision_score(truth, values))
        found[f"{prefix}brier"] = float(brier_score_loss(truth, values))
    return found


def save(model: Pipeline, example: pd.DataFrame, metrics: dict[str, float], scores: pd.DataFrame) -> None:
    """The model in MLflow's format and, beside it, what it was judged by."""
    folder = Path(os.environ["SM_MODEL_DIR"])
    mlflow.sklearn.save_model(
        model,
        folder,
        signature=infer_signature(example, model.predict_proba(example)),
        pip_requirements=["scikit-learn", "pandas", "skops"],
        pyfunc_predict_fn="predict_proba",
        skops_trusted_types=TRUSTED,
    )
    evidence = folder / "evaluation"
    evidence.mkdir()
    (evidence / "metrics.json").write_text(json.dumps(metrics, indent=2, sort_keys=True))
    scores.to_parquet(evidence / "scores.parquet", index=False)


def say(text: str) -> None:
    """A line in the job's log."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
