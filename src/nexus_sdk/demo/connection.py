"""One TCP connection of the model server: reads requests in order and performs the steps of each
answer.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING

from nexus_sdk.demo.delivery import End
from nexus_sdk.demo.reader import BadRequest, Reader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexus_sdk.demo.delivery import Step
    from nexus_sdk.demo.journal import Outcome, Seen
    from nexus_sdk.demo.reader import Received
    from nexus_sdk.demo.service import Service

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
REFUSAL = (
    "HTTP/1.1 400 Bad Request\r\n"
    "content-type: text/plain\r\n"
    "content-length: {}\r\n"
    "connection: close\r\n\r\n{}"
)

_LINGER_ZERO = struct.pack("ii", 1, 0)
"""`SO_LINGER` on, for no time: the kernel resets the connection instead of closing it."""


class Connection(asyncio.Protocol):
    def __init__(self, service: Service, open_connections: set[Connection]) -> None:
        self._service = service
        self._open = open_connections
        self._reader = Reader()
        self._transport: asyncio.Transport | None = None
        self._steps: Iterator[Step] | None = None
        self._current: tuple[Received, Seen | None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._full = False

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # ---- what asyncio calls ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        self._open.discard(self)
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        self._settle("left")

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        self._run()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._run()

    # ---- one answer after the other --------------------------------------------------------------

    def _run(self) -> None:
        """Go on until bytes, time or room in the socket are missing."""
        while self._transport is not None and self._timer is None and not self._full:
            if self._steps is None and not self._begin():
                return
            self._advance()

    def _begin(self) -> bool:
        """Take the next request that is complete, and ask the service for its answer."""
        assert self._transport is not None
        try:
            received = self._reader.next()
        except BadRequest as problem:
            self._transport.write(
                REFUSAL.format(len(str(problem)), problem).encode("latin-1", "replace")
            )
            self._transport.close()
            self._transport = None
            return False
        if received is None:
            if self._reader.awaits_continue:
                self._transport.write(CONTINUE)
            return False
        steps, seen = self._service.answer(received)
        self._steps, self._current = iter(steps), (received, seen)
        return True

    def _advance(self) -> None:
        """Perform one step of the current answer."""
        assert self._steps is not None
        assert self._transport is not None
        step = next(self._steps, None)
        if step is None:
            self._finish()
        elif isinstance(step, bytes):
            self._transport.write(step)
        elif isinstance(step, float):
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(step, self._wake)
        else:
            self._stop(step)

    def _wake(self) -> None:
        self._timer = None
        self._run()

    def _finish(self) -> None:
        assert self._current is not None
        assert self._transport is not None
        keep_alive = self._current[0].keep_alive
        self._steps = None
        self._settle("answered")
        if not keep_alive:
            self._transport.close()
            self._transport = None

    def _stop(self, end: End) -> None:
        """End the connection in the middle of an answer, or say nothing more."""
        assert self._transport is not None
        if end is End.SILENCE:
            self._steps = iter((3600.0, End.CLOSE))
            return
        if end is End.RESET:
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._settle("cut")
        self._transport.close()
        self._transport = None

    def _settle(self, outcome: Outcome) -> None:
        if self._current is not None and (seen := self._current[1]) is not None:
            self._service.journal.end(seen, outcome)
        self._current = None
