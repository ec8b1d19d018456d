"""A JSON array that comes in pieces, as events: how Gemini streams without `alt=sse`.

The decoder takes bytes cut anywhere and gives the same events, one for each element; the elements
are objects. An event's `raw` are the element's bytes as they came, and its `data` the same in one
line, since a line end in JSON is never part of a string.
"""

from __future__ import annotations

import re

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.model import Failure
from nexus_sdk.wire.sse import MAX_EVENT_BYTES, StreamEvent

_SPACE = re.compile(rb"[ \t\r\n]*")
_MARK = re.compile(rb'["\\{}\[\]]')
_OUTSIDE, _FIRST, _INSIDE, _AFTER, _NEXT, _END = range(6)
_STEPS = {
    (_OUTSIDE, b"["): _FIRST,
    (_OUTSIDE, b"{"): _INSIDE,
    (_FIRST, b"{"): _INSIDE,
    (_FIRST, b"]"): _END,
    (_AFTER, b","): _NEXT,
    (_AFTER, b"]"): _END,
    (_NEXT, b"{"): _INSIDE,
}
"""What may stand between elements, and where it leads. An object without an array around it, as
errors come, is an array of one."""


class Decoder:
    """Bytes to events, however the bytes were cut.

    Raises UpstreamFailed when one element grows past `MAX_EVENT_BYTES`, and for what is no array of
    objects.
    """

    def __init__(self) -> None:
        self._phase = _OUTSIDE
        self._alone = False
        self._parts: list[bytes] = []
        self._size = 0
        self._depth = 0
        self._quoted = False
        self._escaped = False

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Every element that is now complete."""
        out: list[StreamEvent] = []
        place = 0
        while place < len(data):
            if self._phase == _INSIDE:
                place = self._inside(data, place, out)
            else:
                place = self._between(data, place)
        return out

    def close(self) -> list[StreamEvent]:
        """Nothing: an element that is not complete is none."""
        return []

    @property
    def closed(self) -> bool:
        """Has the array ended?"""
        return self._phase == _END

    def _between(self, data: bytes, place: int) -> int:
        found = _SPACE.match(data, place)
        place = found.end() if found else place
        if place == len(data):
            return place
        mark = data[place : place + 1]
        step = _STEPS.get((self._phase, mark))
        if step is None:
            raise UpstreamFailed(
                "the upstream's stream is no JSON array of objects",
                failure=Failure("protocol", f"{mark!r} stands where an element or its end should"),
            )
        self._alone = self._phase == _OUTSIDE and step == _INSIDE
        self._phase = step
        return place if step == _INSIDE else place + 1

    def _inside(self, data: bytes, start: int, out: list[StreamEvent]) -> int:
        escaped_at = start if self._escaped else -1
        for found in _MARK.finditer(data, start):
            place, mark = found.start(), found.group()
            if place == escaped_at:
                continue
            if mark == b"\\":
                escaped_at = place + 1
            elif self._is_end(mark):
                out.append(self._element(data[start : place + 1]))
                return place + 1
        self._escaped = escaped_at == len(data)
        self._keep(data[start:])
        return len(data)

    def _is_end(self, mark: bytes) -> bool:
        """Takes a quote or a bracket; is the element complete with it?"""
        if mark == b'"':
            self._quoted = not self._quoted
        elif not self._quoted:
            self._depth += 1 if mark in b"{[" else -1
            return self._depth == 0
        return False

    def _keep(self, piece: bytes) -> None:
        self._parts.append(piece)
        self._size += len(piece)
        if self._size > MAX_EVENT_BYTES:
            raise UpstreamFailed(
                f"one element of the upstream's stream is over {MAX_EVENT_BYTES} bytes"
            )

    def _element(self, piece: bytes) -> StreamEvent:
        self._keep(piece)
        whole = b"".join(self._parts)
        self._parts, self._size, self._escaped = [], 0, False
        self._phase = _END if self._alone else _AFTER
        return StreamEvent("", whole.translate(None, b"\r\n"), raw=whole)


class Encoder:
    """Events to a JSON array, as Gemini's clients read it without `alt=sse`. An element that
    nothing touched keeps its bytes."""

    def __init__(self) -> None:
        self._begun = False

    def feed(self, event: StreamEvent) -> bytes:
        """The next element, with what stands before it. A bare marker has no place in an array."""
        if not event.data.lstrip().startswith(b"{"):
            return b""
        lead = b",\r\n" if self._begun else b"["
        self._begun = True
        return lead + (event.data if event.raw is None else event.raw)

    def close(self) -> bytes:
        """The end of a stream, whole or not: an error is an element like any other."""
        return b"]" if self._begun else b"[]"
