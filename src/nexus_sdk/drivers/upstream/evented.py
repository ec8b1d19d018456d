"""Exchanges for tasks: asyncio transports (uvloop's too) under `exchange.py`, one set of
connections per event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import TYPE_CHECKING, cast

from nexus_sdk.drivers import addresses
from nexus_sdk.drivers.upstream.exchange import exchange
from nexus_sdk.drivers.upstream.lanes import Desk
from nexus_sdk.drivers.upstream.surroundings import Lookup, Surroundings
from nexus_sdk.drivers.upstream.wire import IDLE_S, tune
from nexus_sdk.model import NOTHING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from nexus_sdk.drivers.upstream.exchange import Stream
    from nexus_sdk.effects import Opening
    from nexus_sdk.model import Failure, Response, Upstream

MAX_HELD_BYTES = 256 * 1024
"""Unread bytes of one connection above which the peer is made to wait."""


class AsyncUpstream:
    """Calls upstreams from the tasks of any number of event loops, one after another or in several
    threads.

    The arguments are those of `SyncUpstream`. The connections of a loop are closed by `aclose`
    there, or by the loop when it shuts its asynchronous generators down, as `asyncio.run` does.
    Raises BadSettings.
    """

    def __init__(
        self,
        *,
        proxies: Mapping[str, str] = NOTHING,
        roots_pem: str = "",
        lookup: Lookup = addresses.lookup,
    ) -> None:
        self._surroundings = Surroundings(proxies, roots_pem, lookup)
        self._desks: dict[asyncio.AbstractEventLoop, tuple[Desk, AsyncGenerator[None]]] = {}

    async def send(
        self, upstream: Upstream, opening: Opening | None = None
    ) -> tuple[Response | Failure, AsyncBody | None]:
        """Make one exchange. A body comes with a streamed response only, and must be read to its
        end or closed. A cancellation closes the upstream's connection."""
        known = self._desks.get(asyncio.get_running_loop())
        desk = known[0] if known is not None else await self._settle_in()
        reply, stream = await exchange(desk, upstream, opening)
        return reply, None if stream is None else AsyncBody(stream)

    async def aclose(self) -> None:
        """Close the idle connections of this loop. The client stays usable."""
        known = self._desks.pop(asyncio.get_running_loop(), None)
        if known is not None:
            await known[1].aclose()

    async def _settle_in(self) -> Desk:
        """The desk of a loop that is new here; those of loops that have ended are dropped."""
        loop = asyncio.get_running_loop()
        for other in tuple(self._desks):
            if other.is_closed():
                del self._desks[other]
        desk = Desk(EventedNet(loop, self._surroundings.lookup), self._surroundings)
        guard = _guard(desk)
        self._desks[loop] = desk, guard
        await anext(guard)  # does not suspend: the loop only takes note of it
        return desk


class AsyncBody:
    """What is left of a streamed response."""

    __slots__ = ("_stream",)

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def read(self) -> bytes:
        """The next bytes as soon as they are there; b"" at the end. Raises StreamBroken. A
        cancellation closes the upstream's connection."""
        return await self._stream.read()

    async def finish(self) -> None:
        """The stream's end marker has come: keep the connection if its end is near, else close
        it."""
        await self._stream.finish()

    async def close(self) -> None:
        """Any number of times. Before the end, the upstream's connection is closed at once."""
        self._stream.close()


async def _guard(desk: Desk) -> AsyncGenerator[None]:
    """Begun in a loop, it is closed by that loop's `shutdown_asyncgens`, and closes `desk` then."""
    try:
        yield
    finally:
        desk.close()


class EventedNet:
    def __init__(self, loop: asyncio.AbstractEventLoop, lookup: Lookup) -> None:
        self._loop = loop
        self._lookup = lookup

    async def lookup(self, name: str, port: int, within_s: float | None) -> Sequence[str]:
        async with asyncio.timeout(within_s):
            return await self._loop.run_in_executor(None, self._lookup, name, port)

    async def connect(self, address: str, port: int, within_s: float | None) -> EventedWire:
        async with asyncio.timeout(within_s):
            sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
            try:
                sock.settimeout(0.0)
                tune(sock)
                await self._loop.sock_connect(sock, (address, port))
                made = await self._loop.create_connection(self._wire, sock=sock)
            except BaseException:
                sock.close()
                raise
        return made[1]

    def _wire(self) -> EventedWire:
        return EventedWire(self._loop)


class EventedWire(asyncio.Protocol):
    """A `wire.Wire` over a transport. At most one task waits on it, which `_waiter` wakes at every
    change.

    One timer serves a connection for all its requests: it is set anew only when it would come too
    late, and looks at `_due` when it fires, because a timer for each read would cost more than the
    read.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._pieces: list[bytes] = []
        self._held = 0
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due: float | None = None
        self._error: Exception | None = None
        self._ended = self._lost = self._parked = self._paused = self._full = False

    async def write(self, data: bytes, within_s: float | None) -> None:
        if self._lost or self._transport is None:
            raise ConnectionResetError
        self._transport.write(data)
        while self._full and not self._lost:
            await self._change(within_s)

    async def read(self, within_s: float | None) -> bytes:
        while not self._pieces and not self._ended and not self._lost:
            await self._change(within_s)
        if self._pieces:
            return self._take()
        if self._ended:
            return b""
        raise self._error or ConnectionAbortedError("the connection ended without saying so")

    async def secure(
        self, context: ssl.SSLContext, server_name: str, within_s: float | None
    ) -> None:
        assert self._transport is not None
        async with asyncio.timeout(within_s):
            started = await self._loop.start_tls(
                self._transport, self, context, server_hostname=server_name
            )
        self._transport = cast("asyncio.Transport", started)

    def park(self) -> None:
        self._parked = True
        self._arm(IDLE_S)

    def wake(self) -> bool:
        self._parked = False
        self._due = None
        return not (self._lost or self._ended or self._pieces)

    def close(self) -> None:
        try:
            here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            here = False
        if here:
            self._abort()
            return
        with contextlib.suppress(
            RuntimeError
        ):  # the garbage collector's thread, or a loop that has ended
            self._loop.call_soon_threadsafe(self._abort)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._pieces.append(data)
        self._held += len(data)
        if self._held > MAX_HELD_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._changed()

    def eof_received(self) -> bool:
        self._ended = self._is_clean()
        self._changed()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._error = exc
        self._disarm()
        self._changed()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._changed()

    def _is_clean(self) -> bool:
        """Whether the peer has properly ended its side. asyncio reports a bare FIN under TLS as it
        does a close_notify, so OpenSSL is asked: it still waits for more when there was none."""
        assert self._transport is not None
        tls = self._transport.get_extra_info("ssl_object")
        if tls is None:
            return True
        try:
            return not tls.read(1)
        except ssl.SSLZeroReturnError:
            return True
        except ssl.SSLError:
            return False

    def _take(self) -> bytes:
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._held = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    async def _change(self, within_s: float | None) -> None:
        """Until something happens. Raises TimeoutError."""
        waiter = self._waiter = self._loop.create_future()
        if within_s is not None:
            self._arm(within_s)
        try:
            await waiter
        finally:
            self._waiter = None
            self._due = None

    def _changed(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        elif self._parked:
            self._abort()

    def _arm(self, within_s: float) -> None:
        self._due = due = self._loop.time() + within_s
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._fire)

    def _disarm(self) -> None:
        self._due = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        due = self._due
        if due is None:
            return
        if self._loop.time() < due - _GRAIN_S:
            self._timer = self._loop.call_at(due, self._fire)
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(TimeoutError())
        elif self._parked:
            self._abort()

    def _abort(self) -> None:
        self._disarm()
        if self._transport is not None:
            self._transport.abort()


_GRAIN_S = 0.002
"""uvloop's timers count whole milliseconds."""
