"""Requests per second and latency of exposures, over loopback, with the embedded DynamoDB on the same cores.

Two figures bound what is the service's own: the same requests to `/health`, and one call of the store by itself.
"""

import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from pipelines.experimentation.service.tokens import Role
from tests.local.experimentation.processes import EVENTS, ServiceProcess, client, store, token
from tests.unit.experimentation.service_harness import DECLARATION

CLIENTS, SECONDS = 4, 8.0


def batch(size: int) -> dict[str, Any]:
    """New exposures of new units."""
    event = {"kind": "exposure", "experiment": "checkout-button", "variant": "control", "at": time.time()}
    return {"events": [{**event, "id": uuid.uuid4().hex, "unit": uuid.uuid4().hex} for _ in range(size)]}


def load(url: str, headers: dict[str, str], size: int) -> dict[str, float]:
    """Requests of `size` events each (0: `/health`) by every client in turn, for SECONDS."""

    def work(_: int) -> list[float]:
        took = list[float]()
        with httpx.Client(base_url=url, headers=headers, timeout=60) as http:
            end = time.perf_counter() + SECONDS
            while (started := time.perf_counter()) < end:
                answer = http.post("/v1/events", json=batch(size)) if size else http.get("/health")
                took.append(time.perf_counter() - started)
                assert answer.status_code == 200, answer.text
        return took

    with ThreadPoolExecutor(CLIENTS) as pool:
        times = np.concatenate(list(pool.map(work, range(CLIENTS)))) * 1000
    found = {"requests per second": len(times) / SECONDS, "p50 ms": np.quantile(times, 0.5)}
    found |= {"p99 ms": np.quantile(times, 0.99), "events per second": len(times) * size / SECONDS}
    return {name: round(float(value), 1) for name, value in found.items()}


def alone(endpoint: str) -> float:
    """Median milliseconds of one write to the embedded DynamoDB, without the service."""
    dynamodb, times = client(endpoint), list[float]()
    for _ in range(200):
        item = {"shard": {"S": "bench"}, "id": {"S": uuid.uuid4().hex}}
        started = time.perf_counter()
        dynamodb.put_item(TableName=EVENTS, Item=item, ConditionExpression="attribute_not_exists(id)")
        times.append(time.perf_counter() - started)
    return round(float(np.median(times)) * 1000, 2)


def main() -> dict[str, object]:
    """Figures by batch size."""
    figures: dict[str, object] = {"clients": CLIENTS, "seconds each": SECONDS}
    with tempfile.TemporaryDirectory() as folder, store() as endpoint:
        figures["one write to the embedded DynamoDB, ms"] = alone(endpoint)
        service = ServiceProcess(endpoint, Path(folder) / "service.log")
        headers = token(endpoint, "bench", Role.EDITOR, Role.SENDER)
        service.start()
        try:
            path = f"{service.url}/v1/experiments/checkout-button"
            httpx.put(path, json=DECLARATION, headers={**headers, "If-None-Match": "*"}).raise_for_status()
            httpx.post(f"{path}/start", headers=headers).raise_for_status()
            for size, name in ((0, "/health"), (1, "one exposure"), (50, "fifty exposures")):
                figures[name] = load(service.url, headers, size)
                sys.stderr.write(f"{name}: {figures[name]}\n")
        finally:
            service.kill()
    return figures
