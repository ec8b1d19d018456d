"""Keeping a spool within its bound: which closed segments go, and what the chain says about them.

The declaration is committed before a file is removed. What goes is always a prefix of its chain, so
one row a chain (`declared`) tells all that was ever dropped from it.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nexus_sdk.drivers.spool import layout
from nexus_sdk.drivers.spool.frame import Seal, parse

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from nexus_sdk.drivers.spool.disk import Disk

MAX_DECLARED = 256
"""Rows kept about chains that are gone as a whole; the oldest is forgotten first, when no chain of
its time is left."""

type Declared = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Drop:
    """One segment to be removed. `whole`: it is the last of a chain whose writer is gone."""

    chain: Path
    number: int
    path: Path
    size: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Extent:
    """What a segment holds: its events, those before it, the seq and mac at its ends, and how many
    lines are not the writer's. `is_genuine`: its header is the writer's, so that it is the segment
    that its name says."""

    events: int
    events_before: int
    first_seq: int
    last_seq: int
    last_mac: str
    unverified: int = 0
    is_genuine: bool = True


def plan(directory: Path, *, max_bytes: int, segment_bytes: int, own: Path) -> list[Drop]:
    """The segments to remove, oldest first, so that all fit in `max_bytes` when every living
    writer, ours with its next segment too, fills its last segment."""
    total = segment_bytes
    queues: list[list[tuple[float, Drop]]] = []
    for chain in layout.chains(directory):
        sizes, droppable = _chain_drops(chain, keep_last=chain != own and layout.is_alive(chain))
        reserve = max(segment_bytes - sizes[-1], 0) if sizes and len(droppable) < len(sizes) else 0
        total += sum(sizes) + reserve
        if droppable:
            queues.append(droppable)
    drops: list[Drop] = []
    while total > max_bytes and queues:
        oldest = min(queues, key=lambda queue: queue[0][0])
        _, drop = oldest.pop(0)
        if drop.chain == own and drop.whole:
            drop = Drop(drop.chain, drop.number, drop.path, drop.size, whole=False)
        total -= drop.size
        drops.append(drop)
        queues = [queue for queue in queues if queue]
    return drops


def _chain_drops(chain: Path, *, keep_last: bool) -> tuple[list[int], list[tuple[float, Drop]]]:
    """The sizes of a chain's segments, and those that may go with their times of change."""
    sizes: list[int] = []
    rows: list[tuple[float, Drop]] = []
    found = layout.segments(chain)
    for number, path in found:
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            sizes.append(status.st_size)
            whole = number == found[-1][0]
            rows.append((status.st_mtime, Drop(chain, number, path, status.st_size, whole)))
    return sizes, rows[:-1] if keep_last else rows


def describe(
    drops: Iterable[Drop], declared: Declared, key: bytes, known: dict[Path, Extent]
) -> tuple[list[dict[str, Any]], Declared]:
    """The `dropped` records for these segments, and the declarations with them added.

    Only what verifies is declared: otherwise a forged segment, once dropped, would excuse the
    removal of genuine ones. A chain that goes as a whole hands its own declarations on. `known` are
    the segments that need not be read again.
    """
    records: list[dict[str, Any]] = []
    table = declared
    for drop in drops:
        name, seal = drop.chain.name, Seal(key, drop.chain.name)
        extent = known.get(drop.path) or _extent(drop, seal)
        if extent is not None:
            known[drop.path] = extent
            record, row = _told(drop, extent)
            records.append(record)
            table = _merged(table, {name: row} if extent.is_genuine else {})
        if drop.whole:
            header = layout.read_header(drop.path, seal)
            table = _merged(table, header.declared if header else {})
            table = _completed(table, drop.chain, seal)
    return records, _newest(table)


def _told(drop: Drop, extent: Extent) -> tuple[dict[str, Any], dict[str, Any]]:
    """The record about one segment, and the row about its chain up to there."""
    record = {
        "chain": drop.chain.name,
        "segment": drop.number,
        "events": extent.events,
        "bytes": drop.size,
        "first_seq": extent.first_seq,
        "last_seq": extent.last_seq,
        "last_mac": extent.last_mac,
        "unverified": extent.unverified,
    }
    row = {
        "through": drop.number,
        "events": extent.events_before + extent.events,
        "last_seq": extent.last_seq,
        "whole": False,
    }
    return record, row


def _completed(table: Declared, chain: Path, seal: Seal) -> Declared:
    """The chain's row says that all of it went, if that is so as far as its head remembers."""
    row = table.get(chain.name, {"through": 0, "events": 0, "last_seq": 0})
    try:
        head = layout.read_head(chain, seal)
    except FileNotFoundError:
        return table
    if head is None or head.seq > row["last_seq"]:
        return table
    return {**table, chain.name: {**row, "whole": True}}


def _merged(one: Declared, other: Declared) -> Declared:
    """For each chain the row that reaches further."""
    table = dict(one)
    for name, row in other.items():
        if name not in table or table[name]["through"] < row["through"]:
            table[name] = row
    return table


def _newest(table: Declared) -> Declared:
    """Names of chains begin with the time they were started."""
    return {name: table[name] for name in sorted(table)[-MAX_DECLARED:]}


def _extent(drop: Drop, seal: Seal) -> Extent | None:
    """Counted line by line, once before the segment goes. None for one that is void."""
    spans = {span.number: span for span in layout.spans(drop.chain, seal)}
    if drop.number not in spans:
        return None
    events = first_seq = last_seq = unverified = 0
    last_mac = ""
    for _, text in layout.lines(drop.path, spans[drop.number].size):
        line = parse(text) if seal.holds(text) else None
        if line is None:
            unverified += 1
            continue
        events += line.kind == "event"
        first_seq = first_seq or line.seq
        last_seq, last_mac = line.seq, line.mac
    header = layout.read_header(drop.path, seal)
    is_genuine = header is not None and header.segment == drop.number
    before = header.previous.events if header else 0
    return Extent(events, before, first_seq, last_seq, last_mac, unverified, is_genuine)


def remove(drops: Iterable[Drop], disk: Disk) -> list[Path]:
    """The files that were removed. What cannot be removed now is planned again with the next
    segment."""
    gone: list[Path] = []
    for drop in drops:
        with contextlib.suppress(OSError):
            disk.remove(drop.path)
            gone.append(drop.path)
            if drop.whole:
                remove_chain(drop.chain, disk)
    return gone


def remove_chain(chain: Path, disk: Disk) -> None:
    """Remove the folder of a chain that has no segments, as far as the disk lets us."""
    with contextlib.suppress(OSError):
        disk.remove(chain / layout.HEAD)
        disk.remove_folder(chain)
