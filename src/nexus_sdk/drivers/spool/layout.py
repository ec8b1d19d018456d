"""Where things lie in a spool directory, and how to read them without a key.

<spool>/20260131T235959.000001Z-4711-5f1c22aa/   one chain: one writer, in one process
    00000001.jsonl  00000002.jsonl  ...          its segments, in order
    head.json                                    the last record known to be on disk, signed;
                                                 locked by the writer as long as it lives
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from nexus_sdk.drivers.spool.disk import is_locked
from nexus_sdk.drivers.spool.frame import GENESIS, MAX_LINE_BYTES, Seal, Tip, parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAD = "head.json"
HEAD_BYTES = 512
"""One sector, so that it can be rewritten in place."""
_CHAIN = re.compile(r"\d{8}T\d{6}\.\d{6}Z-\d+-[0-9a-f]{8}")
_SEGMENT = re.compile(r"(\d{8})\.jsonl")


@dataclass(frozen=True, slots=True)
class Previous:
    """What a segment's header says about the segment before it.

    `size` is its length in bytes as far as it was committed; what an abandoned one (`closed` is
    False) holds after that is void. `number` 0: there is none before.
    """

    number: int = 0
    size: int = 0
    events: int = 0
    seq: int = 0
    mac: str = GENESIS
    closed: bool = True
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """The first record of a segment.

    `others`: the last known seq of every other chain when this one began, but for those dropped
    since. `declared`: for each chain, how far it was dropped on purpose, by this writer or by one
    before it.
    """

    chain: str
    node: str
    segment: int
    previous: Previous
    others: dict[str, int]
    declared: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Head:
    """What `head.json` says: everything up to `seq` was on disk, in `segment`. `closed`: nothing
    came after."""

    segment: int
    seq: int
    last: str
    closed: bool


@dataclass(frozen=True, slots=True)
class Span:
    """A segment and how much of it counts: `size` bytes, or all when None."""

    number: int
    path: Path
    size: int | None


def chain_name(now: float, pid: int, suffix: str) -> str:
    started = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return f"{started}-{pid}-{suffix}"


def started(chain: Path) -> str:
    """When the chain was begun, in the form of a record's `at`."""
    name = chain.name
    return f"{name[:4]}-{name[4:6]}-{name[6:11]}:{name[11:13]}:{name[13:23]}"


def chains(directory: Path) -> list[Path]:
    """Every chain of a spool, oldest first; none when the directory does not exist."""
    if not directory.is_dir():
        return []
    return sorted(
        path for path in directory.iterdir() if _CHAIN.fullmatch(path.name) and path.is_dir()
    )


def files(chain: Path) -> list[Path]:
    """What lies in the folder of a chain; nothing when the chain was dropped meanwhile."""
    try:
        return sorted(chain.iterdir())
    except FileNotFoundError:
        return []


def segments(chain: Path) -> list[tuple[int, Path]]:
    """The segments of a chain, in order."""
    found = ((_SEGMENT.fullmatch(path.name), path) for path in files(chain))
    return sorted((int(match[1]), path) for match, path in found if match)


def segment_path(chain: Path, number: int) -> Path:
    return chain / f"{number:08d}.jsonl"


def is_alive(chain: Path) -> bool:
    """Whether the chain's writer still runs on this machine."""
    return is_locked(chain / HEAD)


def lines(path: Path, size: int | None = None, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Every line with its offset, up to `size` bytes of the file; the last may lack its end."""
    offset = start
    with path.open("rb") as file:
        file.seek(start)
        while size is None or offset < size:
            line = file.readline(
                MAX_LINE_BYTES if size is None else min(MAX_LINE_BYTES, size - offset)
            )
            if not line:
                return
            yield offset, line
            offset += len(line)


def read_header(path: Path, seal: Seal | None = None) -> Header | None:
    """The header of a segment; None when it is not there, not whole, or (with a seal) not as it was
    written."""
    try:
        first = next((line for _, line in lines(path)), b"")
    except FileNotFoundError:
        return None
    if seal is not None and not seal.holds(first):
        return None
    line = parse(first)
    return None if line is None or line.kind != "header" else header_of(line.body)


def header_of(body: bytes) -> Header | None:
    """The header in a record; None when it has not the shape of one: without a key anything may
    stand there."""
    try:
        fields = orjson.loads(body)
        header = Header(
            chain=fields["chain"],
            node=fields["node"],
            segment=fields["segment"],
            previous=Previous(**fields["previous"]),
            others=fields["others"],
            declared=fields["declared"],
        )
    except (ValueError, TypeError, KeyError):
        return None
    before = header.previous
    numbers = (header.segment, before.number, before.size, before.events, before.seq)
    return header if all(type(number) is int and number >= 0 for number in numbers) else None


def spans(chain: Path, seal: Seal | None = None) -> list[Span]:
    """The segments of a chain with what counts of each; void ones are left out.

    A segment's header tells where the one before it ended. With a seal, only headers that verify
    are believed.
    """
    found: list[Span] = []
    for number, path in reversed(segments(chain)):
        size = None
        if found and (after := read_header(found[-1].path, seal)) is not None:
            before, follower = after.previous, found[-1].number
            if after.segment == follower and before.number < number:
                continue
            if after.segment == follower and before.number == number and not before.closed:
                size = before.size
        found.append(Span(number, path, size))
    found.reverse()
    return found


def head_document(seal: Seal, chain: str, segment: int, tip: Tip, *, closed: bool) -> bytes:
    fields = {"chain": chain, "segment": segment, "seq": tip.seq, "last": tip.mac, "closed": closed}
    return seal.document(fields, HEAD_BYTES)


def read_head(chain: Path, seal: Seal) -> Head | None:
    """The chain's head; None when it is not as the writer left it. Raises FileNotFoundError.

    Read up to three times: a writer may be rewriting it.
    """
    for _ in range(3):
        text = (chain / HEAD).read_bytes()
        if seal.holds(text):
            fields = orjson.loads(text)
            return Head(fields["segment"], fields["seq"], fields["last"], fields["closed"])
    return None
