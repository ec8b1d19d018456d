"""Server-sent events, as a push parser and its events. WHATWG HTML, 9.2; deviations of providers
are noted here.

The decoder takes bytes cut anywhere and gives the same events. It works on bytes, because
`str.splitlines` and its like also split at U+2028 and corrupt JSON.
"""

from __future__ import annotations

from typing import Any

from nexus_sdk.errors import UpstreamFailed

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""The largest event accepted; image and audio deltas reach several megabytes."""

_BOM = b"\xef\xbb\xbf"


class StreamEvent:
    """One event of a stream: `name` (empty when the stream did not name it), `doc` (its data as
    JSON, None for a bare marker such as `[DONE]`), and `raw`, the bytes as they came, None when
    `doc` was changed."""

    __slots__ = ("data", "doc", "name", "raw")

    def __init__(self, name: str, data: bytes, doc: Any = None, raw: bytes | None = None) -> None:
        self.name = name
        self.data = data
        self.doc = doc
        self.raw = raw

    def wire(self) -> bytes:
        """The event as bytes: unchanged if nothing touched it."""
        if self.raw is not None:
            return self.raw
        head = b"event: " + self.name.encode() + b"\n" if self.name else b""
        return head + b"data: " + self.data.replace(b"\n", b"\ndata: ") + b"\n\n"

    def __repr__(self) -> str:
        return f"StreamEvent({self.name!r}, {len(self.data)} bytes)"


class Decoder:
    """Bytes to events, however the bytes were cut. Comments and events without data are dropped: an
    empty event makes openai-python raise, and a comment carries nothing. In the events that `plain`
    names, data is text, and blanks are data.

    Raises UpstreamFailed when one event grows past `MAX_EVENT_BYTES`.
    """

    def __init__(self, plain: frozenset[str] = frozenset()) -> None:
        self._plain = plain
        self._parts: list[bytes] = []
        self._size = 0
        self._begun = False
        self._cr = False

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Every event that is now complete."""
        if not self._begun:
            data = self._begin(data)
        if self._cr or b"\r" in data:
            data = self._normalised(data)
        if not data:
            return []
        if self._parts:
            # Joined when an event ends, not with every piece: a large event in small pieces would
            # be copied each time.
            seam = self._parts[-1][-1:] + data
            self._parts.append(data)
            self._size += len(data)
            if b"\n\n" not in seam:
                _bound(self._size)
                return []
            data = b"".join(self._parts)
        *blocks, rest = data.split(b"\n\n")
        self._parts, self._size = ([rest] if rest else []), len(rest)
        if len(data) > MAX_EVENT_BYTES:
            _bound(max(map(len, (*blocks, rest))))
        return [event for block in blocks if (event := _parse(block, self._plain)) is not None]

    def close(self) -> list[StreamEvent]:
        """The last event, when the stream ended without its blank line; providers do that."""
        event = _parse(b"".join(self._parts), self._plain)
        self._parts = []
        return [] if event is None else [event]

    def _begin(self, data: bytes) -> bytes:
        """Without the byte order mark that a stream may begin with; nothing while it may be one."""
        head = b"".join(self._parts) + data
        self._begun = len(head) >= len(_BOM) or not _BOM.startswith(head)
        self._parts = [] if self._begun else [head]
        return head.removeprefix(_BOM) if self._begun else b""

    def _normalised(self, data: bytes) -> bytes:
        """CRLF and CR as LF. A CR at the very end waits for what follows it."""
        if self._cr:
            data = b"\r" + data
        self._cr = data.endswith(b"\r")
        if self._cr:
            data = data[:-1]
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _bound(size: int) -> None:
    if size > MAX_EVENT_BYTES:
        raise UpstreamFailed(f"one event of the upstream's stream is over {MAX_EVENT_BYTES} bytes")


def _parse(block: bytes, plain: frozenset[str]) -> StreamEvent | None:
    if block.startswith(b"data: ") and b"\n" not in block:
        data = block[6:]
        return StreamEvent("", data, raw=block + b"\n\n") if data.strip() else None
    name = b""
    lines: list[bytes] = []
    for line in block.split(b"\n"):
        field, colon, value = line.partition(b":")
        if not colon and not field:
            continue
        value = value.removeprefix(b" ")
        if field == b"data":
            lines.append(value)
        elif field == b"event":
            name = value
    data, called = b"\n".join(lines), name.decode("utf-8", "replace")
    if not data.strip() and not (data and called in plain):
        return None
    raw = block.strip(b"\n") + b"\n\n"
    # At the head of a stream that is passed on, such a line would lose its mark, and be read.
    return StreamEvent(called, data, raw=None if raw.startswith(_BOM) else raw)
