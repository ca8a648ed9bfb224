"""The embedded AWS from outside: start it, stop it, ask what runs.

Everything it keeps lies in `<home>/cloud`: `server.json` while it runs, `logs/`, `data/`, `processes/`.
"""

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from infra.local.errors import LocalError
from infra.local.runtime import marks, scratch

REGION = "eu-west-1"
ACCOUNT = "123456789012"
_START_SECONDS = 30.0
_STOP_SECONDS = 30.0
_FREE_BYTES = 256 * 1024 * 1024
# Servers started by this very process: they are its children and must be reaped by it.
_children: dict[int, "subprocess.Popen[bytes]"] = {}

__all__ = ["Cloud", "Running", "environment", "inventory", "log_path", "services", "start", "status", "stop"]


@dataclass(frozen=True)
class Cloud:
    """A running embedded AWS. `started_at` is seconds since the epoch; `cloud_id` is new at every start."""

    endpoint: str
    pid: int
    cloud_id: str
    started_at: float


@dataclass(frozen=True)
class Running:
    """Something the embedded AWS runs; `address` is empty when it listens nowhere."""

    name: str
    pid: int
    address: str
    state: str


def start(home: Path, endpoint: str) -> Cloud:
    """Start the server of `home` on `endpoint` and return when it answers; the one that runs, if one does.

    Raises:
        LocalError: the endpoint is not loopback, its port is taken, another endpoint is served already, the disk is
            full, or the server did not come up.
    """
    host, port = _loopback(endpoint)
    folder = _folder(home)
    _room(folder)
    with _alone(folder):
        _reap()
        running = status(home)
        if running is not None:
            if running.endpoint != endpoint:
                raise LocalError(
                    f"the embedded AWS of {home} already answers at {running.endpoint}, {endpoint} was asked for: "
                    "use that endpoint, or run `mlp local stop` first"
                )
            return running
        _port_free(host, port)
        marks.sweep(folder)
        (folder / "server.json").unlink(missing_ok=True)
        return _spawn(home, folder, endpoint)


def stop(home: Path) -> bool:
    """Stop the server of `home` and everything it started; whether anything ran. Emulated state is gone afterwards."""
    folder = home.resolve() / "cloud"
    if not folder.is_dir():
        return False
    with _alone(folder):
        _reap()
        running = _server_process(folder)
        if running is not None:
            running.send_signal(signal.SIGTERM)
            _end(running)
        left = marks.sweep(folder)
        scratch.remove(folder)
        (folder / "server.json").unlink(missing_ok=True)
        for name in ("data", "processes"):
            shutil.rmtree(folder / name, ignore_errors=True)
        return running is not None or left > 0


def status(home: Path) -> Cloud | None:
    """The server of `home` if it runs and answers, else None."""
    folder = home.resolve() / "cloud"
    if _server_process(folder) is None:
        return None
    cloud = _written(folder)
    if cloud is None:
        return None
    try:
        answer = _get(cloud.endpoint, "/_mlp/health")
    except (OSError, HTTPException, ValueError):
        return None
    return cloud if answer.get("cloud_id") == cloud.cloud_id else None


def inventory(endpoint: str) -> dict[str, list[str]]:
    """What is deployed: service to sorted resource names, `{}` when nothing is.

    What AWS keeps as history and cannot delete either (finished training jobs, inactive task definitions, keys
    waiting for deletion, service-made log groups) is not listed.

    Raises:
        LocalError: nothing answers at `endpoint`.
    """
    return _asked(endpoint, "/_mlp/inventory")


def services(home: Path) -> list[Running]:
    """What the server of `home` runs now, itself first; empty when it does not run."""
    cloud = status(home)
    if cloud is None:
        return []
    rows: list[dict[str, Any]] = _asked(cloud.endpoint, "/_mlp/services")
    return [Running("aws", cloud.pid, cloud.endpoint, "running"), *(Running(**row) for row in rows)]


def log_path(home: Path, service: str) -> Path:
    """Log file of a service named by `services`, alive or not.

    Raises:
        LocalError: no such log; the text lists those there are.
    """
    folder = home.resolve() / "cloud" / "logs"
    path = folder / f"{service}.log"
    if path.parent != folder or not path.is_file():
        known = ", ".join(sorted(log.stem for log in folder.glob("*.log"))) or "none yet"
        raise LocalError(f"no log of a service {service!r}; logs there are: {known}")
    return path


def environment(cloud: Cloud) -> dict[str, str]:
    """Variables that send boto3, the `aws` command and containers to `cloud`."""
    return {
        "AWS_ENDPOINT_URL": cloud.endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }


def _folder(home: Path) -> Path:
    folder = home.resolve() / "cloud"
    try:
        (folder / "logs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LocalError(
            f"cannot write below {home}: {error.strerror}; set MLP_HOME to a folder you may write"
        ) from error
    return folder


def _room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < _FREE_BYTES:
        raise LocalError(
            f"{free // 2**20} MiB are free where {folder} lies and at least {_FREE_BYTES // 2**20} MiB are needed: "
            "free some space, or set MLP_HOME to a folder on another disk"
        )


def _loopback(endpoint: str) -> tuple[str, int]:
    parts = urlsplit(endpoint)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "localhost") or not port:
        raise LocalError(
            f"endpoint {endpoint!r} is not allowed: the embedded AWS listens on http://127.0.0.1:<port> only"
        )
    return "127.0.0.1", port


def _port_free(host: str, port: int) -> None:
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with probe:
        try:
            probe.bind((host, port))
        except OSError as error:
            raise LocalError(
                f"port {port} on {host} is taken ({error.strerror}){_holder(port)}: stop what listens there, "
                "or set AWS_ENDPOINT_URL to http://127.0.0.1:<another port>"
            ) from error


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == "LISTEN" and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass
    return ""


def _spawn(home: Path, folder: Path, endpoint: str) -> Cloud:
    log = folder / "logs" / "aws.log"
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own module with our own arguments
            [sys.executable, "-m", "infra.local.server", str(folder), endpoint],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={key: value for key, value in os.environ.items() if key != marks.MARK},
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        cloud = _written(folder)
        if cloud is not None and cloud.pid == process.pid:
            _children[process.pid] = process
            return cloud
        time.sleep(0.01)
    process.kill()
    process.wait()
    marks.sweep(folder)
    tail = log.read_text(errors="replace").strip().splitlines()[-1:] or ["no output"]
    raise LocalError(f"the embedded AWS of {home} did not start within {_START_SECONDS:.0f} s: {tail[0]} (log: {log})")


def _reap() -> None:
    """Take note of servers of ours that ended unasked."""
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            del _children[pid]


def _end(running: psutil.Process) -> None:
    child = _children.pop(running.pid, None)
    waited = child if child is not None else running
    try:
        waited.wait(_STOP_SECONDS)
    except (subprocess.TimeoutExpired, psutil.TimeoutExpired):
        waited.kill()
        waited.wait(5.0)


def _written(folder: Path) -> Cloud | None:
    try:
        return Cloud(
            **{
                key: value
                for key, value in json.loads((folder / "server.json").read_text()).items()
                if key != "process_started"
            }
        )
    except (OSError, ValueError, TypeError):
        return None


def _server_process(folder: Path) -> psutil.Process | None:
    """The process that wrote `server.json`, told from a later one with the same pid by its start time."""
    try:
        written = json.loads((folder / "server.json").read_text())
        process = psutil.Process(written["pid"])
        same = (
            abs(process.create_time() - written["process_started"]) < 0.05 and process.status() != psutil.STATUS_ZOMBIE
        )
    except (OSError, ValueError, KeyError, psutil.Error):
        return None
    return process if same else None


def write(folder: Path, cloud: Cloud) -> None:
    """Make a server known; called by the server once it answers."""
    document = {**asdict(cloud), "process_started": psutil.Process(cloud.pid).create_time()}
    temporary = folder / "server.json.new"
    temporary.write_text(json.dumps(document, indent=2))
    temporary.replace(folder / "server.json")


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _asked(endpoint: str, path: str) -> Any:
    try:
        return _get(endpoint, path)
    except (OSError, HTTPException, ValueError) as error:
        raise LocalError(f"no embedded AWS answers at {endpoint} ({error}): run `mlp local start`") from error


def _get(endpoint: str, path: str) -> Any:
    host, port = _loopback(endpoint)
    connection = HTTPConnection(host, port, timeout=30.0)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise HTTPException(f"{path} answered {answer.status}")
        return json.loads(body)
    finally:
        connection.close()
