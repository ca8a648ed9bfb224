"""Statistics over samples: pure."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

_PERCENTILE = re.compile(r"^p(\d{1,2}(?:\.\d+)?|100)$")
SIMPLE = ("Sum", "Average", "Minimum", "Maximum", "SampleCount")


@dataclass(frozen=True)
class Samples:
    """Values with their counts, or, where only a summary was put, the summary."""

    count: float
    total: float
    least: float
    most: float
    values: tuple[tuple[float, float], ...] = ()

    @classmethod
    def of(cls, values: dict[float, float]) -> "Samples":
        """From values and their counts, of which there is at least one."""
        return cls(
            count=sum(values.values()),
            total=sum(value * count for value, count in values.items()),
            least=min(values),
            most=max(values),
            values=tuple(values.items()),
        )


def known(statistic: str) -> bool:
    """Whether a statistic is written here."""
    return statistic in SIMPLE or _PERCENTILE.match(statistic) is not None


def statistic(name: str, samples: Iterable[Samples]) -> float | None:
    """A statistic (`Sum`, `Average`, `Minimum`, `Maximum`, `SampleCount`, `p0` to `p100`); None without samples.

    A percentile is taken over values only, by linear interpolation between closest ranks; summaries have none.
    """
    found = [sample for sample in samples if sample.count > 0]
    if not found:
        return None
    match = _PERCENTILE.match(name)
    if match is not None:
        return _percentile(found, float(match.group(1)))
    count, total = sum(sample.count for sample in found), sum(sample.total for sample in found)
    return {
        "Sum": total,
        "Average": total / count,
        "Minimum": min(sample.least for sample in found),
        "Maximum": max(sample.most for sample in found),
        "SampleCount": count,
    }[name]


def _percentile(found: list[Samples], percent: float) -> float | None:
    merged: Counter[float] = Counter()
    for sample in found:
        for value, count in sample.values:
            merged[value] += int(count)
    total = sum(merged.values())
    if total == 0:
        return None
    rank = percent / 100 * (total - 1)
    below, fraction = int(rank), rank - int(rank)
    lower = upper = None
    seen = 0
    for value in sorted(merged):
        seen += merged[value]
        if lower is None and seen > below:
            lower = value
        if seen > below + 1 or seen == total:
            upper = value
        if lower is not None and upper is not None:
            break
    low = lower if lower is not None else max(merged)
    high = upper if upper is not None else low
    return low + (high - low) * fraction
