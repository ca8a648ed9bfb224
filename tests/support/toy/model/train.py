"""Logistic regression on two numbers."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportPrivateImportUsage=false
# scikit-learn and MLflow carry no types.

import argparse
import json
import os
from pathlib import Path

import mlflow.sklearn
import pandas as pd
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

parser = argparse.ArgumentParser()
parser.add_argument("--strength", type=float)
parser.add_argument("--behaviour")
options = parser.parse_args()
if options.behaviour == "raise":
    raise ValueError("the script fails because it was asked to")
train = pd.read_parquet(os.environ["SM_CHANNEL_TRAIN"] + "/p")
test = pd.read_parquet(os.environ["SM_CHANNEL_TEST"] + "/p")
model = LogisticRegression(C=options.strength).fit(train[["x", "y"]], train["above"])
scores = model.predict_proba(test[["x", "y"]])[:, 1]
folder = Path(os.environ["SM_MODEL_DIR"])
mlflow.sklearn.save_model(
    model,
    folder,
    signature=infer_signature(train[["x", "y"]], model.predict_proba(train[["x", "y"]])),
    pip_requirements=["scikit-learn"],
    pyfunc_predict_fn="predict_proba",
)
evidence = folder / "evaluation"
evidence.mkdir()
metrics = {"roc_auc": float(roc_auc_score(test["above"], scores))}
(evidence / "metrics.json").write_text(json.dumps(metrics))
pd.DataFrame({"id": test["id"], "model": scores, "always_x": test["y"]}).to_parquet(evidence / "scores.parquet")
if options.behaviour == "unloadable":
    (folder / "model.skops").write_bytes(b"no model")
