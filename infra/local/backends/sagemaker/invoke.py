"""The data plane: `POST /endpoints/<name>/invocations`, straight to a model server."""

import json
import re
import time
from http.client import HTTPException
from typing import Any

from moto.sagemaker.models import sagemaker_backends

from infra.local.backends import install
from infra.local.backends.machine import ACCOUNT, REGION
from infra.local.backends.sagemaker import capture, metrics
from infra.local.backends.sagemaker.endpoints import Endpoint, Generation
from infra.local.backends.sagemaker.fleet import Answer, ModelServer

LARGEST_BODY = 6 * 1024 * 1024
"""Bytes of one real-time invocation; SageMaker's limit of request and answer."""

_PATH = re.compile(r"^/endpoints/([^/]+)/(invocations|invocations-response-stream|async-invocations)$")
_REGION = re.compile(r"Credential=[^/]*/\d+/([^/]+)/")
_PREFIX = "x-amzn-sagemaker-"
_UNSUPPORTED = ("target-model", "target-container-hostname", "inference-component")
_PASSED_ON = ("content-type", "accept")

Reply = tuple[int, list[tuple[str, str]], bytes]

install("sagemaker")


def answer(method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
    """Answer one request of the SageMaker runtime."""
    began = time.perf_counter()
    match = _PATH.match(path)
    if match is None or method != "POST":
        return _error(404, "UnknownOperationException", f"no operation {method} {path}")
    name, operation = match.groups()
    refusal = _refusal(operation, headers, body)
    if refusal is not None:
        return _error(400, "ValidationError", refusal)
    region_match = _REGION.search(headers.get("authorization", ""))
    region = region_match.group(1) if region_match else REGION
    backends: Any = sagemaker_backends
    endpoint: Endpoint | None = backends[ACCOUNT][region].endpoints.get(name)
    target = headers.get(f"{_PREFIX}target-variant")
    route = endpoint.route(target) if endpoint is not None else None
    if endpoint is None or route is None:
        unknown_variant = endpoint is not None and endpoint.live is not None and target is not None
        what = (
            f"Variant {target} not found for Request"
            if unknown_variant
            else f"Endpoint {name} of account {ACCOUNT} not found."
        )
        return _error(400, "ValidationError", what)
    return _invoke(endpoint, *route, headers, body, began)


def _refusal(operation: str, headers: dict[str, str], body: bytes) -> str | None:
    """Why a request cannot be served whatever its endpoint; None when it can."""
    if operation != "invocations":
        return f"{operation} is not written for the embedded AWS: use InvokeEndpoint."
    if len(body) > LARGEST_BODY:
        return f"Request body of {len(body)} bytes exceeds the maximum of {LARGEST_BODY} bytes."
    for member in _UNSUPPORTED:
        if f"{_PREFIX}{member}" in headers:
            return f"Header {_PREFIX}{member} is not supported: the endpoint has one container per variant."
    return None


def _invoke(
    endpoint: Endpoint, generation: Generation, server: ModelServer, headers: dict[str, str], body: bytes, began: float
) -> Reply:
    passed = {key: headers[key] for key in _PASSED_ON if key in headers}
    passed.update(
        {key: value for key, value in headers.items() if key.startswith(_PREFIX) and key != f"{_PREFIX}target-variant"}
    )
    sent = time.perf_counter()
    try:
        given = server.invoke(body, passed)
    except TimeoutError:
        given = Answer(504, {}, b"Your invocation timed out while waiting for a response from container primary.")
    except (OSError, HTTPException):
        given = Answer(503, {}, b"The container does not answer; it is being started again.")
    received = time.perf_counter()
    reply = _reply(endpoint, server, given)
    if given.status < 400:
        exchange = capture.Exchange(
            headers.get("content-type", ""),
            body,
            given.headers.get("content-type", ""),
            given.body,
            headers.get(f"{_PREFIX}custom-attributes"),
            headers.get(f"{_PREFIX}inference-id"),
        )
        capture.record(endpoint.arn, endpoint.name, server.name, server.account, generation.capture, exchange)
    finished = time.perf_counter()
    metrics.record(
        server.account,
        server.region,
        endpoint.name,
        server.name,
        generation.properties[server.name]["CurrentInstanceCount"],
        given.status,
        (received - sent) * 1e6,
        (sent - began + finished - received) * 1e6,
    )
    return reply


def _reply(endpoint: Endpoint, server: ModelServer, given: Answer) -> Reply:
    if given.status >= 400:
        side = "client" if given.status < 500 else "server"
        text = given.body.decode("utf-8", "replace")[:1000]
        group = f"/aws/sagemaker/Endpoints/{endpoint.name}"
        document = {
            "Message": f'Received {side} error ({given.status}) from primary with message "{text}". '
            f"See log group {group} in account {server.account} for more information.",
            "OriginalStatusCode": given.status,
            "OriginalMessage": text,
            "LogStreamArn": f"arn:aws:logs:{server.region}:{server.account}:log-group:{group}",
        }
        return (
            424,
            [("Content-Type", "application/json"), ("x-amzn-ErrorType", "ModelError")],
            json.dumps(document).encode(),
        )
    if len(given.body) > LARGEST_BODY:
        return _error(
            400,
            "ValidationError",
            f"The container's answer of {len(given.body)} bytes exceeds the maximum of {LARGEST_BODY} bytes.",
        )
    answered = [
        ("Content-Type", given.headers.get("content-type", "application/octet-stream")),
        ("x-Amzn-Invoked-Production-Variant", server.name),
    ]
    attributes = given.headers.get(f"{_PREFIX}custom-attributes")
    if attributes is not None:
        answered.append(("X-Amzn-SageMaker-Custom-Attributes", attributes))
    return 200, answered, given.body


def _error(status: int, code: str, message: str) -> Reply:
    return (
        status,
        [("Content-Type", "application/json"), ("x-amzn-ErrorType", code)],
        json.dumps({"Message": message}).encode(),
    )
