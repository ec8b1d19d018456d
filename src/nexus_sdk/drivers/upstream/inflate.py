"""gzip bodies, decoded under a bound: a few kilobytes can stand for gigabytes."""

from __future__ import annotations

import zlib

from nexus_sdk.drivers.upstream.failures import CutShort, Garbled

_GZIP = 16 + zlib.MAX_WBITS  # zlib manual, inflateInit2: 16 more asks for the gzip wrapper


class Gunzip:
    """A push decoder of one gzip body, which may have several members (RFC 1952, 2.2)."""

    __slots__ = ("_begun", "_full", "_inner", "_tail")

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(_GZIP)
        self._tail = b""
        self._begun = False
        self._full = False  # the output took all its room, so that zlib may hold more of it

    @property
    def pending(self) -> bool:
        """True while the last `feed` may have had no room for everything."""
        return self._full or bool(self._tail)

    def feed(self, data: bytes, room: int) -> bytes:
        """At most `room` (>= 1) decoded bytes; input beyond that is kept for the next call. Raises
        Garbled."""
        data = self._tail + data
        self._begun = self._begun or bool(data)
        more = bool(data) or self._full
        pieces = []
        try:
            while more and room > 0:
                if self._inner.eof:
                    self._inner = zlib.decompressobj(_GZIP)
                piece = self._inner.decompress(data, room)
                pieces.append(piece)
                room -= len(piece)
                data = self._inner.unused_data if self._inner.eof else self._inner.unconsumed_tail
                more = bool(data)
        except zlib.error:
            raise Garbled("the upstream's body is not the gzip it is said to be") from None
        self._tail = data
        self._full = room == 0 and not self._inner.eof
        return b"".join(pieces)

    def finish(self) -> None:
        """Raises CutShort when the input ended inside a member. No input at all is an empty
        body."""
        if self._begun and (self._tail or not self._inner.eof):
            raise CutShort("the upstream's gzip body ended early")


def decoder(headers: dict[str, str]) -> Gunzip | None:
    """What the body of a response with `headers` needs; None: nothing. Raises Garbled for a coding
    that we did not offer. Takes the headers that no longer hold out of `headers`."""
    coding = headers.get("content-encoding", "").strip().lower()
    if coding in {"", "identity"}:
        return None
    if coding not in {"gzip", "x-gzip"}:
        raise Garbled("the upstream's body has a content coding that was not asked for")
    del headers["content-encoding"]
    headers.pop("content-length", None)
    return Gunzip()
