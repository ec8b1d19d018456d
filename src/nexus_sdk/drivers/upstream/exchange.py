"""One exchange, from a `model.Upstream` to a response: the order of things, written once for
threads and tasks.

1. split the URL, find the lane; 2. take a kept connection or dial; 3. write the request; 4. read
the head; 5. read the whole body, or as much of a stream as its opening asks for; 6. keep the
connection if its response ended cleanly, close it in every other case, cancellation included.

Nothing is repeated here: retries belong to the pipeline. The one exception is a kept connection
that the peer had closed while it was idle, see `STALE_S`.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from nexus_sdk.drivers.upstream.dialing import dial
from nexus_sdk.drivers.upstream.failures import (
    CAUGHT,
    CutShort,
    Garbled,
    StreamBroken,
    Trouble,
    Unanswered,
    explain,
)
from nexus_sdk.drivers.upstream.http1 import Reader, encode_head
from nexus_sdk.drivers.upstream.inflate import Gunzip, decoder
from nexus_sdk.drivers.upstream.origin import split
from nexus_sdk.drivers.upstream.wire import WRITE_BYTES
from nexus_sdk.model import ANY_BYTES, Failure, Response

if TYPE_CHECKING:
    from nexus_sdk.drivers.upstream.lanes import Desk, Lane
    from nexus_sdk.drivers.upstream.wire import Wire
    from nexus_sdk.effects import Opening
    from nexus_sdk.model import Upstream

MAX_WHOLE_BYTES = 64 * 1024 * 1024
"""The largest whole body, decoded. The largest known are batches of embeddings, some 40 MB."""
MAX_ERROR_BYTES = 1024 * 1024
"""The body of a response that is no success is cut here: its status matters more than its
length."""
MAX_PIECE_BYTES = 1024 * 1024
"""The most that is decoded at a time."""
SETTLE_S, SETTLE_BYTES = 0.05, 16 * 1024
"""What may still come, and for how long, after a stream's end marker. Usually it is the last chunk
of the HTTP body, which is there already."""
STALE_S = 1.0
"""A kept connection that ends within this time of a request, without one byte of an answer, was
already closed by the peer, and the request is sent once more on a new one. After longer the peer
may have worked on it."""

STREAM_TYPES = ("text/event-stream", "application/vnd.amazon.eventstream")
"""Content types that are streamed on; anything else is read whole, because it is no stream,
whatever was asked for."""

_TAILS = {
    False: b"\r\naccept-encoding: gzip\r\n\r\n",
    True: b"\r\naccept-encoding: identity\r\n\r\n",
}
"""By `stream`: compression would let the peer hold events back to fill a block."""
_CLOCK_GRAIN_S = 0.005
_BODYLESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})


async def exchange(
    desk: Desk, upstream: Upstream, opening: Opening | None
) -> tuple[Response | Failure, Stream | None]:
    """The response, and for a streamed one what is left of its body. Never raises for what a peer
    can do."""
    try:
        origin, target = split(upstream.url)
    except CAUGHT as err:
        return explain(err, ""), None
    talk = Talk(desk, desk.lane(origin, private_network=upstream.private_network), upstream)
    try:
        await talk.begin(target)
        if upstream.stream and talk.is_stream():
            response, stream = await talk.open(opening)
            return response, stream
        return await talk.whole(), None
    except CAUGHT as err:
        talk.close()
        return talk.explain(err), None
    except BaseException:
        talk.close()
        raise


class Talk:
    """The state of one exchange. `close` is always right; the end of a body keeps the connection by
    itself."""

    __slots__ = (
        "_began",
        "_deadline",
        "_desk",
        "_early",
        "_gunzip",
        "_lane",
        "_upstream",
        "_wire",
        "reader",
    )

    def __init__(self, desk: Desk, lane: Lane, upstream: Upstream) -> None:
        self._desk = desk
        self._lane = lane
        self._upstream = upstream
        self._wire: Wire | None = None
        self._gunzip: Gunzip | None = None
        self._early = b""
        self._began = time.monotonic()
        self._deadline: float | None = None
        self.reader = Reader(upstream.method, lane.origin.peer)
        if not upstream.stream:
            self._limit_total()

    async def begin(self, target: str) -> None:
        """Up to the end of the response's head."""
        data = self._encode(target)
        self._wire = self._lane.take()
        if self._wire is not None:
            try:
                return await self._ask(data)
            except (Unanswered, ConnectionError):
                if self.reader.begun or time.monotonic() - self._began > STALE_S:
                    raise
                self.close()
        self._wire = await dial(self._desk, self._lane, self._within(self._upstream.connect_s))
        return await self._ask(data)

    def is_stream(self) -> bool:
        """A success of a content type that is streamed on."""
        kind = self.reader.headers.get("content-type", "").partition(";")[0].strip().lower()
        wanted = self._upstream.streams_as
        known = (
            kind in STREAM_TYPES or kind == wanted != "" or (wanted == ANY_BYTES and is_raw(kind))
        )
        return 200 <= self.reader.status < 300 and known

    async def whole(self) -> Response:
        """The response with all of its body."""
        reader = self.reader
        if reader.ended and self._gunzip is None:
            self._release()
            return Response(reader.status, reader.headers, self._early)
        self._limit_total()
        good = 200 <= reader.status < 300
        limit = MAX_WHOLE_BYTES if good else MAX_ERROR_BYTES
        pieces = await self._collect(limit)
        if good and sum(map(len, pieces)) > limit:
            raise Garbled(f"{reader.peer} sent a body of over {limit} bytes")
        self.close()
        return Response(reader.status, reader.headers, b"".join(pieces)[:limit])

    async def open(self, opening: Opening | None) -> tuple[Response, Stream]:
        """The response with as much of its body as `opening` asks for, and the rest."""
        reader = self.reader
        pieces: list[bytes] = []
        held = 0
        while opening is not None:
            piece = await self.read(MAX_PIECE_BYTES)
            pieces.append(piece)
            held += len(piece)
            if not piece or opening.feed(piece):
                break
            if held > MAX_WHOLE_BYTES:
                raise Garbled(f"{reader.peer} sent a stream of {held} bytes that does not begin")
        return Response(reader.status, reader.headers, b"".join(pieces), streamed=True), Stream(
            self
        )

    async def read(self, room: int) -> bytes:
        """The next bytes of the body, decoded; b"" at its end. A decoder gives at most `room` at a
        time. Raises Trouble, OSError."""
        gunzip = self._gunzip
        if gunzip is None:
            return await self._raw()
        while True:
            data = b"" if gunzip.pending else await self._raw()
            if not data and not gunzip.pending:
                gunzip.finish()
                return b""
            if piece := gunzip.feed(data, min(room, MAX_PIECE_BYTES)):
                return piece

    async def settle(self) -> None:
        """The reader has all that it wanted. What is left is read when it is next to nothing and
        comes at once, so that the connection serves others; otherwise the connection is closed."""
        self._deadline = time.monotonic() + SETTLE_S
        left = 0
        with contextlib.suppress(*CAUGHT):
            while left <= SETTLE_BYTES:
                piece = await self.read(MAX_PIECE_BYTES)
                if not piece:
                    return
                left += len(piece)
        self.close()

    def close(self) -> None:
        """Give the connection up, if it is still ours."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def explain(self, err: Trouble | OSError) -> Failure:
        """The failure that `err` is at this point of the exchange."""
        peer, upstream = self.reader.peer, self._upstream
        if isinstance(err, TimeoutError):
            if self._deadline is not None and time.monotonic() >= self._deadline - _CLOCK_GRAIN_S:
                return Failure(
                    "timeout",
                    f"{peer} took longer than the {upstream.total_s:g} s allowed in total",
                )
            return Failure(
                "timeout", f"{peer} was silent for longer than the {upstream.read_s:g} s allowed"
            )
        if isinstance(err, ConnectionError) and self.reader.begun:
            return Failure("truncated", f"the connection to {peer} was cut inside a response")
        return explain(err, peer)

    def _limit_total(self) -> None:
        if self._upstream.total_s is not None:
            self._deadline = self._began + self._upstream.total_s

    def _within(self, limit_s: float | None) -> float | None:
        """The time for the next step: `limit_s`, or what is left in total. Raises TimeoutError when
        nothing is."""
        if self._deadline is None:
            return limit_s
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left if limit_s is None or left < limit_s else limit_s

    def _encode(self, target: str) -> bytes:
        upstream, lane = self._upstream, self._lane
        body = upstream.body
        length = len(body) if body or upstream.method not in _BODYLESS else None
        tail = _TAILS[upstream.stream]
        if lane.proxy is not None and not lane.origin.tls:
            target = lane.origin.url + target
            if lane.proxy.authorization:
                tail = (
                    b"\r\nproxy-authorization: " + lane.proxy.authorization.encode("latin-1") + tail
                )
        return (
            encode_head(upstream.method, target, lane.origin.authority, upstream.headers, length)
            + tail
            + body
        )

    async def _ask(self, data: bytes) -> None:
        reader = self.reader
        heard = await self._write(data)
        while not reader.status:
            self._early = await self._feed()
        if not heard:
            reader.reusable = False
        self._gunzip = decoder(reader.headers)

    async def _write(self, data: bytes) -> bool:
        """False when the peer closed before it had taken everything. It may have answered first
        (413, 401), so that is for the reading side to find out."""
        wire, read_s = self._wire, self._upstream.read_s
        assert wire is not None
        try:
            if len(data) <= WRITE_BYTES:
                await wire.write(data, self._within(read_s))
                return True
            for at in range(0, len(data), WRITE_BYTES):
                await wire.write(data[at : at + WRITE_BYTES], self._within(read_s))
        except ConnectionError:
            return False
        return True

    async def _feed(self) -> bytes:
        """Body bytes in what comes next; maybe none."""
        if self._wire is None:
            raise CutShort(f"the response of {self.reader.peer} was closed by its reader")
        data = await self._wire.read(self._within(self._upstream.read_s))
        if data:
            return self.reader.feed(data)
        self.reader.eof(clean=True)
        return b""

    async def _raw(self) -> bytes:
        """The next bytes of the body as they are; b"" at its end, and then the connection is kept
        for others."""
        if self._early:
            piece, self._early = self._early, b""
            return piece
        while not self.reader.ended:
            if piece := await self._feed():
                return piece
        self._release()
        return b""

    async def _collect(self, limit: int) -> list[bytes]:
        """The body, or its beginning of one byte more than `limit` at least."""
        pieces: list[bytes] = []
        held = 0
        while held <= limit and (piece := await self.read(limit - held + 1)):
            pieces.append(piece)
            held += len(piece)
        return pieces

    def _release(self) -> None:
        """The response has ended: keep the connection, or close it if it cannot carry another."""
        wire, self._wire = self._wire, None
        if wire is None:
            return
        if self.reader.reusable:
            self._lane.put(wire)
        else:
            wire.close()


def is_raw(kind: str) -> bool:
    """Is it neither text nor JSON?"""
    return bool(kind) and not kind.startswith("text/") and "json" not in kind


class Stream:
    """The rest of a streamed body. It must be read to its end or closed; one that is dropped closes
    itself."""

    __slots__ = ("__weakref__", "_talk")

    def __init__(self, talk: Talk) -> None:
        self._talk = talk

    async def read(self) -> bytes:
        """The next bytes as soon as they are there; b"" at the end. Raises StreamBroken."""
        talk = self._talk
        try:
            return await talk.read(MAX_PIECE_BYTES)
        except CAUGHT as err:
            talk.close()
            raise StreamBroken(talk.explain(err)) from None
        except BaseException:
            talk.close()
            raise

    async def finish(self) -> None:
        """The stream said its last word: wait a moment for the end of the body, so that the
        connection can be kept, and close it otherwise."""
        try:
            await self._talk.settle()
        except BaseException:
            self._talk.close()
            raise

    def close(self) -> None:
        """Any number of times. Before the end of the body the peer's connection is closed at
        once."""
        self._talk.close()

    def __del__(self) -> None:
        self._talk.close()
