"""CloudWatch's backend: samples kept with their counts, exact statistics, and a thread that evaluates alarms."""

import json
import math
import threading
import time
import traceback
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import Alarm, CloudWatchBackend, MetricDataQuery, MetricDatumBase, cloudwatch_backends
from moto.core.utils import utcnow

from infra.local.backends.cloudwatch import expressions
from infra.local.backends.cloudwatch.evaluation import state, supported
from infra.local.backends.cloudwatch.statistics import SIMPLE, Samples, known, statistic
from infra.local.backends.members import Document
from infra.local.backends.shared import lazily

Key = tuple[str, str, frozenset[tuple[str, str]]]
_TICK = 1.0


class Datum(MetricDatumBase):
    """Samples of one metric at one time."""

    def __init__(self, namespace: str, metric: Document, samples: Samples) -> None:
        super().__init__(
            namespace,
            metric["MetricName"],
            metric.get("Dimensions") or [],
            _aware(metric.get("Timestamp")),
            metric.get("Unit"),
        )
        self.samples = samples


class LiveCloudWatch(CloudWatchBackend):
    """Metrics and alarms of one region."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._series: dict[Key, list[Datum]] = defaultdict(list)
        self._held: dict[str, float] = {}
        self._lock = threading.RLock()
        self._evaluator = lazily(self._start)

    @property
    def url_paths(self) -> dict[str, Any]:
        """moto's paths, answered by our response class."""
        from infra.local.backends.cloudwatch.responses import LiveCloudWatchResponse  # noqa: PLC0415 - it names this class

        return {"/$": LiveCloudWatchResponse.dispatch}

    def put_metric_data(self, namespace: str, metric_data: list[Document]) -> None:
        """Keep values with their counts."""
        for index, metric in enumerate(metric_data):
            self._validate_parameters_put_metric_data(metric, index + 1)
        with self._lock:
            for metric in metric_data:
                datum: Any = Datum(namespace, metric, _samples(metric))
                self.metric_data.append(datum)
                self._series[_key(namespace, metric["MetricName"], metric.get("Dimensions") or [])].append(datum)

    def get_metric_statistics(
        self,
        namespace: str,
        metric_name: str,
        start_time: datetime,
        end_time: datetime,
        period: int,
        stats: list[str],
        dimensions: list[dict[str, str]],
        unit: str | None = None,
    ) -> list[Any]:
        """Datapoints as documents, aligned to the period; `stats` may hold percentiles."""
        points: list[Document] = []
        for begin, samples in self._buckets(
            _key(namespace, metric_name, dimensions), start_time, end_time, int(period), unit
        ):
            simple = {name: statistic(name, samples) for name in stats if not name.startswith("p")}
            extended = {name: statistic(name, samples) for name in stats if name.startswith("p")}
            point: Document = {"Timestamp": begin, **simple}
            if extended:
                point["ExtendedStatistics"] = extended
            found = self._series[_key(namespace, metric_name, dimensions)]
            point["Unit"] = unit or (found[0].unit if found else None) or "None"
            points.append(point)
        return points

    def get_metric_data(
        self, queries: list[Document], start_time: datetime, end_time: datetime, scan_by: str = "TimestampDescending"
    ) -> list[Document]:
        """Values of metrics and of metric math."""
        values: dict[str, dict[datetime, float]] = {}
        for query in queries:
            if "MetricStat" in query:
                stat = query["MetricStat"]
                metric = stat["Metric"]
                key = _key(metric["Namespace"], metric["MetricName"], metric.get("Dimensions") or [])
                buckets = self._buckets(key, start_time, end_time, int(stat["Period"]), stat.get("Unit"))
                found = {begin: statistic(stat["Stat"], samples) for begin, samples in buckets}
                values[query["Id"]] = {begin: value for begin, value in found.items() if value is not None}
        moments = sorted({moment for series in values.values() for moment in series})
        for query in queries:
            if query.get("Expression"):
                values[query["Id"]] = self._math(query["Expression"], values, moments)
        answers: list[Document] = []
        for query in queries:
            if str(query.get("ReturnData", True)).lower() == "false":
                continue
            series = sorted(values[query["Id"]].items(), reverse=scan_by != "TimestampAscending")
            answers.append(
                {
                    "id": query["Id"],
                    "label": query.get("Label")
                    or query.get("MetricStat", {}).get("Metric", {}).get("MetricName")
                    or query["Id"],
                    "values": [value for _, value in series],
                    "timestamps": [moment for moment, _ in series],
                    "status_code": "Complete",
                }
            )
        return answers

    def put_metric_alarm(self, *arguments: Any, **settings: Any) -> Alarm:
        """Create an alarm without data, or change one, which keeps its state.

        Raises:
            ValidationError: something that cannot be evaluated here.
        """
        _refuse_unwritten(settings)
        before = self.alarms.get(settings.get("name", ""))
        alarm = super().put_metric_alarm(*arguments, **settings)
        alarm.state_value = before.state_value if before else "INSUFFICIENT_DATA"
        if before is not None:
            alarm.state_reason, alarm.state_reason_data = before.state_reason, before.state_reason_data
            alarm.state_updated_timestamp, alarm.history = before.state_updated_timestamp, before.history
        self._evaluator()
        return alarm

    def set_alarm_state(self, alarm_name: str, reason: str, reason_data: str, state_value: str) -> None:
        """Set a state by hand; it holds for one of the alarm's periods, until CloudWatch would evaluate it again."""
        super().set_alarm_state(alarm_name, reason, reason_data, state_value)
        self._held[alarm_name] = time.monotonic() + _period(self.alarms[alarm_name])

    def evaluate(self, now: datetime) -> None:
        """Evaluate every alarm over the periods that end now."""
        for alarm in list(self.alarms.values()):
            if alarm.rule or time.monotonic() < self._held.get(alarm.name, 0.0):
                continue
            period, count = _period(alarm), int(alarm.evaluation_periods)
            points = [
                self._datapoint(
                    alarm, now - timedelta(seconds=period * (index + 1)), now - timedelta(seconds=period * index)
                )
                for index in range(count)
            ]
            to_alarm = int(alarm.datapoints_to_alarm or count)
            value = state(
                points,
                alarm.comparison_operator,
                float(alarm.threshold),
                to_alarm,
                alarm.treat_missing_data or "missing",
            )
            if value is not None and value != alarm.state_value:
                self._turn(alarm, value, points, to_alarm)

    def _turn(self, alarm: Alarm, value: str, points: list[float | None], to_alarm: int) -> None:
        recent = [point for point in points if point is not None]
        reason = (
            f"Threshold Crossed: {to_alarm} out of the last {len(points)} datapoints {recent} "
            f"decide against the threshold ({alarm.threshold})."
        )
        if value == "INSUFFICIENT_DATA":
            reason = "Insufficient Data: no datapoints were received."
        data = {
            "version": "1.0",
            "queryDate": datetime.now(UTC).isoformat(),
            "recentDatapoints": recent,
            "threshold": float(alarm.threshold),
        }
        old = alarm.state_value
        alarm.update_state(reason, json.dumps(data), value)
        if alarm.actions_enabled:
            actions = {
                "ALARM": alarm.alarm_actions,
                "OK": alarm.ok_actions,
                "INSUFFICIENT_DATA": alarm.insufficient_data_actions,
            }[value]
            self._notify(alarm, actions, old)

    def _notify(self, alarm: Alarm, actions: list[str], old: str) -> None:
        topics = [action for action in actions if ":sns:" in action]
        if not topics:
            return
        from moto.sns.models import sns_backends  # noqa: PLC0415 - only alarms with topics need it

        message = {
            "AlarmName": alarm.name,
            "AlarmDescription": alarm.description,
            "AWSAccountId": self.account_id,
            "Region": self.region_name,
            "AlarmArn": alarm.alarm_arn,
            "OldStateValue": old,
            "NewStateValue": alarm.state_value,
            "NewStateReason": alarm.state_reason,
            "StateChangeTime": datetime.now(UTC).isoformat(),
        }
        for arn in topics:
            topic: Any = sns_backends[self.account_id][arn.split(":")[3]].topics.get(arn)
            if topic is not None:
                topic.publish(json.dumps(message), subject=f'{alarm.state_value}: "{alarm.name}" in {self.region_name}')

    def _datapoint(self, alarm: Alarm, begin: datetime, end: datetime) -> float | None:
        if not alarm.metric_data_queries:
            dimensions = [{"Name": str(item.name), "Value": str(item.value)} for item in alarm.dimensions]
            return self._value(
                _key(alarm.namespace, alarm.metric_name, dimensions),
                begin,
                end,
                alarm.statistic or alarm.extended_statistic or "",
            )
        values: dict[str, float | None] = {}
        for query in alarm.metric_data_queries:
            if query.metric_stat is not None:
                metric = query.metric_stat.metric
                dimensions = [{"Name": str(item.name), "Value": str(item.value)} for item in metric.dimensions]
                values[query.id] = self._value(
                    _key(metric.namespace, metric.metric_name, dimensions), begin, end, query.metric_stat.stat
                )
        for query in alarm.metric_data_queries:
            if query.expression:
                values[query.id] = expressions.evaluate(query.expression, values)
        returned = [query.id for query in alarm.metric_data_queries if str(query.return_data).lower() != "false"]
        return values.get(alarm.threshold_metric_id or (returned[0] if returned else ""))

    def _value(self, key: Key, begin: datetime, end: datetime, name: str) -> float | None:
        with self._lock:
            series = self._series.get(key, [])
            return statistic(name, [datum.samples for datum in series if begin <= _aware(datum.timestamp) < end])

    def _buckets(
        self, key: Key, start: datetime, end: datetime, period: int, unit: str | None
    ) -> list[tuple[datetime, list[Samples]]]:
        """Samples by the beginning of their period, in order; only periods that have some."""
        begin, finish = _aware(start), _aware(end)
        buckets: dict[int, list[Samples]] = defaultdict(list)
        with self._lock:
            for datum in self._series.get(key, []):
                moment = _aware(datum.timestamp)
                if begin <= moment < finish and unit in (None, datum.unit):
                    buckets[math.floor(moment.timestamp() / period) * period].append(datum.samples)
        return [(datetime.fromtimestamp(moment, UTC), buckets[moment]) for moment in sorted(buckets)]

    def _math(
        self, expression: str, values: dict[str, dict[datetime, float]], moments: list[datetime]
    ) -> dict[datetime, float]:
        answers: dict[datetime, float] = {}
        for moment in moments:
            try:
                value = expressions.evaluate(expression, {name: series.get(moment) for name, series in values.items()})
            except expressions.ExpressionError as error:
                raise ValidationError(f"Error in expression '{expression}': {error}") from error
            if value is not None:
                answers[moment] = value
        return answers

    def _start(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name="alarms", daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        while True:
            time.sleep(_TICK)
            try:
                self.evaluate(datetime.now(UTC))
            except Exception:  # noqa: BLE001 - one alarm's trouble must not stop the evaluation of all
                traceback.print_exc()


LiveCloudWatch.__module__ = CloudWatchBackend.__module__


def install() -> None:
    """Put the backend in place."""
    cloudwatch_backends.backend = LiveCloudWatch


def _refuse_unwritten(settings: Document) -> None:
    if settings.get("rule"):
        raise ValidationError("Composite alarms are not written for the embedded AWS.")
    comparison = settings.get("comparison_operator") or ""
    if not supported(comparison):
        raise ValidationError(
            f"ComparisonOperator {comparison} is not written for the embedded AWS: compare with a threshold."
        )
    name = settings.get("statistic") or settings.get("extended_statistic")
    queries: list[MetricDataQuery] = settings.get("metric_data_queries") or []
    names = [name] if name else [query.metric_stat.stat for query in queries if query.metric_stat is not None]
    for stat in names:
        if not known(stat):
            raise ValidationError(
                f"Statistic {stat} is not written for the embedded AWS: {', '.join(SIMPLE)} and percentiles are."
            )
    for query in queries:
        if query.expression:
            try:
                expressions.check(query.expression, frozenset(other.id for other in queries if other is not query))
            except expressions.ExpressionError as error:
                raise ValidationError(f"Error in expression '{query.expression}': {error}") from error


def _samples(metric: Document) -> Samples:
    if metric.get("StatisticValues"):
        summary = metric["StatisticValues"]
        return Samples(
            float(summary["SampleCount"]), float(summary["Sum"]), float(summary["Minimum"]), float(summary["Maximum"])
        )
    values = [float(value) for value in metric.get("Values") or [metric.get("Value", 0)]]
    counts = [float(count) for count in metric.get("Counts") or [1] * len(values)]
    merged: dict[float, float] = defaultdict(float)
    for value, count in zip(values, counts, strict=True):
        merged[value] += count
    return Samples.of(merged)


def _key(namespace: str, name: str, dimensions: list[dict[str, str]]) -> Key:
    return namespace, name, frozenset((item["Name"], item["Value"]) for item in dimensions)


def _period(alarm: Alarm) -> int:
    periods = [int(query.metric_stat.period) for query in alarm.metric_data_queries if query.metric_stat is not None]
    return int(alarm.period or (periods[0] if periods else 60))


def _aware(moment: datetime | None) -> datetime:
    value = moment or utcnow()
    return value if value.tzinfo else value.replace(tzinfo=UTC)
