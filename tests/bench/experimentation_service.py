"""Requests per second and latency of exposures, over loopback, with the embedded DynamoDB on the same cores.

Three figures bound what is the service's own: the same requests to `/health`, one call of the store by itself, and
"without the store", where writes of events are answered at once and kept nowhere: what the service could do on these
cores if DynamoDB cost nothing. CPU is the service's process alone, so it does not depend on what else the cores do.
"""

import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from pipelines.experimentation.service.tokens import Role
from tests.local.experimentation.processes import (
    EVENTS,
    ROOT,
    ServiceProcess,
    client,
    free_port,
    listening,
    store,
    token,
    until,
)
from tests.unit.experimentation.service_harness import DECLARATION

CLIENTS, SECONDS = 4, 8.0
PATH = "/v1/experiments/checkout-button"


def batch(size: int) -> dict[str, Any]:
    """New exposures of new units."""
    event = {"kind": "exposure", "experiment": "checkout-button", "variant": "control", "at": time.time()}
    return {"events": [{**event, "id": uuid.uuid4().hex, "unit": uuid.uuid4().hex} for _ in range(size)]}


def load(service: ServiceProcess, headers: dict[str, str], size: int) -> dict[str, float]:
    """Requests of `size` events each (0: `/health`) by every client in turn, for SECONDS."""

    def work(_: int) -> list[float]:
        took = list[float]()
        with httpx.Client(base_url=service.url, headers=headers, timeout=60) as http:
            end = time.perf_counter() + SECONDS
            while (started := time.perf_counter()) < end:
                answer = http.post("/v1/events", json=batch(size)) if size else http.get("/health")
                took.append(time.perf_counter() - started)
                assert answer.status_code == 200, answer.text
        return took

    assert service.process is not None
    process = psutil.Process(service.process.pid)
    before = process.cpu_times()
    with ThreadPoolExecutor(CLIENTS) as pool:
        times = np.concatenate(list(pool.map(work, range(CLIENTS)))) * 1000
    after = process.cpu_times()
    cpu = (after.user - before.user + after.system - before.system) * 1000 / len(times)
    found = {"requests per second": len(times) / SECONDS, "p50 ms": np.quantile(times, 0.5)}
    found |= {"p99 ms": np.quantile(times, 0.99), "CPU ms per request": cpu}
    if size:
        found["events per second"] = len(times) * size / SECONDS
    return {name: round(float(value), 2) for name, value in found.items()}


def alone(endpoint: str) -> float:
    """Median milliseconds of one write to the embedded DynamoDB, without the service."""
    dynamodb, times = client(endpoint), list[float]()
    for _ in range(200):
        item = {"shard": {"S": "bench"}, "id": {"S": uuid.uuid4().hex}}
        started = time.perf_counter()
        dynamodb.put_item(TableName=EVENTS, Item=item, ConditionExpression="attribute_not_exists(id)")
        times.append(time.perf_counter() - started)
    return round(float(np.median(times)) * 1000, 2)


@contextmanager
def instant(endpoint: str) -> Generator[str]:
    """A store in front of another one that takes every event at once."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.bench._instant_store", str(port), endpoint], cwd=ROOT)
    try:
        until(lambda: listening(port), 30, "the instant store")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@contextmanager
def serving(endpoint: str, folder: str) -> Generator[ServiceProcess]:
    """The service on a store, killed afterwards."""
    service = ServiceProcess(endpoint, Path(folder) / "service.log")
    service.start()
    try:
        yield service
    finally:
        service.kill()


def main() -> dict[str, object]:
    """Figures by batch size."""
    figures: dict[str, object] = {"clients": CLIENTS, "seconds each": SECONDS}
    with tempfile.TemporaryDirectory() as folder, store() as endpoint:
        figures["one write to the embedded DynamoDB, ms"] = alone(endpoint)
        headers = token(endpoint, "bench", Role.EDITOR, Role.SENDER)

        def measure(service: ServiceProcess, size: int, name: str) -> None:
            figures[name] = load(service, headers, size)
            sys.stderr.write(f"{name}: {figures[name]}\n")

        with serving(endpoint, folder) as service, httpx.Client(base_url=service.url, headers=headers) as http:
            http.put(PATH, json=DECLARATION, headers={"If-None-Match": "*"}).raise_for_status()
            http.post(f"{PATH}/start").raise_for_status()
            measure(service, 0, "/health")
            measure(service, 1, "one exposure")
            measure(service, 50, "fifty exposures")
        with instant(endpoint) as quick, serving(quick, folder) as service:
            measure(service, 1, "one exposure, without the store")
            measure(service, 50, "fifty exposures, without the store")
    return figures
