"""How an answer leaves: framing, pauses, and the faults of the transport that a script asks for.

An answer is a series of steps: bytes to write, seconds to wait, or the way the connection ends. A
series without an `End` leaves the connection ready for the next request.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nexus_sdk.demo.script import Script

GZIP_WINDOW = 31
"""zlib's `wbits` for a gzip header and the largest window."""

BODILESS = frozenset({204, 304})


class End(Enum):
    """How a connection ends after the last bytes: closed, reset (RST), or never, with silence."""

    CLOSE = "close"
    RESET = "reset"
    SILENCE = "silence"


type Step = bytes | float | End


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An answer before it is framed. `streamed` bodies are chunked, one chunk for each piece."""

    status: int
    headers: Mapping[str, str]
    pieces: Sequence[bytes] = field(repr=False)
    streamed: bool = False


def deliver(answer: Outgoing, script: Script) -> Iterable[Step]:
    """The steps of an answer."""
    if script:
        return _scripted(answer, script)
    return (_head(answer, _framing(answer)) + b"".join(_framed(answer)),)


def _framed(answer: Outgoing) -> Iterator[bytes]:
    if not answer.streamed:
        return iter(answer.pieces)
    return (piece for part in (map(_chunk, answer.pieces), (b"0\r\n\r\n",)) for piece in part)


def _scripted(answer: Outgoing, script: Script) -> Iterator[Step]:
    if "delay" in script:
        yield script.seconds("delay")
    if "hang" in script:
        yield End.SILENCE
        return
    answer = _reshaped(answer, script)
    limit = min((script.count(name, 0) for name in _LIMITS if name in script), default=None)
    pieces = answer.pieces if limit is None else list(_first(answer.pieces, limit))
    ending = _ending(script)
    whole = Outgoing(answer.status, answer.headers, pieces, answer.streamed)
    announced = answer if ending else whole
    yield _head(whole, {} if "eof" in script else _framing(announced))
    if whole.status not in BODILESS:
        yield from _paced(whole, script)
    if ending:
        yield ending
    elif "eof" in script:
        yield End.CLOSE
    elif whole.streamed:
        yield b"0\r\n\r\n"


_LIMITS = ("cut-after", "hang-after", "end-after")


def _ending(script: Script) -> End | None:
    """The end of an answer that is not allowed to finish."""
    if "hang-after" in script:
        return End.SILENCE
    if "cut-after" not in script:
        return None
    return End.RESET if "reset" in script else End.CLOSE


def _reshaped(answer: Outgoing, script: Script) -> Outgoing:
    """With gzip and `split` applied; pieces of a given size are chunks, so that no reader sees them
    joined.
    """
    pieces, headers = list(answer.pieces), dict(answer.headers)
    if "gzip" in script:
        pieces = list(_gzipped(pieces))
        headers["content-encoding"] = "gzip"
    if "split" in script:
        pieces = list(_recut(pieces, max(script.count("split", 1), 1)))
    streamed = (answer.streamed or "split" in script) and "eof" not in script
    return Outgoing(answer.status, headers, pieces, streamed)


def _paced(answer: Outgoing, script: Script) -> Iterator[Step]:
    """A write for each piece when a pace is asked for, else one for all."""
    framed = map(_chunk, answer.pieces) if answer.streamed else iter(answer.pieces)
    if "chunk-delay" not in script and "split" not in script:
        yield b"".join(framed)
        return
    for at, piece in enumerate(framed):
        if at:
            yield script.seconds("chunk-delay")
        yield piece


def _framing(answer: Outgoing) -> dict[str, str]:
    if answer.status in BODILESS:
        return {}
    if answer.streamed:
        return {"transfer-encoding": "chunked"}
    return {"content-length": str(sum(map(len, answer.pieces)))}


def _head(answer: Outgoing, framing: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {_phrase(answer.status)}"]
    lines += [f"{name}: {value}" for name, value in (*answer.headers.items(), *framing.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


_PHRASES = {status.value: status.phrase for status in HTTPStatus}


def _phrase(status: int) -> str:
    return _PHRASES.get(status, "Unknown")


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""


def _gzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=GZIP_WINDOW)
    for piece in pieces:
        yield packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()


def _recut(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    whole = b"".join(pieces)
    return (whole[at : at + size] for at in range(0, len(whole), size))


def _first(pieces: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """The pieces that hold the first `limit` bytes."""
    for piece in pieces:
        if limit <= 0:
            return
        yield piece[:limit]
        limit -= len(piece)
