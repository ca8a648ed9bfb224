"""Canaries on real endpoints: the service moves their weights by what real models really answer."""

import time
import uuid
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local import server
from pipelines.experimentation.service import tables
from pipelines.experimentation.service.lease import LEASE_SECONDS
from pipelines.experimentation.service.tokens import Role
from tests.local.cloud.conftest import Cloud
from tests.local.cloud.test_endpoints import endpoint, invoke, model
from tests.local.experimentation.processes import EVENTS, STATE, ServiceProcess, token, until
from tests.unit.experimentation.service_harness import DECLARATION

pytestmark = pytest.mark.local


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Generator[Cloud]:
    home = tmp_path_factory.mktemp("home")
    started = Cloud(home)
    tables.create(started.client("dynamodb"), STATE, EVENTS)
    yield started
    server.stop(home)


class Traffic:
    """Requests to an endpoint; each is an exposure to whoever answered it, and an error if the answer is wrong."""

    def __init__(self, cloud: Cloud, name: str, http: httpx.Client) -> None:
        self._cloud, self._name, self._http = cloud, name, http
        self.sent = 0

    def some(self) -> None:
        with ThreadPoolExecutor(4) as pool:
            events = [event for pair in pool.map(self._one, range(20)) for event in pair]
        until(lambda: self._acknowledged(events), 60, "an acknowledgement")
        self.sent += 20

    def _one(self, _: int) -> list[dict[str, Any]]:
        at, unit = time.time(), uuid.uuid4().hex
        answer = invoke(self._cloud, self._name)
        event = {"experiment": self._name, "unit": unit, "at": at}
        exposure = {"id": uuid.uuid4().hex, "kind": "exposure", "variant": answer["InvokedProductionVariant"]}
        found = [{**event, **exposure}]
        if answer["Body"] != b"1.0":
            found.append({**event, "id": uuid.uuid4().hex, "kind": "outcome", "outcome": "error"})
        return found

    def _acknowledged(self, events: list[dict[str, Any]]) -> bool:
        try:
            answer = self._http.post("/v1/events", json={"events": events})
        except httpx.TransportError:
            return False
        assert answer.status_code in (200, 503), answer.text
        return answer.status_code == 200


def shares(cloud: Cloud, name: str) -> dict[str, float]:
    found = cloud.client("sagemaker").describe_endpoint(EndpointName=name)["ProductionVariants"]
    total = sum(variant["CurrentWeight"] for variant in found)
    return {variant["VariantName"]: round(variant["CurrentWeight"] / total, 3) for variant in found}


@contextmanager
def canary(cloud: Cloud, name: str, challenger_adds: int, log: Path) -> Generator[tuple[ServiceProcess, httpx.Client]]:
    """A started canary of a challenger whose answers are too large by so much, at its first step."""
    champion, challenger = model(cloud, f"{name}-v1", mean=0), model(cloud, f"{name}-v2", mean=challenger_adds)
    endpoint(cloud, name, {champion: 1.0, challenger: 0.0})
    document: dict[str, Any] = {
        **DECLARATION,
        "name": name,
        "unit": "request",
        "variants": {champion: 0.5, challenger: 0.5},
        "control": champion,
        "primary": "errors",
        "minimum_effect": 0.01,
        "design": {"kind": "canary", "shares": [0.3, 0.6], "minutes": 0.1, "units": 5},
    }
    service = ServiceProcess(cloud.cloud.endpoint, log, AWS_REGION=server.REGION)
    headers = token(cloud.cloud.endpoint, "eve", Role.EDITOR, Role.SENDER)
    service.start()
    try:
        with httpx.Client(base_url=service.url, headers=headers, timeout=30) as http:
            path = f"/v1/experiments/{name}"
            assert http.put(path, json=document, headers={"If-None-Match": "*"}).status_code == 200
            started = http.post(f"{path}/start", json={"serving": {"endpoint": name, "seconds": 1}})
            assert started.status_code == 200, started.text
            until(lambda: shares(cloud, name)[challenger] == 0.3, 90, "the first step")
            yield service, http
    finally:
        service.stop()  # gives the lease back, for the next one


def until_over(traffic: Traffic, http: httpx.Client, path: str) -> dict[str, Any]:
    while (found := known(http, path))["state"] == "running":
        assert traffic.sent < 1500, found["canary"]
        traffic.some()
        time.sleep(0.5)  # requests come at a rate, and the embedded store reads all of them at each look
    return found


def test_a_harmful_canary_is_rolled_back_by_itself_though_the_service_is_killed(cloud: Cloud, tmp_path: Path) -> None:
    path = "/v1/experiments/harmful"
    with canary(cloud, "harmful", 100, tmp_path / "service.log") as (service, http):
        traffic = Traffic(cloud, "harmful", http)
        traffic.some()
        service.kill()
        service.start()
        until(lambda: known(http, path)["looks"], LEASE_SECONDS + 120, "a look by whoever drives after the killed one")
        found = until_over(traffic, http, path)
        assert (found["verdict"], found["canary"]["in_force"]) == ("roll back", True), found["canary"]
        assert shares(cloud, "harmful") == {"harmful-v1": 1.0, "harmful-v2": 0.0}
        assert known(http, f"{path}/reproduction")["reproduced"]
        assert http.post(f"{path}/decision").json()["state"] == "decided"


def test_a_harmless_canary_gets_all_traffic_step_by_step(cloud: Cloud, tmp_path: Path) -> None:
    path = "/v1/experiments/harmless"
    with canary(cloud, "harmless", 0, tmp_path / "service.log") as (_, http):
        found = until_over(Traffic(cloud, "harmless", http), http, path)
        assert (found["verdict"], found["canary"]["in_force"]) == ("ship", True), found["canary"]
        assert shares(cloud, "harmless") == {"harmless-v1": 0.0, "harmless-v2": 1.0}
        moves = known(http, path)["experiment"]["rollout"]["moves"]
        assert [move["action"] for move in moves] == ["start", "advance", "finish"]
        assert known(http, f"{path}/reproduction")["reproduced"]


def known(http: httpx.Client, path: str) -> dict[str, Any]:
    answer = http.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()
