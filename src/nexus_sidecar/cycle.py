"""One request and its answer, as uvicorn has them, written with fewer system calls."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

if TYPE_CHECKING:
    from collections.abc import Callable

    from uvicorn._types import ASGISendEvent

    type _Framed = Callable[[bytes, bool], bytes]
    """A piece of the body, and whether it is the last, as it goes out."""

_UNFIT = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""Would end a header line early (RFC 9110, 5.5)."""
_BODILESS = frozenset({204, 304})


class Cycle(RequestResponseCycle):
    """Sends an answer's head together with the first bytes of its body: uvicorn writes them one
    after the other, and each write is a system call and a packet. Headers are checked all at once.
    """

    def __init__(self, made: RequestResponseCycle) -> None:
        """Takes the place of `made`, which has not begun."""
        self.__dict__.update(vars(made))
        self._head = b""
        self._framed: _Framed = _as_it_is

    async def send(self, message: ASGISendEvent) -> None:
        """As ASGI has it. Raises RuntimeError for a message that cannot come now."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        expected = "http.response.body" if self.response_started else "http.response.start"
        if message["type"] != expected or self.response_complete:
            raise RuntimeError(f"the application sent {message['type']} where it cannot stand")
        if self.response_started:
            self._write(message)
        else:
            self.response_started = True
            self._head = self._begun(message)

    def _begun(self, message: Any) -> bytes:
        """The head's bytes."""
        status: int = message["status"]
        headers = [*self.default_headers, *message["headers"]]
        named = dict(headers)
        if named.get(b"connection") == b"close":
            self.keep_alive = False
        elif not self.keep_alive:
            headers.append((b"connection", b"close"))
        if self.scope["method"] == "HEAD" or status in _BODILESS:
            self._framed = _nothing
        elif b"content-length" in named:
            self._framed = _Sized(int(named[b"content-length"]))
        elif self.scope["http_version"] == "1.1":
            headers.append((b"transfer-encoding", b"chunked"))
            self._framed = _chunk
        lines = [b"%b: %b" % header for header in headers]
        if _UNFIT.search(b" ".join(lines)):
            raise RuntimeError("a header of the answer holds a control character")
        return b"\r\n".join([STATUS_LINE[status][:-2], *lines, b"\r\n"])

    def _write(self, message: Any) -> None:
        ends = not message.get("more_body")
        data = self._head + self._framed(message.get("body", b""), ends)
        self._head = b""
        if data:
            self.transport.write(data)
        if not ends:
            return
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


def _chunk(body: bytes, ends: bool) -> bytes:  # noqa: FBT001  a `_Framed`
    chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
    return chunk + b"0\r\n\r\n" if ends else chunk


def _as_it_is(body: bytes, _ends: bool) -> bytes:  # noqa: FBT001
    """To a client of HTTP/1.0, which reads to the end of the connection."""
    return body


def _nothing(_body: bytes, _ends: bool) -> bytes:  # noqa: FBT001
    return b""


class _Sized:
    """A body of known length."""

    def __init__(self, length: int) -> None:
        self._left = length

    def __call__(self, body: bytes, ends: bool) -> bytes:  # noqa: FBT001
        self._left -= len(body)
        if self._left < 0 or (ends and self._left):
            raise RuntimeError("the answer's body is not as long as its content-length says")
        return body
