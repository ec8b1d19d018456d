"""One line of a chain: a JSON object whose last member authenticates every byte before it and the
line before it.

    {"seq":12,"at":"2026-01-31T23:59:59.000001Z","prev":"<64 hex>","event":{...},"mac":"<64 hex>"}

`mac` is HMAC-SHA256 (RFC 2104) under the chain's own key, over the line as it stands on disk up to
the comma before `"mac"`; `prev` is the mac of the line before. The bytes on disk are what is
signed, so no canonical form is needed. The chain's key is derived from the spool's key and the
chain's name: a line of another chain never verifies here.

The fourth member names the kind of the record: `event`, or one of the spool's own (`KINDS`).
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from nexus_sdk.mac import Mac

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1
GENESIS = "0" * 64
"""`prev` of a chain's first line."""
KINDS = ("header", "event", "dropped", "unlinked", "gap", "trailer")
MAX_EVENT_BYTES = 8 * 1024 * 1024
"""The largest encoded event that a spool takes."""
MAX_LINE_BYTES = 2 * MAX_EVENT_BYTES
"""A reader gives up looking for a line's end after this many bytes."""

_SUFFIX = b',"mac":"'
_MAC_CHARS = 64
TAIL_BYTES = len(_SUFFIX) + _MAC_CHARS + len(b'"}\n')
_HEAD = re.compile(
    rb'\{"seq":([1-9][0-9]{0,17}),"at":"([0-9T:.Z-]{27})","prev":"([0-9a-f]{64})","([a-z]{3,10})":'
)


class Tip(NamedTuple):
    """The last line of a chain: its sequence number and its mac."""

    seq: int = 0
    mac: str = GENESIS


@dataclass(frozen=True, slots=True)
class Line:
    """A line taken apart. `body` is the record's JSON text; nothing here says that the mac is
    right."""

    seq: int
    at: str
    prev: str
    kind: str
    body: bytes
    mac: str

    def value(self) -> Any:
        """The record. Raises ValueError when it is not JSON."""
        return orjson.loads(self.body)


class Seal:
    """Signs and checks the lines of one chain. Its repr shows no key."""

    __slots__ = ("_mac",)

    def __init__(self, key: bytes, chain: str) -> None:
        self._mac = Mac(Mac(key).of(b"nexus audit chain\0" + chain.encode()))

    def line(self, tip: Tip, at: str, kind: str, body: bytes) -> tuple[bytes, Tip]:
        """The line that follows `tip`, and the tip that it becomes."""
        seq = tip.seq + 1
        text = b'{"seq":%d,"at":"%b","prev":"%b","%b":%b' % (
            seq,
            at.encode(),
            tip.mac.encode(),
            kind.encode(),
            body,
        )
        mac = self._mac.of(text).hex()
        return b'%b,"mac":"%b"}\n' % (text, mac.encode()), Tip(seq, mac)

    def document(self, fields: Mapping[str, Any], size: int) -> bytes:
        """A signed document of exactly `size` bytes (`head.json`), in the shape of a line."""
        text = orjson.dumps({**fields, "pad": ""})[:-2]
        text += b" " * (size - len(text) - 1 - TAIL_BYTES) + b'"'
        mac = self._mac.of(text).hex()
        return b'%b,"mac":"%b"}\n' % (text, mac.encode())

    def holds(self, line: bytes) -> bool:
        """Whether the line, its end included, is exactly as a holder of the key wrote it."""
        text, tail = line[:-TAIL_BYTES], line[-TAIL_BYTES:]
        mac = self._mac.of(text).hex().encode()
        return hmac.compare_digest(tail, b'%b%b"}\n' % (_SUFFIX, mac))


def parse(line: bytes) -> Line | None:
    """The parts of a complete line; None when it has not the shape of one."""
    head = _HEAD.match(line)
    tail = line[-TAIL_BYTES:]
    if head is None or len(line) < head.end() + TAIL_BYTES or not tail.startswith(_SUFFIX):
        return None
    if not tail.endswith(b'"}\n'):
        return None
    seq, at, prev, kind = head.groups()
    return Line(
        seq=int(seq),
        at=at.decode(),
        prev=prev.decode(),
        kind=kind.decode(),
        body=line[head.end() : -TAIL_BYTES],
        mac=tail[len(_SUFFIX) : -3].decode("ascii", "replace"),
    )


def stamp(seconds: float) -> str:
    """A Unix time as UTC with microseconds, 27 characters; such texts sort in the order of time."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
