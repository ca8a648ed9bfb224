"""The service in this process, on an embedded DynamoDB, with a clock that the test turns."""

import base64
import itertools
import uuid
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from moto import mock_aws

from pipelines.experimentation.decision.stream import EventStream
from pipelines.experimentation.service.app import application
from pipelines.experimentation.service.services import Services, Serving, assemble
from pipelines.experimentation.service.settings import Settings, public_keys
from pipelines.experimentation.service.tokens import Role

DAY = 86_400.0
START = 1_800_000_000.0
ISSUER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))

DECLARATION: dict[str, Any] = {
    "name": "checkout-button",
    "hypothesis": "A larger button makes more visitors buy, since they find it sooner.",
    "owner": "checkout",
    "unit": "user",
    "variants": {"control": 0.5, "treatment": 0.5},
    "control": "control",
    "metrics": {
        "conversion": {"kind": "proportion", "outcome": "purchase", "direction": "increase"},
        "errors": {"kind": "proportion", "outcome": "error", "direction": "decrease"},
    },
    "primary": "conversion",
    "minimum_effect": 0.15,
    "design": {"kind": "group-sequential", "looks": [0.5, 1.0]},
    "guardrails": [{"kind": "rare-event", "metric": "errors"}],
    "approvers": ["ann"],
}


class _Bridge(httpx.BaseTransport):
    """Synchronous requests to an ASGI application."""

    def __init__(self, portal: BlockingPortal, app: Any) -> None:
        self._portal, self._inner = portal, httpx.ASGITransport(app, raise_app_exceptions=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def answer() -> httpx.Response:
            response = await self._inner.handle_async_request(
                httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
            )
            return httpx.Response(response.status_code, headers=response.headers, content=await response.aread())

        return self._portal.call(answer)


@dataclass
class Harness:
    """Requests by role, and what is behind them."""

    parts: Services
    http: httpx.Client
    now: list[float]
    client: Any
    """Of the embedded DynamoDB."""
    tokens: dict[str, str] = field(default_factory=dict[str, str])

    def call(self, method: str, path: str, role: str = "editor", **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens[role]}", **more.pop("headers", {})}
        return self.http.request(method, path, headers=headers, **more)

    def declare(self, **changes: Any) -> httpx.Response:
        document = {**DECLARATION, **changes}
        return self.call("PUT", f"/v1/experiments/{document['name']}", json=document, headers={"If-None-Match": "*"})

    def start(self, **changes: Any) -> None:
        assert self.declare(**changes).status_code == 200
        name = changes.get("name", DECLARATION["name"])
        assert self.call("POST", f"/v1/experiments/{name}/start").status_code == 200

    def send(self, events: Sequence[dict[str, Any]], **more: Any) -> httpx.Response:
        return self.call("POST", "/v1/events", "sender", json={"events": list(events), **more})

    def counted(self, name: str = "checkout-button") -> int:
        return len(self.parts.events.load(name, self.now[0]))


def exposure(unit: str, variant: str = "control", at: float = START + 10, **more: Any) -> dict[str, Any]:
    event = {"id": uuid.uuid4().hex, "kind": "exposure", "experiment": "checkout-button", "unit": unit, "at": at}
    return {**event, "variant": variant, **more}


def outcome(unit: str, name: str = "purchase", at: float = START + 20, **more: Any) -> dict[str, Any]:
    event = {"id": uuid.uuid4().hex, "kind": "outcome", "experiment": "checkout-button", "unit": unit, "at": at}
    return {**event, "outcome": name, **more}


def traffic(units: int, rates: dict[str, float], at: float, prefix: str = "unit") -> list[dict[str, Any]]:
    """Units dealt in turn, of which a share of each variant buys."""
    events = list[dict[str, Any]]()
    seen = dict.fromkeys(rates, 0)
    for i, variant in zip(range(units), itertools.cycle(rates), strict=False):
        unit = f"{prefix}-{i}"
        events.append(exposure(unit, variant, at))
        seen[variant] += 1
        if int(seen[variant] * rates[variant]) > int((seen[variant] - 1) * rates[variant]):
            events.append(outcome(unit, at=at + 5))
    return events


@contextmanager
def harness(stream: EventStream | None = None, serving: Serving | None = None) -> Generator[Harness]:
    """A service on empty tables, at START. Its background work is done by the tests themselves."""
    now = [START]
    key = base64.b64encode(ISSUER.public_key().public_bytes_raw()).decode()
    own = uuid.uuid4().hex  # nested embedded clouds are one
    settings = Settings(
        f"state-{own}", f"events-{own}", b"k" * 32, public_keys(key), settle_seconds=1.0, create_tables=True
    )
    with mock_aws(), start_blocking_portal() as portal:
        client: Any = boto3.client(  # pyright: ignore[reportUnknownMemberType]: the stubs name only some services
            "dynamodb", "eu-west-1", aws_access_key_id="local", aws_secret_access_key="local"
        )
        parts = assemble(settings, client, stream, serving, clock=lambda: now[0])
        with httpx.Client(transport=_Bridge(portal, application(parts)), base_url="http://service") as http:
            found = Harness(parts, http, now, client)
            for name, subject in (("sender", "shop"), ("viewer", "vic"), ("editor", "eve"), ("approver", "ann")):
                found.tokens[name] = parts.tokens.issue(subject, frozenset({Role(name)}))
            found.tokens["stranger"] = parts.tokens.issue("bob", frozenset({Role.APPROVER}))
            yield found
