"""Log groups and alarms."""

from policies.rules import cloudwatch
from tests.policies.cases._case import Case, entry

_GROUP = entry(cloudwatch.LOG_GROUP, "group", retentionInDays=365, kmsKeyId="arn:aws:kms:x:1:key/k")
_ALARM = entry(cloudwatch.METRIC_ALARM, "alarm", alarmActions=["arn:aws:sns:x:1:topic"], actionsEnabled=True)

CASES = (
    Case("CloudWatch.15", (_ALARM,), "alarm", "alarmActions", []),
    Case("CloudWatch.16", (_GROUP,), "group", "retentionInDays", 30, missing="passes"),
    Case("CloudWatch.17", (_ALARM,), "alarm", "actionsEnabled", bad=False, missing="passes"),
    Case("MLP.Logs.1", (_GROUP,), "group", "retentionInDays", 0),
    Case("MLP.Logs.2", (_GROUP,), "group", "kmsKeyId", ""),
)
