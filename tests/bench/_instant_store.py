"""A store that takes every event at once, so that what is left to measure is the service's own.

`python -m tests.bench._instant_store PORT TARGET` answers each write of an event with success, unread and unkept, and
passes everything else on to the DynamoDB at TARGET.
"""

import asyncio
import sys

import httpx

_TAKEN = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n\r\n{}"


async def serve(port: int, target: str) -> None:
    """Serve on the loopback interface until cancelled."""
    async with httpx.AsyncClient(timeout=30) as client:

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
                    lengths = {name.lower(): value for name, value in headers.items()}
                    body = await reader.readexactly(int(lengths["content-length"]))
                    event = lengths["x-amz-target"].endswith("PutItem") and b'"events"' in body
                    writer.write(_TAKEN if event else await _passed_on(client, target, headers, body))
            except (asyncio.IncompleteReadError, ConnectionResetError):
                writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", port)
        await server.serve_forever()


async def _passed_on(client: httpx.AsyncClient, target: str, headers: dict[str, str], body: bytes) -> bytes:
    kept = {name: value for name, value in headers.items() if name.lower() not in {"host", "content-length"}}
    answer = await client.post(target, content=body, headers=kept)
    head = f"HTTP/1.1 {answer.status_code} X\r\nContent-Type: application/x-amz-json-1.0\r\n"
    return f"{head}Content-Length: {len(answer.content)}\r\n\r\n".encode() + answer.content


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
