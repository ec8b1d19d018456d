"""What a request must look like before any code of ours sees it. Pure rules: bytes in, `Refused` or
nothing out.

RFC 9112 leaves room that servers fill differently, and a gateway must not be one of two opinions:
of ten servers and 45 odd requests, 41 were parsed differently in a comparison. So everything that
is not the one plain form of a request is refused, also where the RFC would let a recipient repair
it. A refusal never repeats what was sent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 100

type Headers = Sequence[tuple[bytes, bytes]]
"""Names in lower case."""

METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})
"""Neither CONNECT nor TRACE: nothing is tunnelled or echoed on this port."""

SINGLE = frozenset(
    {
        b"authorization",
        b"api-key",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"proxy-authorization",
        b"transfer-encoding",
        b"x-api-key",
        b"x-goog-api-key",
    }
)
"""Decisions hang on these, so they come once: which of two would count is a matter of opinion."""

GUARDED = SINGLE | frozenset(
    {
        b"anthropic-beta",
        b"anthropic-version",
        b"content-disposition",
        b"forwarded",
        b"openai-organization",
        b"openai-project",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-real-ip",
        b"x-request-id",
    }
)
"""Names that must not come spelled with `_`: CGI-like servers behind or before us read both as
one."""

OUR_PREFIX = b"x-nexus-"

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_REQUEST_LINE = re.compile(rb"[A-Z]++ [!-~]++ HTTP/1\.[01]\r\n")
_FIELDS = re.compile(rb"(?:" + _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*+\r\n)*+\r\n")
_BROKEN = re.compile(rb"(?<!\r)\n|\r[^\n]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]++\]|[0-9A-Za-z._~-]++)(?::[0-9]{1,5})?")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})?")
_PLAIN_PATH = re.compile(rb"(?:/[0-9A-Za-z_:-][0-9A-Za-z_:.-]*+)++")
"""Nearly every path; the others are looked at more closely."""
_PLAIN_BEGINNING = re.compile(rb"/[^/%]*(?:/[^/%]*)?(?:/.*)?|/model/.*", re.DOTALL)
_UPGRADE_FIELD = re.compile(rb"(?im)^upgrade:[^\r\n]*+\r\n")
_NEVER_ESCAPED = frozenset(
    # the unreserved characters (RFC 3986, 2.3), then what parsers split or decode at
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
    b"\\;%" + bytes(range(0x20)) + b"\x7f"
)


class Refused(Exception):
    """This request is not served, and the connection ends. `code` is stable, the message says what
    is wrong."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def malformed(message: str) -> Refused:
    return Refused(400, "malformed_request", message)


def check_beginning(data: bytearray, seen: int) -> None:
    """Refuse an unfinished head that no further byte can mend. `seen` bytes of it were checked
    before."""
    if not 0x41 <= data[0] <= 0x5A:
        raise malformed("this is not a request of HTTP/1.1 (is it TLS, or HTTP/2?)")
    if len(data) > MAX_HEAD_BYTES:
        raise _head_too_large()
    if _BROKEN.search(data, max(seen - 1, 0)):
        raise malformed("the head holds a control character, or a line end that is not CR LF")


def check_grammar(head: bytes) -> None:
    """Refuse a head, its empty line included, that is not a request line and header lines, and
    nothing else."""
    if len(head) > MAX_HEAD_BYTES:
        raise _head_too_large()
    line = _REQUEST_LINE.match(head)
    if line is None:
        raise malformed("the request line must read: METHOD /path HTTP/1.1")
    if head.count(b"\r\n") - 2 > MAX_HEADERS:
        raise Refused(431, "head_too_large", f"more than {MAX_HEADERS} headers")
    if _FIELDS.fullmatch(head, line.end()) is None:
        raise malformed(
            "a header line is malformed: folded, without a colon, with a space in its name, "
            "or with a control character"
        )


def _head_too_large() -> Refused:
    return Refused(
        431, "head_too_large", f"request line and headers are over {MAX_HEAD_BYTES} bytes"
    )


def without_upgrade(head: bytes) -> bytes:
    """The head without its wish for another protocol, which a server may ignore (RFC 9110, 7.8).
    Java's HTTP client sends `Upgrade: h2c` with its first request; obeying would leave the body
    unread."""
    return _UPGRADE_FIELD.sub(b"", head) if b"upgrade:" in head.lower() else head


def check_target(method: bytes, target: bytes) -> None:
    """Refuse a target that is not a path, or whose path two parsers could route differently."""
    if method not in METHODS:
        raise malformed("this method is not served")
    if _PLAIN_PATH.fullmatch(target):
        return
    if not target.startswith(b"/"):
        raise malformed("the target must be a path, not a URL or an authority")
    if b"#" in target or b"\\" in target:
        raise malformed("the target holds a fragment or a backslash")
    path = target.partition(b"?")[0]
    if b";" in path:
        raise malformed("the path holds a parameter (;)")
    if b"%" in path:
        path = _decoded(path)
    if b"//" in path or any(segment in {b".", b".."} for segment in path.split(b"/")):
        raise malformed("the path holds an empty segment or a dot segment")


def _decoded(path: bytes) -> bytes:
    """The path without its escapes. They are for what cannot stand in a path, and only from its
    third segment on, where identifiers are (`/v1/models/org%2Fname`), and in the second after
    `/model`, where Bedrock has its models; never for the words that routing reads."""
    if _PLAIN_BEGINNING.fullmatch(path) is None:
        raise malformed("the first two segments of the path hold a percent escape")
    for escape in _ESCAPE.finditer(path):
        digits = escape[1]
        if digits is None or int(digits, 16) in _NEVER_ESCAPED:
            raise malformed(
                "the path holds a percent escape that is broken, needless or hides a delimiter"
            )
    decoded = unquote_to_bytes(path)
    try:
        decoded.decode()
    except UnicodeDecodeError:
        raise malformed("the path is not UTF-8") from None
    return decoded


def check_headers(headers: Headers) -> Mapping[bytes, bytes]:
    """Refuse headers that are missing, repeated or disguised; give those of `SINGLE` that are
    there."""
    single: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in SINGLE:
            if name in single:
                raise malformed(f"the header {name.decode()} comes more than once")
            single[name] = value
        elif b"_" in name and _is_guarded(name.replace(b"_", b"-")):
            raise malformed("a header's name is spelled with _ where - is meant")
    if b"host" not in single:
        raise malformed("the header host is missing")
    if _HOST.fullmatch(single[b"host"].rstrip(b" \t")) is None:
        raise malformed("the header host must be a name or an address, and a port")
    return single


def _is_guarded(name: bytes) -> bool:
    return name in GUARDED or name.startswith(OUR_PREFIX)


def body_length(version: str, single: Mapping[bytes, bytes], maximum: int) -> int | None:
    """The body's length in bytes, None when it comes in chunks. `single` is from
    `check_headers`."""
    encoding, length = single.get(b"transfer-encoding"), single.get(b"content-length")
    if encoding is not None:
        if length is not None:
            raise malformed("content-length and transfer-encoding exclude each other")
        if encoding.lower() != b"chunked" or version != "1.1":
            raise malformed("transfer-encoding must be chunked, in HTTP/1.1")
        return None
    if length is None:
        return 0
    if _LENGTH.fullmatch(length) is None:
        raise malformed("content-length must be a number in decimal digits")
    if int(length) > maximum:
        raise too_large(maximum)
    return int(length)


def too_large(maximum: int) -> Refused:
    return Refused(413, "payload_too_large", f"the body is over {maximum} bytes")


def check_expectation(single: Mapping[bytes, bytes]) -> bool:
    """Whether the client waits for `100 Continue`."""
    expected = single.get(b"expect")
    if expected is None:
        return False
    if expected.lower() != b"100-continue":
        raise Refused(417, "expectation_failed", "the only expectation served is 100-continue")
    return True


class Sized:
    """A body of known length. `take` says how many of the next bytes are its own."""

    def __init__(self, length: int) -> None:
        self._left = length

    @property
    def done(self) -> bool:
        return self._left == 0

    def take(self, data: bytearray) -> int:
        taken = min(self._left, len(data))
        self._left -= taken
        return taken


class Chunked:
    """A chunked body without extensions and trailers (RFC 9112, 7.1; both may be refused). `take`
    says how many of the next bytes are its own and whole; the rest has to be shown again with more
    behind it. Raises Refused."""

    _SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
    _SIZE_BEGINNING = re.compile(rb"[0-9A-Fa-f]{0,8}\r?")

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._size = 0
        self._left = 0
        """Bytes of the current chunk still to come, its CR LF included."""
        self._last = False
        self.done = False

    def take(self, data: bytearray) -> int:
        at = 0
        while at < len(data) and not self.done:
            moved = self._data(data, at) if self._left else self._size_line(data, at)
            if not moved:
                break
            at += moved
        return at

    def _data(self, data: bytearray, at: int) -> int:
        """Content is taken as it comes, the CR LF behind it in one."""
        if self._left > 2:
            taken = min(self._left - 2, len(data) - at)
            self._left -= taken
            return taken
        end = data[at : at + 2]
        if not b"\r\n".startswith(end):
            raise malformed("a trailer, or a chunk longer than it says")
        if len(end) < 2:
            return 0
        self._left, self.done = 0, self._last
        return 2

    def _size_line(self, data: bytearray, at: int) -> int:
        line = self._SIZE_LINE.match(data, at)
        if line is None:
            if len(data) - at > 9 or self._SIZE_BEGINNING.fullmatch(data, at) is None:
                raise malformed("a chunk's size must be 1 to 8 hexadecimal digits and CR LF")
            return 0
        size = int(line[1], 16)
        self._size += size
        if self._size > self._maximum:
            raise too_large(self._maximum)
        self._last = size == 0
        self._left = size + 2
        return len(line[0])
