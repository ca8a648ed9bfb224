"""CloudWatch: logs are kept long enough and encrypted, alarms reach somebody."""

from collections.abc import Iterator

from policies.controls import Control, Level, Nist, Severity, Source, resource_rule
from policies.resources import Resource

LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
METRIC_ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"

RETENTION_DAYS = 365
"""Least retention that CloudWatch.16 asks for by default."""


@resource_rule(
    Control(
        "CloudWatch.15",
        "CloudWatch alarms should have specified actions configured",
        Severity.HIGH,
        (METRIC_ALARM,),
        "alarmActions",
        source=Source.SECURITY_HUB,
        nist=Nist.MONITORING,
    )
)
def alarm_acts(alarm: Resource) -> Iterator[str]:
    """An alarm that goes off does something."""
    if not alarm.get("alarmActions"):
        yield "alarmActions is empty"


@resource_rule(
    Control(
        "CloudWatch.16",
        "CloudWatch log groups should be retained for a specified time period",
        Severity.MEDIUM,
        (LOG_GROUP,),
        f"retentionInDays: at least {RETENTION_DAYS}, or never expiring",
        source=Source.SECURITY_HUB,
        level=Level.ADVISORY,
        nist=Nist.LOGGING,
    )
)
def logs_are_kept_a_year(group: Resource) -> Iterator[str]:
    """A year of logs; 0 or no value keeps them for ever, which MLP.Logs.1 judges."""
    days = group.get("retentionInDays", 0)
    if 0 < days < RETENTION_DAYS:
        yield f"retentionInDays is {days:g}, less than {RETENTION_DAYS}"


@resource_rule(
    Control(
        "CloudWatch.17",
        "CloudWatch alarm actions should be activated",
        Severity.HIGH,
        (METRIC_ALARM,),
        "actionsEnabled",
        source=Source.SECURITY_HUB,
        nist=Nist.MONITORING,
    )
)
def alarm_actions_are_on(alarm: Resource) -> Iterator[str]:
    """`actionsEnabled` is on, as it is when left out."""
    if not alarm.get("actionsEnabled", default=True):
        yield "actionsEnabled is false"


@resource_rule(
    Control(
        "MLP.Logs.1",
        "A log group states how long it keeps its events",
        Severity.MEDIUM,
        (LOG_GROUP,),
        "retentionInDays",
        source=Source.MLP,
        nist=Nist.LOGGING,
    )
)
def retention_is_set(group: Resource) -> Iterator[str]:
    """No value and 0 keep events, and their cost, for ever."""
    if not group.get("retentionInDays"):
        yield "retentionInDays is not set"


@resource_rule(
    Control(
        "MLP.Logs.2",
        "A log group is encrypted with a customer managed key",
        Severity.MEDIUM,
        (LOG_GROUP,),
        "kmsKeyId",
        source=Source.MLP,
        nist=Nist.AT_REST,
    )
)
def logs_are_encrypted(group: Resource) -> Iterator[str]:
    """`kmsKeyId` names a key."""
    if not group.get("kmsKeyId"):
        yield "kmsKeyId is not set"
