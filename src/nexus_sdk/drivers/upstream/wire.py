"""What an exchange needs of the network: two small promises, kept once by blocking and once by
event loop.

The methods are coroutines on both sides. The blocking ones never suspend, so that `blocking.finish`
can run an exchange to its end with one `send(None)`; thus its text exists once.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

IDLE_S = 30.0
"""How long a kept connection may wait for its next request. Below the usual idle limits of servers
and load balancers (nginx 75 s, AWS ALB 60 s, Azure 240 s), so that a request seldom meets a closing
one."""
MAX_IDLE = 64
"""Idle connections kept per origin."""
READ_BYTES = 64 * 1024
WRITE_BYTES = 256 * 1024
"""A large body is written in pieces of this size, and each has its own `within_s`."""


KEEPALIVE_S = 60
"""Idle seconds before, and between, TCP probes. A model may think for minutes without a byte, and a
NAT forgets a silent connection (AWS after 350 s); openai-python probes as often."""

_PROBES = ("TCP_KEEPIDLE", "TCP_KEEPALIVE", "TCP_KEEPINTVL")
"""Options by name: macOS calls the first one TCP_KEEPALIVE."""


def tune(sock: socket.socket) -> None:
    """No delay for small writes, and probes that keep a silent connection known."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name in _PROBES:
        if (option := getattr(socket, name, None)) is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, KEEPALIVE_S)


class Wire(Protocol):
    """One connection. Times are in seconds, None waits for ever; every method may raise OSError."""

    async def write(self, data: bytes, within_s: float | None) -> None:
        """All of `data` is given to the system. Raises TimeoutError."""
        ...

    async def read(self, within_s: float | None) -> bytes:
        """What has come, at least one byte; b"" once the peer has properly ended its side. Raises
        TimeoutError, and ConnectionError when the peer went without ending it."""
        ...

    async def secure(
        self, context: ssl.SSLContext, server_name: str, within_s: float | None
    ) -> None:
        """TLS from here on, with the peer's certificate verified for `server_name`."""
        ...

    def park(self) -> None:
        """Idle from now on. It closes itself, or refuses to wake, after `IDLE_S`."""
        ...

    def wake(self) -> bool:
        """Ready for another request; False when it is closed, too old, or has said something
        unasked."""
        ...

    def close(self) -> None:
        """At once, whatever is under way; the peer sees it. Any number of times, from any thread of
        its own."""
        ...


class Net(Protocol):
    async def lookup(self, name: str, port: int, within_s: float | None) -> Sequence[str]:
        """The addresses of `name`. Raises OSError, TimeoutError."""
        ...

    async def connect(self, address: str, port: int, within_s: float | None) -> Wire:
        """A TCP connection to exactly `address`. Raises OSError, TimeoutError."""
        ...
