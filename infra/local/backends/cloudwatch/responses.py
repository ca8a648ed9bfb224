"""CloudWatch operations that moto answers without percentiles."""

from moto.cloudwatch.exceptions import InvalidParameterCombination
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult


class LiveCloudWatchResponse(CloudWatchResponse):
    """One request."""

    def get_metric_statistics(self) -> ActionResult:
        """GetMetricStatistics, with ExtendedStatistics."""
        names: list[str] = [*(self._get_param("Statistics") or []), *(self._get_param("ExtendedStatistics") or [])]
        if not names:
            raise InvalidParameterCombination("Must specify either Statistics or ExtendedStatistics")
        points = self.cloudwatch_backend.get_metric_statistics(
            self._get_param("Namespace"),
            self._get_param("MetricName"),
            self._get_param("StartTime"),
            self._get_param("EndTime"),
            self._get_int_param("Period") or 60,
            names,
            self._get_param("Dimensions") or [],
            self._get_param("Unit"),
        )
        return ActionResult({"Label": self._get_param("MetricName"), "Datapoints": points})
