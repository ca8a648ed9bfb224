"""Listeners: sockets on a load balancer's address whose connections are relayed to targets, all in one event loop."""

import asyncio
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

Target = tuple[str, int]
_CONNECT_SECONDS = 5.0
_CHUNK = 64 * 1024
_HEAD_LIMIT = 64 * 1024


@dataclass(frozen=True)
class Route:
    """What a listener does with a connection: relay it to one of `targets`, tried in order, or answer by itself.

    `answer` gets the request line and the Host header and returns a whole HTTP response. `http` listeners answer 503
    when there are no targets and 502 when none can be reached; others close the connection.
    """

    targets: tuple[Target, ...] = ()
    answer: Callable[[str, str], bytes] | None = None
    http: bool = True


class Relay:
    """Owner of the event loop and of the open listeners."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._servers: dict[str, asyncio.Server] = {}
        self._writers: dict[str, set[asyncio.StreamWriter]] = {}
        threading.Thread(target=self._loop.run_forever, name="relay", daemon=True).start()

    def open(
        self, key: str, address: str, port: int, route: Callable[[], Route], tls: ssl.SSLContext | None = None
    ) -> None:
        """Listen; `route` is asked for every connection.

        Raises:
            OSError: the port cannot be bound.
        """
        asyncio.run_coroutine_threadsafe(self._open(key, address, port, route, tls), self._loop).result(10.0)

    def close(self, key: str) -> None:
        """Stop listening and end the connections; unknown keys are ignored."""
        asyncio.run_coroutine_threadsafe(self._close(key), self._loop).result(10.0)

    async def _open(
        self, key: str, address: str, port: int, route: Callable[[], Route], tls: ssl.SSLContext | None
    ) -> None:
        writers = self._writers.setdefault(key, set())

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.add(writer)
            try:
                await _serve(reader, writer, route())
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
                pass
            finally:
                writers.discard(writer)
                writer.close()

        self._servers[key] = await asyncio.start_server(serve, address, port, ssl=tls, limit=_HEAD_LIMIT)

    async def _close(self, key: str) -> None:
        server = self._servers.pop(key, None)
        if server is not None:
            server.close()
        for writer in self._writers.pop(key, set()):
            writer.close()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, route: Route) -> None:
    if route.answer is not None:
        await _answer_alone(reader, writer, route.answer)
        return
    for address, port in route.targets:
        try:
            upstream = await asyncio.wait_for(asyncio.open_connection(address, port), _CONNECT_SECONDS)
        except (OSError, TimeoutError):
            continue
        await _join(reader, writer, *upstream)
        return
    if route.http:
        writer.write(
            response(
                502 if route.targets else 503, "Bad Gateway" if route.targets else "Service Temporarily Unavailable"
            )
        )
        await writer.drain()


async def _answer_alone(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Callable[[str, str], bytes]
) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *headers = head.split("\r\n")
    host = next((value.partition(":")[2].strip() for value in headers if value.lower().startswith("host:")), "")
    writer.write(answer(line, host))
    await writer.drain()


async def _join(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, back: asyncio.StreamReader, forth: asyncio.StreamWriter
) -> None:
    try:
        await asyncio.gather(_copy(reader, forth), _copy(back, writer))
    finally:
        forth.close()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while chunk := await source.read(_CHUNK):
            sink.write(chunk)
            await sink.drain()
    finally:
        if sink.can_write_eof():
            try:
                sink.write_eof()
            except OSError:  # the other side is gone already
                sink.close()
        else:
            sink.close()


def response(status: int, reason: str, body: bytes = b"", content_type: str = "text/html", **headers: str) -> bytes:
    """A whole HTTP/1.1 response that closes its connection."""
    body = body or f"<html><body><h1>{status} {reason}</h1></body></html>".encode()
    extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    fixed = f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    return f"HTTP/1.1 {status} {reason}\r\nServer: awselb/2.0\r\n{fixed}{extra}\r\n".encode("latin-1") + body


def redirect_location(config: dict[str, str], request_line: str, host: str, port: int, protocol: str) -> str:
    """Location of a redirect action, its `#{…}` placeholders filled in from the request."""
    target = urlsplit(request_line.split(" ")[1] if request_line.count(" ") >= 2 else "/")
    values = {
        "protocol": protocol.lower(),
        "host": host.partition(":")[0],
        "port": str(port),
        "path": target.path.lstrip("/"),
        "query": target.query,
    }

    def filled(member: str, default: str) -> str:
        text = config.get(member) or default
        for name, value in values.items():
            text = text.replace(f"#{{{name}}}", value)
        return text

    scheme = filled("Protocol", "#{protocol}").lower()
    query = filled("Query", "#{query}")
    place = f"{filled('Host', '#{host}')}:{filled('Port', '#{port}')}{filled('Path', '/#{path}')}"
    return f"{scheme}://{place}{'?' + query if query else ''}"
