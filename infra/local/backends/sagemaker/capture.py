"""Data capture: SageMaker's JSON lines, flushed to S3 by size and by time."""

import base64
import json
import random
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from infra.local.backends.stores import Location, MissingBucketError, Objects

Document = dict[str, Any]
_FLUSH_SECONDS = 5.0
_FLUSH_BYTES = 1 << 20


@dataclass(frozen=True)
class Exchange:
    """One invocation as the client saw it."""

    content_type: str
    body: bytes
    answer_type: str
    answer: bytes
    custom_attributes: str | None
    inference_id: str | None


@dataclass
class _Buffer:
    account: str
    destination: str
    endpoint: str
    variant: str
    lines: list[str] = field(default_factory=list[str])
    size: int = 0
    since: float = field(default_factory=time.monotonic)


_lock = threading.Lock()
_buffers: dict[tuple[str, str], _Buffer] = {}
_flusher: list[threading.Thread] = []


def summary(config: Document | None) -> Document | None:
    """DataCaptureConfigSummary of an endpoint."""
    if not config:
        return None
    enabled = bool(config.get("EnableCapture"))
    document = {
        "EnableCapture": enabled,
        "CaptureStatus": "Started" if enabled else "Stopped",
        "CurrentSamplingPercentage": config["InitialSamplingPercentage"],
        "DestinationS3Uri": config["DestinationS3Uri"],
        "KmsKeyId": config.get("KmsKeyId"),
    }
    return {key: value for key, value in document.items() if value is not None}


def line(config: Document, exchange: Exchange, now: datetime, event_id: str) -> str:
    """One captured event as a line of JSON, without its end."""
    modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
    both = "InputAndOutput" in modes
    data: Document = {}
    if both or "Input" in modes:
        data["endpointInput"] = _half("INPUT", exchange.content_type, exchange.body, config)
    if both or "Output" in modes:
        data["endpointOutput"] = _half("OUTPUT", exchange.answer_type, exchange.answer, config)
    metadata: Document = {"eventId": event_id}
    if exchange.custom_attributes is not None:
        metadata["customAttributes"] = [exchange.custom_attributes]
    if exchange.inference_id is not None:
        metadata["inferenceId"] = exchange.inference_id
    metadata["inferenceTime"] = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps({"captureData": data, "eventMetadata": metadata, "eventVersion": "0"}, separators=(",", ":"))


def key_below(where: Location, endpoint: str, variant: str, now: datetime, unique: str) -> str:
    """Object key of a flushed file."""
    return where.below(
        endpoint,
        variant,
        now.strftime("%Y/%m/%d/%H"),
        f"{now.strftime('%M-%S')}-{now.microsecond // 1000:03d}-{unique}.jsonl",
    )


def record(arn: str, endpoint: str, variant: str, account: str, config: Document | None, exchange: Exchange) -> None:
    """Buffer an exchange, if capture is on and the draw says so."""
    if not config or not config.get("EnableCapture") or random.random() * 100 >= config["InitialSamplingPercentage"]:  # noqa: S311 - sampling
        return
    text = line(config, exchange, datetime.now(UTC), str(uuid.uuid4()))
    with _lock:
        buffer = _buffers.get((arn, variant))
        if buffer is None or buffer.destination != config["DestinationS3Uri"]:
            if buffer is not None:
                _write(buffer)
            buffer = _buffers[arn, variant] = _Buffer(account, config["DestinationS3Uri"], endpoint, variant)
        buffer.lines.append(text)
        buffer.size += len(text)
        if buffer.size >= _FLUSH_BYTES:
            _write(_buffers.pop((arn, variant)))
        if not _flusher:
            _flusher.append(threading.Thread(target=_flush_for_ever, name="capture", daemon=True))
            _flusher[0].start()


def flush(arn: str | None = None) -> None:
    """Write what is buffered, of one endpoint or of all."""
    with _lock:
        for key in [key for key in _buffers if arn is None or key[0] == arn]:
            _write(_buffers.pop(key))


def _flush_for_ever() -> None:
    while True:
        time.sleep(0.5)
        now = time.monotonic()
        with _lock:
            for key in [key for key, buffer in _buffers.items() if now - buffer.since >= _FLUSH_SECONDS]:
                _write(_buffers.pop(key))


def _write(buffer: _Buffer) -> None:
    where = Location.parse(buffer.destination)
    key = key_below(where, buffer.endpoint, buffer.variant, datetime.now(UTC), str(uuid.uuid4()))
    try:
        Objects(buffer.account).write(where.bucket, key, ("\n".join(buffer.lines) + "\n").encode())
    except MissingBucketError:
        # As on AWS: capture fails quietly, invocations go on.
        return


def _half(mode: str, content_type: str, body: bytes, config: Document) -> Document:
    encoding = _encoding(content_type, config.get("CaptureContentTypeHeader") or {})
    data = base64.b64encode(body).decode() if encoding == "BASE64" else body.decode("utf-8", "replace")
    return {"observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding}


def _encoding(content_type: str, headers: dict[str, Sequence[str]]) -> str:
    plain = content_type.partition(";")[0].strip().lower()
    if plain in (value.lower() for value in headers.get("CsvContentTypes") or []):
        return "CSV"
    if plain in (value.lower() for value in headers.get("JsonContentTypes") or []):
        return "JSON"
    return "BASE64"
