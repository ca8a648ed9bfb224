"""How long the embedded AWS takes to its first answer, beside bare `moto_server`, and what both keep in memory."""

import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import boto3
import psutil
from botocore.config import Config

from infra.local import server

RUNS = 5
PATIENCE_SECONDS = 60


def main() -> dict[str, object]:
    """Medians over alternating runs, seconds and MiB: process start to the first answered `sts:GetCallerIdentity`."""
    ours: list[tuple[float, float]] = []
    bare: list[tuple[float, float]] = []
    for _ in range(RUNS):
        ours.append(_embedded())
        bare.append(_moto())
    return {"embedded_aws": _median(ours), "moto_server": _median(bare), "runs": RUNS}


def _median(runs: list[tuple[float, float]]) -> dict[str, float]:
    return {
        "first_answer_s": round(statistics.median(seconds for seconds, _ in runs), 2),
        "memory_mib": round(statistics.median(memory for _, memory in runs), 0),
    }


def _embedded() -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        begun = time.perf_counter()
        cloud = server.start(home, f"http://127.0.0.1:{_free_port()}")
        try:
            _first_answer(cloud.endpoint)
            return time.perf_counter() - begun, _memory(cloud.pid)
        finally:
            server.stop(home)


def _moto() -> tuple[float, float]:
    port = _free_port()
    command = [str(Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _first_answer(f"http://127.0.0.1:{port}")
        return time.perf_counter() - begun, _memory(process.pid)
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_SECONDS)


def _first_answer(endpoint: str) -> None:
    client = boto3.client(  # pyright: ignore[reportUnknownMemberType] - stubs of the services we use, not of all
        "sts",
        endpoint_url=endpoint,
        region_name="eu-west-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=PATIENCE_SECONDS),
    )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            client.get_caller_identity()
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _memory(pid: int) -> float:
    return psutil.Process(pid).memory_info().rss / 2**20


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
