"""Exchanges for threads: blocking sockets under `exchange.py`, which runs here without an event
loop."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import time
import weakref
from typing import TYPE_CHECKING

from nexus_sdk.drivers import addresses
from nexus_sdk.drivers.upstream.exchange import exchange
from nexus_sdk.drivers.upstream.lanes import Desk
from nexus_sdk.drivers.upstream.surroundings import Lookup, Surroundings
from nexus_sdk.drivers.upstream.wire import IDLE_S, READ_BYTES, tune
from nexus_sdk.model import NOTHING

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence

    from nexus_sdk.drivers.upstream.exchange import Stream
    from nexus_sdk.effects import Opening
    from nexus_sdk.model import Failure, Response, Upstream


class SyncUpstream:
    """Calls upstreams from any number of threads over one set of kept connections.

    `proxies` has the keys `http`, `https`, `all` and `no` (see `proxies.Proxies`), `roots_pem`
    holds certificates to trust beside the system's, `lookup` resolves a name to addresses. A forked
    child starts without connections. Raises BadSettings.
    """

    def __init__(
        self,
        *,
        proxies: Mapping[str, str] = NOTHING,
        roots_pem: str = "",
        lookup: Lookup = addresses.lookup,
    ) -> None:
        self._desk = Desk(BlockingNet(lookup), Surroundings(proxies, roots_pem, lookup))
        _LIVE.add(self)

    def send(
        self, upstream: Upstream, opening: Opening | None = None
    ) -> tuple[Response | Failure, SyncBody | None]:
        """Make one exchange. A body comes with a streamed response only, and must be read to its
        end or closed."""
        reply, stream = finish(exchange(self._desk, upstream, opening))
        return reply, None if stream is None else SyncBody(stream)

    def close(self) -> None:
        """Close the idle connections. The client stays usable."""
        self._desk.close()

    def forget(self) -> None:
        """Leave every connection to the process that this one was forked from."""
        self._desk = Desk(self._desk.net, self._desk.surroundings)


class SyncBody:
    """What is left of a streamed response."""

    __slots__ = ("_stream",)

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def read(self) -> bytes:
        """The next bytes as soon as they are there; b"" at the end. Raises StreamBroken."""
        return finish(self._stream.read())

    def finish(self) -> None:
        """The stream's end marker has come: keep the connection if its end is near, else close
        it."""
        finish(self._stream.finish())

    def close(self) -> None:
        """Any number of times. Before the end, the upstream's connection is closed at once."""
        self._stream.close()


def finish[T](steps: Coroutine[None, None, T]) -> T:
    """The result of a coroutine that never suspends."""
    try:
        steps.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    steps.close()
    raise RuntimeError("a blocking wire suspended")


class BlockingNet:
    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def lookup(self, name: str, port: int, within_s: float | None) -> Sequence[str]:  # noqa: ARG002
        """The system's resolver cannot be interrupted: its own timeout holds, not `within_s`."""
        return self._lookup(name, port)

    async def connect(self, address: str, port: int, within_s: float | None) -> BlockingWire:
        sock = socket.create_connection((address, port), within_s)
        tune(sock)
        return BlockingWire(sock)


class BlockingWire:
    """A `wire.Wire` over a socket."""

    __slots__ = ("_parked_at", "_sock")

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._parked_at = 0.0

    async def write(self, data: bytes, within_s: float | None) -> None:
        self._sock.settimeout(within_s)
        self._sock.sendall(data)

    async def read(self, within_s: float | None) -> bytes:
        self._sock.settimeout(within_s)
        try:
            return self._sock.recv(READ_BYTES)
        except ssl.SSLEOFError:
            raise ConnectionAbortedError("TLS ended without close_notify") from None

    async def secure(
        self, context: ssl.SSLContext, server_name: str, within_s: float | None
    ) -> None:
        self._sock.settimeout(within_s)
        self._sock = context.wrap_socket(
            self._sock, server_hostname=server_name, suppress_ragged_eofs=False
        )

    def park(self) -> None:
        self._parked_at = time.monotonic()

    def wake(self) -> bool:
        if time.monotonic() - self._parked_at > IDLE_S:
            return False
        try:
            self._sock.settimeout(0.0)
            self._sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False  # an end, or bytes that nobody asked for

    def close(self) -> None:
        with contextlib.suppress(OSError):  # wakes a thread that reads from it
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


_LIVE: weakref.WeakSet[SyncUpstream] = weakref.WeakSet()


def _after_fork() -> None:
    for client in tuple(_LIVE):
        client.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
