"""What can go wrong in an exchange, and the one table that says it to the pipeline.

Reasons name the peer as `host:port` and never hold a header, a path, a query or a body.
"""

from __future__ import annotations

import socket
import ssl

from nexus_sdk.model import Failure, FailureKind


class Trouble(Exception):
    """Base of the troubles that we find ourselves; the message is the failure's reason."""

    kind: FailureKind = "protocol"


class Refused(Trouble):
    """The URL or the address behind it may not be called."""

    kind = "refused_address"


class Garbled(Trouble):
    """The peer does not keep to HTTP/1.1, or a bound was passed."""


class CutShort(Trouble):
    """The connection ended inside a response."""

    kind = "truncated"


class Unanswered(Trouble):
    """The connection ended before the first byte of a response."""

    kind = "connect"


class Unreachable(Trouble):
    """No connection could be made."""

    kind = "connect"


class Untrusted(Trouble):
    """The TLS handshake failed."""

    kind = "tls"


class Late(Trouble):
    """A time bound passed; the reason says which."""

    kind = "timeout"


class StreamBroken(Exception):
    """A streamed body ended before its end; `failure` is why. What was read before it is not a
    whole answer."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


TABLE: tuple[tuple[type[Exception], FailureKind, str], ...] = (
    (ssl.SSLCertVerificationError, "tls", "the certificate of {peer} is not trusted: {detail}"),
    (ssl.SSLError, "tls", "TLS with {peer} failed: {detail}"),
    (socket.gaierror, "connect", "the name of {peer} could not be resolved"),
    (TimeoutError, "timeout", "{peer} took too long"),
    (ConnectionRefusedError, "connect", "{peer} refused the connection"),
    (ConnectionError, "connect", "the connection to {peer} was reset"),
    (OSError, "connect", "{peer} could not be reached: {detail}"),
)
"""Foreign errors by class, most special first."""

CAUGHT = (Trouble, OSError)
"""All that `explain` accepts; anything else is a bug of ours and goes through."""


def explain(error: Trouble | OSError, peer: str) -> Failure:
    """The failure that `error` is, for an exchange with `peer` (`host:port`)."""
    if isinstance(error, Trouble):
        return Failure(error.kind, str(error))
    _, kind, sentence = next(row for row in TABLE if isinstance(error, row[0]))
    return Failure(kind, sentence.format(peer=peer, detail=_detail(error)))


def _detail(error: OSError) -> str:
    """The library's own word for it. OpenSSL's and the system's messages hold no data of the
    exchange."""
    if isinstance(error, ssl.SSLError):  # those that Python code makes lack the attributes
        word = getattr(error, "verify_message", None) or getattr(error, "reason", None)
        return str(word or "the connection ended").replace("_", " ").lower()
    return (error.strerror or type(error).__name__).lower()
