"""AWS event streams (`application/vnd.amazon.eventstream`), as a push parser and a writer.

A message is a prelude (total length and length of the headers, four bytes each, and a CRC32 of
these eight bytes), the headers, the payload, and a CRC32 of all before it; numbers are big-endian.
A header is the length of its name (one byte), the name, a type (one byte) and a value.

Source: https://smithy.io/2.0/aws/amazon-eventstream.html. An exception of the service is a message
whose `:message-type` is `exception`, an error of the connection one whose type is `error`.
"""

from __future__ import annotations

import struct
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.model import Failure
from nexus_sdk.wire.json import dumps
from nexus_sdk.wire.sse import StreamEvent

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTENT_TYPE = "application/vnd.amazon.eventstream"
MAX_HEADERS_BYTES = 128 * 1024
MAX_PAYLOAD_BYTES = 24 * 1024 * 1024
"""The bounds that the format itself sets."""

_PRELUDE = struct.Struct(">III")
_CRC = struct.Struct(">I")
_OVERHEAD = _PRELUDE.size + _CRC.size

_FIXED: Mapping[int, int] = MappingProxyType({0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16})
"""Header type → size of its value in bytes: true, false, byte, short, integer, long, timestamp,
UUID."""
_BYTES, _STRING = 6, 7
"""Types whose value begins with its length, two bytes."""
_SENT = {":content-type": "application/json"}


class Message(NamedTuple):
    """One message. `headers`: those whose value is a string, which are all that say something here;
    the others are checked and left out."""

    headers: Mapping[str, str]
    payload: bytes


class Decoder:
    """Bytes to events, however the bytes were cut. An event is named by `:event-type` or
    `:exception-type`, an error of the connection `error`; its data is the payload, which must be
    JSON. `raw` is the whole message.

    Raises UpstreamFailed for a wrong checksum, a length out of bounds and headers that cannot be
    read: nothing after such a message can be trusted. `close` raises it for a message that is cut.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._wanted = _PRELUDE.size

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Every event that is now complete."""
        self._parts.append(data)
        self._size += len(data)
        if self._size < self._wanted:
            return []
        whole = b"".join(self._parts)
        events: list[StreamEvent] = []
        start = 0
        while len(whole) - start >= (wanted := _wanted(whole, start)):
            event = _event(whole[start : start + wanted])
            start += wanted
            if event is not None:
                events.append(event)
        rest = whole[start:]
        self._parts, self._size, self._wanted = [rest], len(rest), wanted
        return events

    def close(self) -> list[StreamEvent]:
        """Nothing: a message is complete by its length. Raises UpstreamFailed when one is cut."""
        if self._size:
            raise UpstreamFailed(
                "the upstream's stream ended inside a message; the answer is incomplete, ask again",
                failure=Failure("truncated", "the stream ended inside a message"),
                code="upstream_truncated",
            )
        return []


def _wanted(whole: bytes, start: int) -> int:
    """How many bytes the message at `start` has; those of a prelude while it is not there. The
    lengths are believed only when their checksum holds, so that a damaged one is not waited for."""
    if len(whole) - start < _PRELUDE.size:
        return _PRELUDE.size
    total, headers, told = _PRELUDE.unpack_from(whole, start)
    if crc32(whole[start : start + 8]) != told:
        raise _broken("the checksum of a message's beginning is wrong")
    if total < _OVERHEAD or headers > min(total - _OVERHEAD, MAX_HEADERS_BYTES):
        raise _broken("the lengths of a message contradict each other or are out of bounds")
    if total - headers - _OVERHEAD > MAX_PAYLOAD_BYTES:
        raise _broken(f"a message is over {MAX_PAYLOAD_BYTES} bytes")
    return int(total)


def _broken(what: str) -> UpstreamFailed:
    return UpstreamFailed(
        f"the upstream's event stream is damaged: {what}", failure=Failure("protocol", what)
    )


def read(raw: bytes) -> Message:
    """The message of these bytes, which are one message exactly. Raises UpstreamFailed."""
    if len(raw) < _OVERHEAD or _wanted(raw, 0) != len(raw):
        raise _broken("a message has another length than it says")
    if crc32(raw[: -_CRC.size]) != _CRC.unpack_from(raw, len(raw) - _CRC.size)[0]:
        raise _broken("the checksum of a message is wrong")
    end = _PRELUDE.size + _PRELUDE.unpack_from(raw)[1]
    return Message(_headers(raw[_PRELUDE.size : end]), raw[end : -_CRC.size])


def _headers(raw: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    seen: set[bytes] = set()
    place = 0
    while place < len(raw):
        value = place + 1 + raw[place]
        name = raw[place + 1 : value]
        kind = raw[value] if value < len(raw) else -1
        begin, place = _value(raw, value + 1, kind)
        if not name or name in seen or place > len(raw):
            raise _broken("a header of a message cannot be read")
        seen.add(name)
        if kind == _STRING:
            found[_text(name)] = _text(raw[begin:place])
    return found


def _value(raw: bytes, place: int, kind: int) -> tuple[int, int]:
    """Where a header's value of this type begins and ends."""
    if kind in _FIXED:
        return place, place + _FIXED[kind]
    if kind not in {_BYTES, _STRING} or place + 2 > len(raw):
        raise _broken("a header of a message has an unknown type")
    begin = place + 2
    return begin, begin + int.from_bytes(raw[place:begin], "big")


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise _broken("a header of a message is not UTF-8") from None


def _event(raw: bytes) -> StreamEvent | None:
    """The event of a message; None for one that says nothing."""
    headers, payload = read(raw)
    if headers.get(":message-type") == "error":
        told = {"code": headers.get(":error-code"), "message": headers.get(":error-message")}
        return StreamEvent("error", dumps(told), raw=raw)
    name = headers.get(":exception-type") or headers.get(":event-type") or ""
    if not payload.strip():
        if ":exception-type" not in headers:
            return None
        payload = b"{}"
    return StreamEvent(name, payload, raw=raw)


def write(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message with these headers, all strings. Raises ValueError for one that is out of the
    format's bounds."""
    told = b"".join(_header(name, value) for name, value in headers.items())
    if len(told) > MAX_HEADERS_BYTES or len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError("an event is too large for an AWS event stream")
    lengths = struct.pack(">II", len(told) + len(payload) + _OVERHEAD, len(told))
    body = lengths + _CRC.pack(crc32(lengths)) + told + payload
    return body + _CRC.pack(crc32(body))


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    if len(key) > 0xFF or len(text) > 0xFFFF:
        raise ValueError("a header is too long for an AWS event stream")
    return struct.pack(">B", len(key)) + key + struct.pack(">BH", _STRING, len(text)) + text


def wire(event: StreamEvent) -> bytes:
    """An event as a message: as it came if nothing touched it. An exception is known by its name,
    since those of all services end in that word."""
    if event.raw is not None:
        return event.raw
    if event.name == "error" or event.name.endswith("Exception"):
        head = {":exception-type": event.name, ":message-type": "exception"}
    else:
        head = {":event-type": event.name, ":message-type": "event"}
    return write(head | _SENT, event.data)
