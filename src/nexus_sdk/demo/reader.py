"""HTTP/1.1 requests as a push parser (RFC 9112): bytes in, requests out. Does no I/O.

Tolerant where that does no harm to a server on the loopback interface; the strict front is
`nexus_sidecar.gate`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 128 * 1024 * 1024


class BadRequest(Exception):
    """The bytes are no request that this server reads. The connection cannot go on."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request. Header names in lower case; a repeated header's values are joined with `, `."""

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False, default=b"")
    keep_alive: bool = True

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


class Reader:
    """Feed bytes, then ask `next` until it answers None. Raises BadRequest."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head: Received | None = None
        self._chunks: list[bytes] | None = None
        self._length = 0
        self._size = 0

    def feed(self, data: bytes) -> None:
        self._buffer += data

    @property
    def awaits_continue(self) -> bool:
        """True once after a head with `expect: 100-continue` whose body has not begun."""
        head = self._head
        if head is None or self._buffer or head.headers.get("expect", "").lower() != "100-continue":
            return False
        self._head = Received(
            head.method,
            head.target,
            {name: value for name, value in head.headers.items() if name != "expect"},
            keep_alive=head.keep_alive,
        )
        return True

    def next(self) -> Received | None:
        """The next complete request."""
        if self._head is None and not self._read_head():
            return None
        body = self._read_body() if self._chunks is None else self._read_chunks(self._chunks)
        head = self._head
        if body is None or head is None:
            return None
        self._head = self._chunks = None
        return Received(head.method, head.target, head.headers, body, head.keep_alive)

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise BadRequest("the head is too long")
            return False
        lines = self._buffer[:end].decode("latin-1").lstrip("\r\n").split("\r\n")
        del self._buffer[: end + 4]
        self._head = _parse_head(lines)
        self._chunks = [] if "transfer-encoding" in self._head.headers else None
        self._length = _length(self._head.headers)
        self._size = 0
        return True

    def _read_body(self) -> bytes | None:
        if len(self._buffer) < self._length:
            return None
        body = bytes(self._buffer[: self._length])
        del self._buffer[: self._length]
        return body

    def _read_chunks(self, chunks: list[bytes]) -> bytes | None:
        while (chunk := self._read_chunk()) is not None:
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)
            self._size += len(chunk)
            if self._size > MAX_BODY_BYTES:
                raise BadRequest("the body is too long")
        return None

    def _read_chunk(self) -> bytes | None:
        """The next whole chunk, empty for the last, whose trailers are dropped. None: more bytes
        are needed.
        """
        line = self._buffer.find(b"\r\n")
        if line < 0:
            return None
        size = _chunk_size(bytes(self._buffer[:line]))
        begin, end = line + 2, line + 2 + size
        if not size:
            stop = self._buffer.find(b"\r\n\r\n", line)
            if stop < 0:
                return None
            del self._buffer[: stop + 4]
            return b""
        if len(self._buffer) < end + 2:
            return None
        chunk = bytes(self._buffer[begin:end])
        del self._buffer[: end + 2]
        return chunk


def _parse_head(lines: list[str]) -> Received:
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequest(f"not a request line of HTTP/1: {lines[0][:80]!r}")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequest(f"a header without a colon: {line[:80]!r}")
        name, value = name.lower(), value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    wish = headers.get("connection", "").lower()
    keep = "close" not in wish if parts[2] == "HTTP/1.1" else "keep-alive" in wish
    return Received(parts[0], parts[1], headers, keep_alive=keep)


def _length(headers: Mapping[str, str]) -> int:
    given = headers.get("content-length", "0")
    if not given.isdecimal() or int(given) > MAX_BODY_BYTES:
        raise BadRequest(f"content-length {given[:40]!r}: expected 0 to {MAX_BODY_BYTES}")
    return int(given)


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    try:
        size = int(digits, 16)
    except ValueError:
        raise BadRequest(f"not a chunk size: {digits[:20]!r}") from None
    if not 0 <= size <= MAX_BODY_BYTES:
        raise BadRequest(f"a chunk of {size} bytes")
    return size
