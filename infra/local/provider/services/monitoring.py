"""CloudWatch: log groups and alarms."""

from collections.abc import Mapping
from typing import Any

from infra.local.provider.convert import Conversion
from infra.local.provider.handler import Handler, Put, Scope
from infra.local.provider.names import Name
from infra.local.provider.spec import Call, Read, Spec, Tagging

_LOG_GROUP_ARN = "arn:{partition}:logs:{region}:{account}:log-group:{id}"

# PutRetentionPolicy's documentation; the service model knows only that it is a number. 0 keeps events for ever.
_RETENTION_DAYS = (
    *(0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)

LOG_GROUP = Spec(
    type="aws:cloudwatch/logGroup:LogGroup",
    service="logs",
    id="{name}",
    create=Call(operation="CreateLogGroup"),
    read=Read(
        operation="DescribeLogGroups",
        params={"logGroupNamePrefix": "{id}"},
        select="logGroups[?logGroupName=='{id}'] | [0]",
    ),
    delete=Call(operation="DeleteLogGroup", params={"logGroupName": "{id}"}),
    tags=Tagging(
        read=Read(operation="ListTagsForResource", params={"resourceArn": _LOG_GROUP_ARN}, select="tags"),
        tag=Call(operation="TagResource", params={"resourceArn": _LOG_GROUP_ARN}),
        untag=Call(operation="UntagResource", params={"resourceArn": _LOG_GROUP_ARN}),
    ),
    name=Name("name", max=512, prefix_property="namePrefix"),
    replace=frozenset(("name", "logGroupClass")),
    rename={"name": "logGroupName"},
    defaults={"retentionInDays": 0, "skipDestroy": False},
    computed=frozenset(("logGroupClass",)),
    local=frozenset(("namePrefix", "skipDestroy")),
    handled=frozenset(("retentionInDays",)),
    unsupported=frozenset(("deletionProtectionEnabled",)),
    outputs={"arn": _LOG_GROUP_ARN},
)


class LogGroup(Handler):
    """Retention and key are set and removed by calls of their own."""

    def check(self, inputs: dict[str, Any], conversion: Conversion) -> None:
        """Retention takes certain numbers of days only."""
        days = inputs.get("retentionInDays")
        if isinstance(days, int) and days not in _RETENTION_DAYS:
            conversion.fail("retentionInDays", f"must be one of {', '.join(map(str, _RETENTION_DAYS))}, got {days}")

    def created(self, scope: Scope) -> None:
        """Set the retention; the key was in the create call."""
        if scope.inputs.get("retentionInDays"):
            self.update(scope, frozenset(("retentionInDays",)))

    def outputs(self, scope: Scope, item: dict[str, Any]) -> dict[str, Any]:
        """A group without retention is one that keeps events for ever."""
        return {"retentionInDays": 0, **super().outputs(scope, item)}

    def update(self, scope: Scope, changed: frozenset[str]) -> None:
        """Set or remove retention and key."""
        if "retentionInDays" in changed:
            days = scope.inputs.get("retentionInDays")
            if days:
                scope.call("PutRetentionPolicy", logGroupName=scope.id, retentionInDays=days)
            else:
                scope.call("DeleteRetentionPolicy", logGroupName=scope.id)
        if "kmsKeyId" in changed:
            key = scope.inputs.get("kmsKeyId")
            if key:
                scope.call("AssociateKmsKey", logGroupName=scope.id, kmsKeyId=key)
            else:
                scope.call("DisassociateKmsKey", logGroupName=scope.id)

    def delete(self, scope: Scope) -> None:
        """Delete the group unless `skipDestroy` keeps it."""
        if not scope.lookup("skipDestroy"):
            super().delete(scope)


def _metric_stat(metric: Mapping[str, Any]) -> dict[str, Any]:
    """Pulumi's flat metric as CloudWatch's metric with period and statistic beside it."""
    beside = {name: metric[name] for name in ("period", "stat", "unit") if metric.get(name) is not None}
    inner = {name: metric[name] for name in ("dimensions", "metricName", "namespace") if metric.get(name) is not None}
    return {"metric": inner, **beside}


METRIC_ALARM = Spec(
    type="aws:cloudwatch/metricAlarm:MetricAlarm",
    service="cloudwatch",
    id="{name}",
    create=Call(operation="PutMetricAlarm"),
    read=Read(operation="DescribeAlarms", params={"AlarmNames": ["{id}"]}, select="MetricAlarms[0]"),
    delete=Call(operation="DeleteAlarms", params={"AlarmNames": ["{id}"]}),
    tags=Tagging(
        read=Read(operation="ListTagsForResource", params={"ResourceARN": "{arn}"}, select="Tags"),
        tag=Call(operation="TagResource", params={"ResourceARN": "{arn}"}),
        untag=Call(operation="UntagResource", params={"ResourceARN": "{arn}"}),
    ),
    name=Name("name", max=255),
    replace=frozenset(("name",)),
    rename={"name": "AlarmName", "arn": "AlarmArn", "metricQueries": "Metrics", "metricQueries.metric": "MetricStat"},
    to_aws={"metricQueries.metric": _metric_stat},
    from_aws={
        "metricQueries.metric": lambda value: {
            **value["Metric"],
            **{key: value[key] for key in value if key != "Metric"},
        }
    },
    defaults={"actionsEnabled": True, "treatMissingData": "missing"},
    computed=frozenset(("evaluateLowSampleCountPercentiles", "metricQueries.accountId", "metricQueries.returnData")),
    unsupported=frozenset(("evaluationCriteria", "evaluationInterval", "evaluationWindow", "warmUpConfiguration")),
    outputs={"arn": "arn:{partition}:cloudwatch:{region}:{account}:alarm:{id}"},
)


class MetricAlarm(Put):
    """An alarm is written whole; its tags only when it is new."""

    def fetch(self, scope: Scope) -> dict[str, Any] | None:
        """The alarm; its tags are read by an ARN that follows from its name."""
        arn = scope.render(self.spec.outputs["arn"])
        scope.state = {**scope.state, "arn": arn}
        return super().fetch(scope)


HANDLERS = (LogGroup(LOG_GROUP), MetricAlarm(METRIC_ALARM))
