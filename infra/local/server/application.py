"""moto's dispatcher with live backends in place before a service's first request, and errors as AWS words them."""

import importlib
import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from infra.local.backends import install, ledger

_WARM = ("s3", "iam", "ec2", "kms", "sts", "sagemaker", "logs", "cloudwatch", "ssm", "ecr", "ecs", "elbv2", "rds")


class Application:
    """WSGI application of the whole control plane."""

    def __init__(self, cloud_id: str) -> None:
        self._cloud_id = cloud_id
        self._moto = DomainDispatcherApplication(_create)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        path = str(environ.get("PATH_INFO", ""))
        if path.startswith("/_mlp/"):
            return self._own(path, start_response)
        operation = _operation(environ)
        service = _service(environ)
        refusal = ledger.refusal(service, operation) if operation else None
        if refusal is not None:
            return _refuse(environ, start_response, refusal)
        try:
            return self._moto(environ, start_response)
        except NotImplementedError as error:
            return _refuse(
                environ, start_response, f"{error} Not written for the embedded AWS; COVERAGE.md lists what is."
            )

    def _own(self, path: str, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if path == "/_mlp/health":
            return _json(start_response, {"cloud_id": self._cloud_id})
        if path == "/_mlp/inventory":
            return _json(start_response, importlib.import_module("infra.local.backends.inventory").deployed())
        if path == "/_mlp/services":
            return _json(start_response, importlib.import_module("infra.local.backends.machine").machine().services())
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"no such page"]


def data_plane(
    method: str, path: str, headers: dict[str, str], body: bytes
) -> tuple[int, list[tuple[str, str]], bytes]:
    """SageMaker runtime, without moto in between."""
    runtime = importlib.import_module("infra.local.backends.sagemaker.invoke")
    return runtime.answer(method, path, headers, body)


def warm() -> None:
    """Load what a deployment asks for first while nobody waits for it."""
    for service in _WARM:
        install(service)
        importlib.import_module(f"moto.{service}.responses")
    importlib.import_module("infra.local.backends.sagemaker.invoke")


def _create(service: Any) -> Any:
    install(str(service))
    app = create_backend_app(service)
    # An exception must reach us, not a debugger page.
    app.debug = False
    app.config["PROPAGATE_EXCEPTIONS"] = True
    return app


def _service(environ: dict[str, Any]) -> str:
    match = re.search(r"Credential=[^/]*/[^/]*/[^/]*/([^/]*)/", str(environ.get("HTTP_AUTHORIZATION", "")))
    return match.group(1) if match else ""


def _operation(environ: dict[str, Any]) -> str:
    target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
    if target:
        return target.rpartition(".")[2]
    if str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded"):
        stream = environ["wsgi.input"]
        body = stream.read()
        stream.seek(0)
        return parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
    return ""


def _refuse(environ: dict[str, Any], start_response: Callable[..., Any], message: str) -> Iterable[bytes]:
    code = "UnsupportedOperation"
    if environ.get("HTTP_X_AMZ_TARGET"):
        body = json.dumps({"__type": code, "message": message}).encode()
        headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-ErrorType", code)]
    else:
        escaped = message.replace("&", "&amp;").replace("<", "&lt;")
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escaped}</Message></Error>"
        body = f"<ErrorResponse>{error}</ErrorResponse>".encode()
        headers = [("Content-Type", "text/xml")]
    start_response("400 Bad Request", headers)
    return [body]


def _json(start_response: Callable[..., Any], document: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(document).encode()]
