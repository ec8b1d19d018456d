"""Server-sent events, as a push parser and its events. WHATWG HTML, 9.2; deviations of providers are noted here.

The decoder takes bytes cut anywhere and gives the same events. It works on bytes, because `str.splitlines` and its
like also split at U+2028 and corrupt JSON.
"""

from __future__ import annotations

from typing import Any

from nexus_sdk.errors import UpstreamFailed

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""The largest event accepted; image and audio deltas reach several megabytes."""

_BOM = b"\xef\xbb\xbf"


class StreamEvent:
    """One event of a stream: `name` (empty when the stream did not name it), `doc` (its data as JSON, None for a
    comment or a bare marker such as `[DONE]`), and `raw`, the bytes as they came, None when `doc` was changed."""

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
        return head + b"data: " + self.data + b"\n\n"

    def __repr__(self) -> str:
        return f"StreamEvent({self.name!r}, {len(self.data)} bytes)"


class Decoder:
    """Bytes to events, however the bytes were cut. Comments and events without data are dropped: an empty event
    makes openai-python raise, and a comment carries nothing.

    Raises UpstreamFailed when one event grows past `MAX_EVENT_BYTES`.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._begun = False

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Every event that is now complete."""
        rest = self._rest + data if self._rest else data
        if not self._begun:
            if len(rest) < len(_BOM) and _BOM.startswith(rest):
                self._rest = rest
                return []
            self._begun = True
            rest = rest.removeprefix(_BOM)
        if b"\r" in rest:
            rest = self._normalise(rest)
        blocks = rest.split(b"\n\n")
        self._rest = blocks.pop()
        if len(self._rest) > MAX_EVENT_BYTES:
            raise UpstreamFailed(
                f"one event of the upstream's stream is over {MAX_EVENT_BYTES} bytes"
            )
        return [event for block in blocks if (event := _parse(block)) is not None]

    def close(self) -> list[StreamEvent]:
        """The last event, when the stream ended without its blank line; providers do that."""
        block, self._rest = self._rest.replace(b"\r", b"\n"), b""
        event = _parse(block)
        return [] if event is None else [event]

    @staticmethod
    def _normalise(rest: bytes) -> bytes:
        """CRLF and CR to LF. A CR at the very end waits for what follows it."""
        held = rest.endswith(b"\r")
        body = rest[:-1] if held else rest
        return body.replace(b"\r\n", b"\n").replace(b"\r", b"\n") + (b"\r" if held else b"")


def _parse(block: bytes) -> StreamEvent | None:
    if block.startswith(b"data: ") and b"\n" not in block:
        return StreamEvent("", block[6:], raw=block + b"\n\n")
    name = b""
    data: list[bytes] = []
    for line in block.split(b"\n"):
        field, colon, value = line.partition(b":")
        if not colon and not field:
            continue
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    if not data:
        return None
    return StreamEvent(
        name.decode("utf-8", "replace"), b"\n".join(data), raw=block.lstrip(b"\n") + b"\n\n"
    )
