"""HTTP/1.1 with connections kept open: the data plane is answered here, everything else is moto's WSGI application.

Werkzeug's own handler closes every connection and waits 10 ms for stray bytes; this one reads the whole request first,
so the next one can follow on the same connection.
"""

import io
import sys
import traceback
from collections.abc import Callable, Iterable
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from moto.moto_server.werkzeug_app import MotoRequestHandler

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

DataPlane = Callable[[str, str, "dict[str, str]", bytes], "tuple[int, list[tuple[str, str]], bytes]"]
"""`(method, path, headers in lower case, body) → (status, headers, body)`."""

_LARGEST_BODY = 5 * 1024**3  # a single S3 PutObject


class Server(ThreadingHTTPServer):
    """A thread per connection; connections of a stopped server do not keep its process alive."""

    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True

    multithread = True
    multiprocess = False
    ssl_context = None
    _server_version = "mlp"

    def __init__(self, host: str, port: int, application: Application, data_plane: DataPlane) -> None:
        self.app = application
        self.data_plane = data_plane
        super().__init__((host, port), Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is its own affair; anything else goes to the log."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def log(self, *_: Any) -> None:
        """No line per request."""


class Handler(MotoRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = 300
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride] - the stub knows werkzeug's server only

    def handle_expect_100(self) -> bool:
        """Tell the client at once to send its body: output is buffered."""
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def run_wsgi(self) -> None:
        """Answer one request."""
        body = self._body()
        if body is None:
            return
        if self.path.startswith("/endpoints/"):
            path = unquote(self.path.partition("?")[0])
            headers = {key.lower(): value for key, value in self.headers.items()}
            self._answer(*self.server.data_plane(self.command, path, headers, body))
            return
        self.environ = environ = self.make_environ()
        environ["wsgi.input"] = io.BytesIO(body)
        environ["wsgi.input_terminated"] = True
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        self._answer(*self._run(environ))

    def _run(self, environ: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], None]:
            started[:] = [int(status.split(" ", 1)[0]), headers]
            return lambda _: None

        try:
            answer = self.server.app(environ, start_response)
            content = b"".join(answer)
            close = getattr(answer, "close", None)
            if close is not None:
                close()
        except Exception:  # noqa: BLE001 - the boundary: the client gets a 500 and the log the reason
            traceback.print_exc()
            return 500, [("Content-Type", "text/plain")], b"InternalFailure"
        return started[0], started[1], content

    def _body(self) -> bytes | None:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            chunks = bytearray()
            while size := int(self.rfile.readline(1024).split(b";")[0], 16):
                chunks += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline(65536).strip():
                pass
            return bytes(chunks)
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > _LARGEST_BODY:
            self.close_connection = True
            self._answer(HTTPStatus.BAD_REQUEST, [("Content-Type", "text/plain")], b"bad Content-Length")
            return None
        return self.rfile.read(int(length)) if length != "0" else b""

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        bodiless = status in (204, 304) or status < 200
        lines = [f"HTTP/1.1 {status} {_reason(status)}\r\n"]
        lengths = [value for key, value in headers if key.lower() == "content-length"]
        lines.extend(
            f"{key}: {value}\r\n"
            for key, value in headers
            if key.lower() not in ("content-length", "connection", "transfer-encoding")
        )
        if self.command == "HEAD" and lengths:
            lines.append(f"Content-Length: {lengths[0]}\r\n")
        elif not bodiless:
            lines.append(f"Content-Length: {len(content)}\r\n")
        if self.close_connection:
            lines.append("Connection: close\r\n")
        lines.append("\r\n")
        head = "".join(lines).encode("latin-1", "replace")
        self.wfile.write(head if bodiless or self.command == "HEAD" else head + content)
        self.wfile.flush()


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
