"""The service as a process, and a store between it and the embedded DynamoDB that fails in every way a store does."""

import base64
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import httpx

from pipelines.experimentation.service import tables
from pipelines.experimentation.service.tokens import Role, Tokens

ROOT = Path(__file__).resolve().parents[3]
STATE, EVENTS = "state", "events"
UNIT_KEY = b"not a secret, only for the tests"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
        time.sleep(0.02)


class FaultyStore:
    """Relays to a DynamoDB; of the writes of events it throttles every 13th and does every 29th unanswered."""

    def __init__(self, target: str) -> None:
        self.writes, self.faulty = 0, True
        self._lock = threading.Lock()
        store = self
        relay = self._relay = httpx.Client(timeout=30)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                turn = store.turn(self.headers.get("X-Amz-Target", ""), body)
                if turn % 13 == 6:
                    throttled = b'{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}'
                    self._answer(400, "application/x-amz-json-1.0", throttled)
                    return
                kept = {k: v for k, v in self.headers.items() if k.lower() not in {"host", "content-length"}}
                answer = relay.post(target, content=body, headers=kept)
                if turn % 29 == 10:
                    self.close_connection = True  # it is stored, and nobody hears of it
                    return
                self._answer(answer.status_code, answer.headers["content-type"], answer.content)

            def _answer(self, status: int, kind: str, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                del format, args

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                del request, client_address  # a killed service resets its connections

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def turn(self, target: str, body: bytes) -> int:
        if not (target.endswith("PutItem") and b'"events"' in body):
            return 0
        with self._lock:
            self.writes += 1
            return self.writes if self.faulty else 0

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._relay.close()


class ServiceProcess:
    """The image's entry point on a port of its own; it can be killed and started again."""

    def __init__(self, endpoint: str, log: Path, **environment: str) -> None:
        self.port, self._log = free_port(), log
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "STATE_TABLE": STATE,
            "EVENTS_TABLE": EVENTS,
            "UNIT_KEY": base64.b64encode(UNIT_KEY).decode(),
            "SETTLE_SECONDS": "0.2",
            "BIND_ADDRESS": "127.0.0.1",
            "PORT": str(self.port),
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "serve.py"],
                cwd=ROOT / "pipelines" / "experimentation",
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        until(self.healthy, 60, f"{self.url}/health")

    def healthy(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self._log.read_text()[-2000:]
        try:
            return httpx.get(f"{self.url}/health", timeout=1).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(30)


def client(endpoint: str) -> Any:
    return boto3.client(  # pyright: ignore[reportUnknownMemberType]: the stubs name only some services
        "dynamodb",
        "eu-west-1",
        endpoint_url=endpoint,
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


@contextmanager
def store() -> Generator[str]:
    """The endpoint of a DynamoDB that outlives every service, with the tables in it."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: listening(port), 60, "the embedded DynamoDB")
        endpoint = f"http://127.0.0.1:{port}"
        tables.create(client(endpoint), STATE, EVENTS)
        yield endpoint
    finally:
        process.kill()
        process.wait()


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def token(endpoint: str, subject: str, *roles: Role) -> dict[str, str]:
    """Headers of somebody with these roles."""
    return {"Authorization": f"Bearer {Tokens(client(endpoint), STATE).issue(subject, frozenset(roles))}"}
