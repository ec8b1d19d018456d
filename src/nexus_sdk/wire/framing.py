"""How the events of a stream are cut out of bytes and put into bytes, by name: one table for both
sides, callers and upstreams.

A framing that is not server-sent events is a module of `wire/` with two classes, and a row here.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from nexus_sdk.wire import aws_events, json_array, sse
from nexus_sdk.wire.sse import StreamEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SSE = "sse"


class FrameDecoder(Protocol):
    """Bytes cut anywhere in, events out. `StreamEvent.raw` is an event's own bytes, without what
    only stands between two of them (the comma of an array)."""

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Every event that is now complete. Raises UpstreamFailed for bytes that are none."""
        ...

    def close(self) -> list[StreamEvent]:
        """What the end of the stream completed."""
        ...


class FrameEncoder(Protocol):
    """Events in, bytes out. An event whose `raw` is set came in this very framing and goes out as
    it is, with whatever has to stand before it."""

    def feed(self, event: StreamEvent) -> bytes: ...

    def close(self) -> bytes:
        """What ends the stream."""
        ...


@dataclass(frozen=True, slots=True)
class Framing:
    """`content_type`: of an answer framed so."""

    name: str
    content_type: str
    decoder: Callable[[], FrameDecoder]
    encoder: Callable[[], FrameEncoder]


class Singly:
    """For events that write themselves: nothing stands between them, and nothing ends them."""

    def __init__(self, write: Callable[[StreamEvent], bytes]) -> None:
        self.feed = write

    def close(self) -> bytes:
        return b""


_ROWS = (
    Framing(
        SSE,
        "text/event-stream; charset=utf-8",
        sse.Decoder,
        lambda: Singly(StreamEvent.wire),
    ),
    Framing(
        "aws_events",
        "application/vnd.amazon.eventstream",
        aws_events.Decoder,
        lambda: Singly(aws_events.wire),
    ),
    Framing("json_array", "application/json", json_array.Decoder, json_array.Encoder),
)

FRAMINGS: Mapping[str, Framing] = MappingProxyType({row.name: row for row in _ROWS})


class Reframer:
    """Writes the events of one stream in the caller's framing, so that a door sends them like any
    other: each event's `raw` is what goes out."""

    def __init__(self, came: str, goes: str) -> None:
        self._foreign = came != goes
        self._encoder = FRAMINGS[goes].encoder()

    def feed(self, events: Iterable[StreamEvent]) -> list[StreamEvent]:
        return [self._written(event) for event in events]

    def close(self) -> list[StreamEvent]:
        """What is left to send after the last event."""
        last = self._encoder.close()
        return [StreamEvent("", b"", raw=last)] if last else []

    def _written(self, event: StreamEvent) -> StreamEvent:
        if self._foreign:
            event.raw = None
        event.raw = self._encoder.feed(event)
        return event
