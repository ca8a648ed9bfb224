"""What InvokeEndpoint costs on top of calling the container directly, and on top of calling the model in process."""

import http.client
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from infra.local import server
from tests.local.cloud.conftest import Cloud
from tests.local.cloud.test_endpoints import endpoint, model

REQUESTS = 1500
WARM_UP = 100


def main() -> dict[str, object]:
    """p50 and p99 in milliseconds of each way, requests interleaved, one connection each, one byte in and some out.

    `endpoint` is plain HTTP to the endpoint, `boto3` the same through the SDK, which signs and parses.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        cloud = Cloud(home)
        try:
            return _measure(cloud)
        finally:
            server.stop(home)


def _measure(cloud: Cloud) -> dict[str, object]:
    model(cloud, "bench", mean=1.0)
    endpoint(cloud, "bench", {"bench": 1.0})
    [row] = [row for row in server.services(cloud.home) if row.name.startswith("endpoint-bench")]
    container = http.client.HTTPConnection(row.address)
    front = http.client.HTTPConnection(cloud.cloud.endpoint.removeprefix("http://"))
    document = {"mean": 1.0}
    ways: dict[str, Callable[[], object]] = {
        "in_process": lambda: float(b"1") + json.loads(json.dumps(document))["mean"],
        "container": lambda: _post(container, "/invocations"),
        "endpoint": lambda: _post(front, "/endpoints/bench/invocations"),
        "boto3": lambda: _invoke(cloud),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for index in range(REQUESTS + WARM_UP):
        for name, call in ways.items():
            begun = time.perf_counter()
            call()
            if index >= WARM_UP:
                taken[name].append((time.perf_counter() - begun) * 1000)
    figures: dict[str, object] = {f"{name}_ms": _summary(values) for name, values in taken.items()}
    over = [_quantile(taken["endpoint"], part) - _quantile(taken["container"], part) for part in (50, 99)]
    figures["endpoint_over_container_ms"] = {"p50": round(over[0], 3), "p99": round(over[1], 3)}
    sys.stderr.write(f"endpoint over container: p50 {over[0]:.3f} ms, p99 {over[1]:.3f} ms\n")
    return {**figures, "requests": REQUESTS}


def _post(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("POST", path, b"1", {"Content-Type": "text/csv"})
    return connection.getresponse().read()


def _invoke(cloud: Cloud) -> bytes:
    runtime = cloud.client("sagemaker-runtime")
    return runtime.invoke_endpoint(EndpointName="bench", Body=b"1", ContentType="text/csv")["Body"].read()


def _summary(values: list[float]) -> dict[str, float]:
    return {"p50": round(_quantile(values, 50), 4), "p99": round(_quantile(values, 99), 4)}


def _quantile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]
