"""Server-sent events and AWS event streams, made and read without the code under test."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING
from zlib import crc32

from botocore.eventstream import EventStreamBuffer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.conformance.values import Json


def pieces(text: str) -> tuple[str, str]:
    """A text in two."""
    middle = len(text) // 2
    return text[:middle], text[middle:]


def sse(events: Iterable[tuple[str, Json]]) -> bytes:
    """Named events, or unnamed where the name is empty. Data that is a string goes out as it is."""
    out = []
    for name, doc in events:
        data = doc if isinstance(doc, str) else json.dumps(doc, ensure_ascii=False)
        out.append((f"event: {name}\n" if name else "") + f"data: {data}\n\n")
    return "".join(out).encode()


def read_sse(raw: bytes) -> list[tuple[str, str]]:
    """Names and data of the events of a stream."""
    events = []
    for block in raw.decode().replace("\r\n", "\n").split("\n\n"):
        name, data = "", []
        for line in block.split("\n"):
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
        if data:
            events.append((name, "\n".join(data)))
    return events


def docs(raw: bytes) -> list[tuple[str, Json]]:
    """The same, of the events that hold JSON."""
    return [(name, json.loads(data)) for name, data in read_sse(raw) if data.startswith("{")]


def aws(events: Iterable[tuple[str, Json]], kind: str = "event") -> bytes:
    """Messages of the event stream encoding (docs.aws.amazon.com, Amazon Transcribe, event stream
    encoding; the same for all services)."""
    return b"".join(_message(name, json.dumps(doc).encode(), kind) for name, doc in events)


def _message(name: str, payload: bytes, kind: str) -> bytes:
    label = ":exception-type" if kind == "exception" else ":event-type"
    told = {label: name, ":content-type": "application/json", ":message-type": kind}
    headers = b"".join(
        bytes([len(key)]) + key.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for key, value in told.items()
    )
    head = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    body = head + struct.pack(">I", crc32(head)) + headers + payload
    return body + struct.pack(">I", crc32(body))


def read_aws(raw: bytes) -> list[tuple[str, Json]]:
    """Names and documents, as botocore reads them; an exception's name has `!` before it."""
    buffer = EventStreamBuffer()
    buffer.add_data(raw)
    out = []
    for event in buffer:
        found = event.to_response_dict()["headers"]
        name = found.get(":event-type") or "!" + str(
            found.get(":exception-type") or found.get(":error-code")
        )
        out.append((name, json.loads(event.payload or b"{}")))
    return out
