import signal
import threading
import time
import uuid
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipelines.experimentation.service.tokens import Role
from tests.local.experimentation.processes import FaultyStore, ServiceProcess, store, token, until
from tests.unit.experimentation.service_harness import DECLARATION

pytestmark = pytest.mark.local

CLIENTS, BATCHES, EVENTS = 3, 5, 10
PATH = "/v1/experiments/checkout-button"


@pytest.fixture(scope="module")
def endpoint() -> Generator[str]:
    with store() as found:
        yield found


class Client:
    """Sends batches until each is acknowledged, as the contract says: the same events under the same identifiers."""

    def __init__(self, url: str, headers: dict[str, str], skew: float) -> None:
        self._url, self._headers, self._skew = url, headers, skew
        self.acknowledged = list[str]()
        self.attempts = 0

    def send(self, number: int) -> None:
        for _ in range(BATCHES):
            batch = [self._event(number) for _ in range(EVENTS)]
            deadline = time.monotonic() + 180  # a bound for what hangs; a busy machine takes its time
            while not self._acknowledged(batch):
                assert time.monotonic() < deadline, "a batch was not acknowledged within three minutes"
            self.acknowledged += [event["unit"] for event in batch]

    def _event(self, number: int) -> dict[str, Any]:
        unit = f"{number}-{uuid.uuid4().hex}"
        variant = ("control", "treatment")[int(unit[-1], 16) % 2]
        event = {"id": uuid.uuid4().hex, "kind": "exposure", "experiment": "checkout-button", "unit": unit}
        return {**event, "variant": variant, "at": time.time() + self._skew}

    def _acknowledged(self, batch: list[dict[str, Any]]) -> bool:
        self.attempts += 1
        body = {"sent_at": time.time() + self._skew, "events": batch}
        try:
            answer = httpx.post(f"{self._url}/v1/events", json=body, headers=self._headers, timeout=20)
        except httpx.TransportError:
            time.sleep(0.05)  # down: it is asked again, as often as it takes
            return False
        if answer.status_code == 503:
            return False
        assert answer.status_code == 200, answer.text
        # Now and then the acknowledgement gets lost on its way, and the client sends once more.
        return self.attempts % 5 != 0


def test_every_acknowledged_exposure_counts_once_though_service_store_and_clocks_fail(
    endpoint: str, tmp_path: Path
) -> None:
    faulty = FaultyStore(endpoint)
    service = ServiceProcess(faulty.endpoint, tmp_path / "service.log")
    editor = token(endpoint, "eve", Role.EDITOR)
    sender = token(endpoint, "shop", Role.SENDER)
    service.start()
    try:
        with httpx.Client(base_url=service.url, headers=editor, timeout=30) as http:
            assert http.put(PATH, json=DECLARATION, headers={"If-None-Match": "*"}).status_code == 200
            assert http.post(f"{PATH}/start").status_code == 200
        clients = [Client(service.url, sender, skew) for skew in (0.0, 3_600.0, -86_400.0)]
        with ThreadPoolExecutor(CLIENTS) as pool:
            futures = [pool.submit(each.send, i) for i, each in enumerate(clients)]
            for mark in (40, 90):
                until(lambda mark=mark: faulty.writes >= mark, 60, f"write {mark}")
                service.kill()
                service.start()
            for future in futures:
                future.result()
        faulty.faulty = False
        units = [unit for each in clients for unit in each.acknowledged]
        assert len(units) == CLIENTS * BATCHES * EVENTS
        assert sum(each.attempts for each in clients) > CLIENTS * BATCHES
        time.sleep(0.3)  # what a look sees lies SETTLE_SECONDS back
        with httpx.Client(base_url=service.url, headers=editor, timeout=30) as http:
            assert http.post(f"{PATH}/looks").status_code == 200
            look = http.get(PATH).json()["experiment"]["ledger"]["looks"][0]
            assert sum(look["units"].values()) == len(units)
            assert look["flags"]["units in several variants"] == 0
            assert http.get(f"{PATH}/reproduction").json()["reproduced"]
        assert service.stop() == -signal.SIGTERM  # after a graceful end, as uvicorn does
    finally:
        if service.process is not None and service.process.poll() is None:
            service.kill()
        faulty.close()


def test_of_two_looks_at_once_one_counts(endpoint: str, tmp_path: Path) -> None:
    service = ServiceProcess(endpoint, tmp_path / "service.log")
    headers = token(endpoint, "eve", Role.EDITOR, Role.SENDER)
    service.start()
    try:
        with httpx.Client(base_url=service.url, headers=headers, timeout=30) as http:
            document = {**DECLARATION, "name": "race"}
            http.put("/v1/experiments/race", json=document, headers={"If-None-Match": "*"})
            http.post("/v1/experiments/race/start")
            event = {"kind": "exposure", "experiment": "race", "at": time.time()}
            batch = [
                {**event, "id": uuid.uuid4().hex, "unit": str(i), "variant": ("control", "treatment")[i % 2]}
                for i in range(20)
            ]
            assert http.post("/v1/events", json={"events": batch}).status_code == 200
            time.sleep(0.3)  # what a look sees lies SETTLE_SECONDS back
            seen = {"If-Match": http.get("/v1/experiments/race").headers["ETag"]}
            barrier = threading.Barrier(4)

            def take(_: int) -> int:
                barrier.wait()
                return http.post("/v1/experiments/race/looks", headers=seen).status_code

            with ThreadPoolExecutor(4) as pool:
                answers = sorted(pool.map(take, range(4)))
            assert answers == [200, 412, 412, 412]
            assert http.get("/v1/experiments/race").json()["looks"] == 1
        assert service.stop() == -signal.SIGTERM  # after a graceful end, as uvicorn does
    finally:
        if service.process is not None and service.process.poll() is None:
            service.kill()
