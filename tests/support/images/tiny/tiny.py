"""A standard-library container for tests: `train` averages numbers, `serve` adds that average, `task` is a web server.

What it does wrong on purpose is said by hyperparameters (training) and by the request body (serving).
"""

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def train() -> None:
    settings = json.loads((BASE / "input/config/hyperparameters.json").read_text())
    checkpoint = BASE / "checkpoints" / "step.txt"
    begun = int(checkpoint.read_text()) if checkpoint.exists() else 0
    say(f"resumed at {begun}")
    checkpoint.write_text(str(begun + 1))
    if settings.get("sleep"):

        def on_term(*_: object) -> None:
            (BASE / "model" / "stopped.txt").write_text("saved on SIGTERM")
            sys.exit(0)

        signal.signal(signal.SIGTERM, on_term)
        time.sleep(float(settings["sleep"]))
    if settings.get("raise"):
        (BASE / "output" / "failure").write_text(f"ValueError: {settings['raise']}")
        say(f"Traceback: ValueError: {settings['raise']}")
        sys.exit(3)
    numbers = [
        float(line) for path in sorted((BASE / "input/data/train").iterdir()) for line in path.read_text().split()
    ]
    mean = sum(numbers) / len(numbers)
    say(f"seen={len(numbers)} mean={mean:.3f}")
    (BASE / "model" / "model.json").write_text(json.dumps({"mean": mean, **settings}))
    (BASE / "output/data" / "report.txt").write_text(f"{mean}")
    say(f"endpoint visible: {'AWS_ENDPOINT_URL' in os.environ}")


def serve(port: int) -> None:
    model = (
        json.loads((BASE / "model/model.json").read_text()) if (BASE / "model/model.json").exists() else {"mean": 0.0}
    )
    if model.get("broken"):
        sys.exit("this model cannot load")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            known = self.path in ("/ping", "/health")
            body = {"pid": os.getpid(), "environment": dict(os.environ)} if self.path == "/environment" else {}
            self.answer(200 if known or body else 404, json.dumps(body).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if body == b"crash":
                os._exit(9)
            if body == b"fail":
                self.answer(500, b"it failed")
                return
            try:
                value = float(body) + model["mean"]
            except ValueError:
                self.answer(400, b"not a number")
                return
            attributes = self.headers.get("X-Amzn-SageMaker-Custom-Attributes")
            self.answer(
                200, f"{value}".encode(), {"X-Amzn-SageMaker-Custom-Attributes": attributes} if attributes else {}
            )

        def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/csv")
            self.send_header("Content-Length", str(len(body)))
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_request(self, code: object = "-", size: object = "-") -> None:
            """No line per request."""

    address = os.environ["BIND_ADDRESS"]
    say(f"serving on {address}:{port}")
    ThreadingHTTPServer((address, port), Handler).serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == "train":
        train()
    elif sys.argv[1] == "serve":
        serve(int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")))
    elif sys.argv[1] == "task":
        serve(int(os.environ.get("PORT", "5000")))
    else:
        sys.exit(f"unknown command {sys.argv[1]}")
