"""The sidecar's strict HTTP front: uvicorn's httptools protocol behind the rules of `strict_http`.

The gate frames every message itself, gives httptools exactly the bytes of one message after the
other, and starts the application only when a request is there to its last byte. So no malformed,
oversized or slow request reaches code of ours, pipelined requests are answered one after the other,
and where the two parsers differ the request is refused.

    uvicorn.Config(app, http=gate(Limits(...)), ws="none")
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from nexus_sidecar import strict_http
from nexus_sidecar.cycle import Cycle
from nexus_sidecar.refusal import answer
from nexus_sidecar.strict_http import Chunked, Refused, Sized, malformed

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from uvicorn._types import ASGI3Application
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

MIB = 1024 * 1024
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

LINGER_BYTES = 16 * MIB
LINGER_S = 2.0
"""What a refused client may still send, and for how long, before the connection is cut: closing
with unread bytes resets it, and the client would lose the refusal (RFC 9112, 9.6)."""

DEPARTURE = "nexus.departure"
"""Under this name an application may put a function into its scope: it is called when the client
goes away before its answer is complete. `receive` tells that too, but at the price of a second task
for every request."""

PIPELINED_BYTES = 64 * 1024
"""Read ahead of the request in progress. Beyond it we stop reading; up to it we still see the
client leave."""

if not hasattr(HttpToolsProtocol, "_start_asgi_task"):
    raise ImportError("nexus_sidecar.gate needs uvicorn 0.54 or newer")


def _ignore(refused: Refused) -> None:
    """Nobody counts refusals."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds.

    `body`: of one request. `buffered`: of all bodies that are not whole yet. `connections`: open at
    a time. `head_s`: from a request's first byte (or the connection's beginning) to the end of its
    head. `silence_s`: without a byte of the body. `body_s`: for the whole body. `refused` is told
    of every refusal.
    """

    body: int = 32 * MIB
    buffered: int = 512 * MIB
    connections: int = 4096
    head_s: float = 10.0
    silence_s: float = 30.0
    body_s: float = 600.0
    refused: Callable[[Refused], None] = _ignore


@dataclass(slots=True)
class _Shared:
    """What all connections of one server have together."""

    limits: Limits
    buffered: int = field(default=0)


def gate(limits: Limits | None = None) -> type[HttpToolsProtocol]:
    """The protocol class for `uvicorn.Config(http=...)`, with these limits."""
    shared = _Shared(limits or Limits())
    return type("LimitedGate", (Gate,), {"shared": shared})


class Gate(HttpToolsProtocol):
    """One connection. It is in one of four states: reading a head, reading a body, answering,
    refused."""

    shared: ClassVar[_Shared] = _Shared(Limits())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = self.shared.limits
        self._input = bytearray()
        self._seen = 0
        """Bytes of an unfinished head that were checked."""
        self._body: Sized | Chunked | None = None
        self._held: tuple[RequestResponseCycle, ASGI3Application] | None = None
        """The request whose body is not whole yet."""
        self._waits = False
        """The client holds its body back until it is told to go on."""
        self._answering = False
        self._refused = False
        self._lingered = 0
        self._deadline: float | None = None
        self._body_deadline = 0.0
        self._watch: asyncio.TimerHandle | None = None

    # ---- what the event loop calls ----------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections:
            self._refuse(Refused(503, "too_many_connections", "the server has no connection left"))
            return
        self._expect_within(self._limits.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._tell_departure()
        self._drop_held()
        self._input.clear()
        self._deadline = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            self._discard(len(data))
            return
        self._unset_keepalive_if_required()
        self._input += data
        self._advance()

    def shutdown(self) -> None:
        """An idle connection is closed, and cut where that is not enough: over TLS, a client that
        does not read does not answer the end either, and the server would wait for it."""
        super().shutdown()
        if self.transport.is_closing() and not self.transport.get_write_buffer_size():
            self.loop.call_later(LINGER_S, self.transport.abort)

    # ---- framing ----------------------------------------------------------------------------

    def _advance(self) -> None:
        """Read as far as the input goes, or to the end of a request that is now to be answered."""
        try:
            while self._input and not self._answering and self._read():
                pass
        except Refused as refused:
            self._refuse(refused)
            return
        except httptools.HttpParserError as error:
            self._refuse(_cause(error))
            return
        if self._answering:
            self._deadline = None
            if len(self._input) > PIPELINED_BYTES:
                self.flow.pause_reading()
        elif self._body is not None:
            left = self._body_deadline - self.loop.time()
            self._expect_within(min(self._limits.silence_s, left))

    def _read(self) -> bool:
        """Take the next whole head, or what is there of a body. False: more bytes are needed."""
        return self._read_head() if self._body is None else self._read_body(self._body)

    def _read_head(self) -> bool:
        end = self._input.find(b"\r\n\r\n", max(self._seen - 3, 0))
        if end < 0:
            if not self._seen and self._deadline is None:
                self._expect_within(self._limits.head_s)
            strict_http.check_beginning(self._input, self._seen)
            self._seen = len(self._input)
            return False
        head = bytes(self._input[: end + 4])
        strict_http.check_grammar(head)
        self.parser.feed_data(strict_http.without_upgrade(head))
        del self._input[: end + 4]
        self._seen = 0
        if self._waits and not self._input:
            self.transport.write(CONTINUE)
        return True

    def _read_body(self, body: Sized | Chunked) -> bool:
        taken = body.take(self._input)
        data = bytes(self._input[:taken])
        del self._input[:taken]
        if body.done:
            self._body = None
        self.parser.feed_data(data)
        if body.done and not self._answering:
            raise malformed("the body does not end where it says")
        return taken > 0

    # ---- what httptools calls ---------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._held is not None:
            raise malformed("a header behind the body")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            raise malformed("no other protocol is served here")
        strict_http.check_target(self.parser.get_method(), self.url)
        single = strict_http.check_headers(self.headers)
        length = strict_http.body_length(self.parser.get_http_version(), single, self._limits.body)
        self._waits = strict_http.check_expectation(single) and length != 0
        self.expect_100_continue = False
        super().on_headers_complete()
        if length == 0:
            return
        self._body = Chunked(self._limits.body) if length is None else Sized(length)
        self._body_deadline = self.loop.time() + self._limits.body_s

    def on_body(self, body: bytes) -> None:
        self.cycle.body += body
        self.shared.buffered += len(body)
        if self.shared.buffered > self._limits.buffered:
            raise Refused(503, "overloaded", "too many requests are being received")

    def on_message_complete(self) -> None:
        if self._body is not None:
            raise malformed("the body ends before it should")
        super().on_message_complete()
        held = self._held
        self._drop_held()
        self._answering = True
        if held is not None:
            super()._start_asgi_task(*held)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Called at the end of the head; the request is kept until its body is whole."""
        self.cycle = Cycle(cycle)
        self._held = (self.cycle, app)

    def _tell_departure(self) -> None:
        if self._answering and callable(tell := self.cycle.scope.get(DEPARTURE)):
            tell()

    def _drop_held(self) -> None:
        if self._held is not None:
            self.shared.buffered -= len(self._held[0].body)
            self._held = None

    def on_response_complete(self) -> None:
        self._answering = False
        super().on_response_complete()
        if self._input and not self.transport.is_closing():
            self._unset_keepalive_if_required()
            self._advance()

    # ---- refusing ---------------------------------------------------------------------------

    def _refuse(self, refused: Refused) -> None:
        """Answer, and end the connection in a way that lets the answer arrive."""
        self._refused = True
        target = self.url if self._held else bytes(self._input[:256]).partition(b" ")[2]
        self._drop_held()
        self._limits.refused(refused)
        self.logger.warning("request refused: %s", refused.code)
        if self.transport.is_closing():
            return
        self.transport.write(answer(refused, target, self.server_state.default_headers))
        lingered = len(self._input)
        self._input.clear()
        self._expect_within(LINGER_S)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._discard(lingered)

    def _discard(self, size: int) -> None:
        self._lingered += size
        if self._lingered > LINGER_BYTES:
            self.transport.abort()

    # ---- time -------------------------------------------------------------------------------

    def _expect_within(self, seconds: float) -> None:
        """Set the deadline. One timer a connection, set anew when it rings too early."""
        self._deadline = self.loop.time() + seconds
        if self._watch is None:
            self._watch = self.loop.call_at(self._deadline, self._ring)
        elif self._watch.when() > self._deadline:
            self._watch.cancel()
            self._watch = self.loop.call_at(self._deadline, self._ring)

    def _ring(self) -> None:
        self._watch = None
        if self._deadline is None or self.transport.is_closing():
            return
        if self.loop.time() < self._deadline:
            self._watch = self.loop.call_at(self._deadline, self._ring)
        elif self._refused:
            self.transport.abort()
        elif self._input or self._body is not None:
            self._refuse(Refused(408, "request_timeout", "the request came too slowly"))
        else:
            self.transport.close()


def _cause(error: httptools.HttpParserError) -> Refused:
    """Our own refusal out of a callback, or the parser's as a plain 400."""
    if isinstance(error.__context__, Refused):
        return error.__context__
    return malformed("this is not a request of HTTP/1.1")
