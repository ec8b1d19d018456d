"""HTTP/1.1 as a client speaks it: a request to bytes, and a push reader of one response. No I/O.

RFC 9112, read strictly: what two readers could frame differently (two lengths, a length beside
chunks, folded lines, bare line feeds) is refused, because the next request on the connection would
read the difference.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from nexus_sdk.drivers.upstream.failures import CutShort, Garbled, Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_HEAD_BYTES = 64 * 1024
"""Status line and headers, or trailers. nginx and node allow 8 to 16 KiB, Go 1 MiB."""
MAX_HEADERS = 256
MAX_CHUNK_LINE_BYTES = 1024

USER_AGENT = "nexus-sdk"
FRAMING = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "accept-encoding",
        "connection",
        "keep-alive",
        "te",
        "upgrade",
    }
    | {"trailer", "expect", "proxy-connection", "proxy-authorization"}
)
"""Headers that belong to the connection. They are ours: a given one is left out."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.6.2
_STATUS = re.compile(r"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [^\r\n]*)?")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
_LENGTH = re.compile(r"[0-9]{1,18}")


@lru_cache(maxsize=4096)
def _sent(name: str) -> str:
    """The header name in lower case; empty for one that is left out. Raises Garbled when it is
    none."""
    lower = _lower(name)
    return "" if lower in FRAMING else lower


@lru_cache(maxsize=4096)
def _lower(name: str) -> str:
    """The header name in lower case. Raises Garbled when it is none."""
    if not _TOKEN.fullmatch(name):
        raise Garbled("a header name is not a token")
    return name.lower()


def encode_head(
    method: str, target: str, authority: str, headers: Mapping[str, str], length: int | None
) -> bytes:
    """The head of a request; `length` None: it has no body. Values are Latin-1, names stay as they
    are. Raises Garbled for a name or value that would break the head."""
    lines = [f"{method} {target} HTTP/1.1", f"host: {authority}"]
    anonymous = True
    for name, value in headers.items():
        if lower := _sent(name):
            lines.append(f"{name}: {value}")
            if lower == "user-agent":
                anonymous = False
    if anonymous:
        lines.append(f"user-agent: {USER_AGENT}")
    if length is not None:
        lines.append(f"content-length: {length}")
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1 or "\0" in text:
        raise Garbled("a header value holds a line break or a NUL")
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise Garbled("a header value is not Latin-1") from None


class Reader:
    """One response, however its bytes are cut.

    `feed` gives the body bytes in what came, `eof` says that no more will come. `status` is 0 until
    the head is complete; `ended` is set with the last byte of the body; `reusable` says whether the
    connection can carry another request after that. `peer` names the other side in messages.
    """

    __slots__ = (
        "_headless",
        "_left",
        "_rest",
        "_step",
        "begun",
        "ended",
        "headers",
        "peer",
        "reusable",
        "status",
    )

    def __init__(self, method: str, peer: str) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.begun = False
        self.ended = False
        self.reusable = False
        self.peer = peer
        self._headless = method == "HEAD"
        self._rest = b""
        self._left = 0
        self._step: Callable[[bytes], bytes] = self._head

    def feed(self, data: bytes) -> bytes:
        """The body bytes in `data`. Raises Garbled."""
        self.begun = True
        return self._step(data)

    def eof(self, *, clean: bool) -> None:
        """The peer has closed; `clean` when it said so (FIN, or close_notify under TLS). Sets
        `ended` for a body that ends this way. Raises Unanswered or CutShort for anything else that
        is not ended."""
        if self.ended:
            return
        if not self.begun:
            raise Unanswered(f"{self.peer} closed the connection without an answer")
        if not (clean and self._step == self._until_close):
            raise CutShort(f"{self.peer} closed the connection inside a response")
        self.ended = True

    def _head(self, data: bytes) -> bytes:
        if self._rest:
            data = self._rest + data
        if data[:7] != b"HTTP/1."[: len(data)]:
            raise Garbled(f"{self.peer} does not answer in HTTP/1.1")
        end = data.find(b"\r\n\r\n")
        if end > MAX_HEAD_BYTES or (end < 0 and len(data) > MAX_HEAD_BYTES):
            raise Garbled(f"{self.peer} sent a response head of over {MAX_HEAD_BYTES} bytes")
        if end < 0:
            self._rest = data
            return b""
        self._rest = b""
        status, minor = self._parse(data[:end].decode("latin-1"))
        data = data[end + 4 :]
        if status == 101:
            raise Garbled(f"{self.peer} switched protocols without being asked")
        if status < 200:
            self.headers = {}
            return self._head(data) if data else b""
        self.status = status
        self.reusable = self._persists(minor)
        self._step = self._framing(minor)
        return self._step(data)

    def _parse(self, head: str) -> tuple[int, int]:
        """Fills `headers`; gives status and minor version."""
        lines = head.split("\r\n")
        breaks = len(lines) - 1
        match = _STATUS.fullmatch(lines[0])
        if (
            match is None
            or head.count("\n") != breaks
            or head.count("\r") != breaks
            or "\0" in head
        ):
            raise Garbled(f"{self.peer} sent a malformed response head")
        if breaks > MAX_HEADERS:
            raise Garbled(f"{self.peer} sent over {MAX_HEADERS} headers")
        headers = self.headers
        for i in range(1, len(lines)):
            name, colon, value = lines[i].partition(":")
            if not colon:
                raise Garbled(f"{self.peer} sent a header line without a colon")
            name = _lower(name)
            value = value.strip(" \t")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return int(match[2]), int(match[1])

    def _persists(self, minor: int) -> bool:
        connection = self.headers.get("connection")
        if connection is None:
            return minor == 1
        options = [option.strip() for option in connection.lower().split(",")]
        return "close" not in options and (minor == 1 or "keep-alive" in options)

    def _framing(self, minor: int) -> Callable[[bytes], bytes]:
        """RFC 9112 6.3, without its leniencies."""
        length = self.headers.get("content-length")
        coding = self.headers.get("transfer-encoding")
        if self._headless or self.status in {204, 304}:
            return self._sized
        if coding is not None:
            if coding.lower() != "chunked" or length is not None or minor == 0:
                raise Garbled(f"{self.peer} sent a response with contradictory framing")
            return self._chunked
        if length is None:
            self.reusable = False
            return self._until_close
        if not _LENGTH.fullmatch(length):
            lengths = {part.strip() for part in length.split(",")}
            length = lengths.pop()
            if lengths or not _LENGTH.fullmatch(length):
                raise Garbled(f"{self.peer} sent a malformed content-length")
        self._left = int(length)
        return self._sized

    def _sized(self, data: bytes) -> bytes:
        size = len(data)
        if size < self._left:
            self._left -= size
            return data
        self.ended = True
        if size > self._left:
            self.reusable = False
            data = data[: self._left]
        self._left = 0
        return data

    def _until_close(self, data: bytes) -> bytes:
        return data

    def _chunked(self, data: bytes) -> bytes:
        """`_left` counts what is left of a chunk with its line end; at 0 a size line comes next."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        at = 0
        pieces: list[bytes] = []
        while at < len(data):
            if self._left:
                at = self._inside(data, at, pieces)
                continue
            end = data.find(b"\r\n", at, at + MAX_CHUNK_LINE_BYTES)
            if end < 0:
                self._hold(data[at:], MAX_CHUNK_LINE_BYTES)
                break
            length = self._chunk_length(data[at:end])
            at = end + 2
            if length == 0:
                self._step = self._trailers
                self._trailers(data[at:])
                break
            self._left = length + 2
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _chunk_length(self, line: bytes) -> int:
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise Garbled(f"{self.peer} sent a malformed chunk")
        return int(match[1], 16)

    def _inside(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        """Takes the chunk's bytes from `at` on, and its line end; gives the place after them."""
        stop = min(at + self._left - 2, len(data))
        if stop > at:
            pieces.append(data[at:stop])
            self._left -= stop - at
            at = stop
        if self._left > 2:
            return at
        ending = data[at : at + self._left]
        if ending != b"\r\n"[2 - self._left :][: len(ending)]:
            raise Garbled(f"{self.peer} sent a chunk that does not end where it should")
        self._left -= len(ending)
        return at + len(ending)

    def _trailers(self, data: bytes) -> bytes:
        """Read and dropped: a trailer merged into the headers could overwrite what was already
        acted on."""
        data = self._rest + data
        end = 0 if data.startswith(b"\r\n") else data.find(b"\r\n\r\n") + 2
        if end == 1:
            self._hold(data, MAX_HEAD_BYTES)
            return b""
        self._rest = b""
        self.ended = True
        self.reusable = self.reusable and len(data) == end + 2
        return b""

    def _hold(self, rest: bytes, limit: int) -> None:
        if len(rest) > limit:
            raise Garbled(f"{self.peer} sent a line of over {limit} bytes")
        self._rest = rest
