"""CloudWatch metrics of invocations, gathered in memory and put once a second."""

import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from infra.local.backends.stores import Metrics

NAMESPACE = "AWS/SageMaker"
_PUT_SECONDS = 1.0


@dataclass
class _Tally:
    counts: Counter[str] = field(default_factory=Counter[str])
    latencies: dict[str, Counter[float]] = field(default_factory=lambda: defaultdict(Counter[float]))


_lock = threading.Lock()
_tallies: dict[tuple[str, str, str, str], _Tally] = {}
_putter: list[threading.Thread] = []


def record(
    account: str,
    region: str,
    endpoint: str,
    variant: str,
    instances: int,
    status: int,
    model_us: float,
    overhead_us: float,
) -> None:
    """Count one invocation. `status` is the container's (503 when it was gone); latencies in microseconds."""
    with _lock:
        tally = _tallies.setdefault((account, region, endpoint, variant), _Tally())
        tally.counts["Invocations"] += 1
        # CloudWatch's statistic is over requests: each one counts for its share of the variant's instances.
        tally.latencies["InvocationsPerInstance"][1.0 / max(1, instances)] += 1
        tally.counts["Invocation4XXErrors"] += 400 <= status < 500
        tally.counts["Invocation5XXErrors"] += status >= 500
        tally.latencies["ModelLatency"][_rounded(model_us)] += 1
        tally.latencies["OverheadLatency"][_rounded(overhead_us)] += 1
        if not _putter:
            _putter.append(threading.Thread(target=_put_for_ever, name="metrics", daemon=True))
            _putter[0].start()


def put() -> None:
    """Put what was gathered."""
    with _lock:
        gathered = dict(_tallies)
        _tallies.clear()
    for (account, region, endpoint, variant), tally in gathered.items():
        metrics = Metrics(account, region)
        dimensions = {"EndpointName": endpoint, "VariantName": variant}
        requests = tally.counts["Invocations"]
        metrics.put(NAMESPACE, "Invocations", {1.0: requests}, dimensions, "None")
        for name in ("Invocation4XXErrors", "Invocation5XXErrors"):
            # Zeros are put too, so that an Average is the error rate, as on AWS.
            bad = tally.counts[name]
            values = {value: count for value, count in ((1.0, bad), (0.0, requests - bad)) if count}
            metrics.put(NAMESPACE, name, values, dimensions, "None")
        for name, values in tally.latencies.items():
            metrics.put(
                NAMESPACE, name, values, dimensions, "None" if name == "InvocationsPerInstance" else "Microseconds"
            )


def _put_for_ever() -> None:
    while True:
        time.sleep(_PUT_SECONDS)
        put()


def _rounded(microseconds: float) -> float:
    """To about 3 significant digits, which keeps the number of distinct values small."""
    return float(f"{max(microseconds, 1.0):.3g}")
