"""When an alarm is raised: pure."""

from collections.abc import Callable, Sequence

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}


def supported(comparison: str) -> bool:
    """Whether a comparison operator is written here; those on anomaly detection bands are not."""
    return comparison in _COMPARISONS


def state(
    datapoints: Sequence[float | None], comparison: str, threshold: float, to_alarm: int, missing: str
) -> str | None:
    """State that the datapoints of the evaluation periods lead to; None keeps the state.

    `to_alarm` is how many of them must breach, `missing` what a missing one counts as: `missing`, `ignore`,
    `breaching` or `notBreaching`. Rules: CloudWatch user guide, "Configuring how alarms treat missing data".
    """
    present = [value for value in datapoints if value is not None]
    absent = len(datapoints) - len(present)
    breaching = sum(_COMPARISONS[comparison](value, threshold) for value in present)
    if missing == "breaching":
        breaching += absent
    elif missing != "notBreaching" and not present:
        return None if missing == "ignore" else "INSUFFICIENT_DATA"
    return "ALARM" if breaching >= to_alarm else "OK"
