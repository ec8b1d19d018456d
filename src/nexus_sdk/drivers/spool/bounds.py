"""Keeping a spool within its bound: which closed segments go, and what the chain says about them.

The declaration is committed before a file is removed. What goes is always a prefix of its chain, so
one row a chain (`declared`) tells all that was ever dropped from it.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nexus_sdk.drivers.spool import layout
from nexus_sdk.drivers.spool.frame import parse

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
    """What a segment holds: its events, those before it, and the seq and mac at its ends."""

    events: int
    events_before: int
    first_seq: int
    last_seq: int
    last_mac: str


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
    found = layout.segments(chain) if chain.is_dir() else []
    for number, path in found:
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            sizes.append(status.st_size)
            whole = number == found[-1][0]
            rows.append((status.st_mtime, Drop(chain, number, path, status.st_size, whole)))
    return sizes, rows[:-1] if keep_last else rows


def describe(drops: Iterable[Drop], declared: Declared) -> tuple[list[dict[str, Any]], Declared]:
    """The `dropped` records for these segments, and the declarations with them added.

    A chain that goes as a whole hands its own declarations on.
    """
    records: list[dict[str, Any]] = []
    table = declared
    for drop in drops:
        try:
            header, extent = layout.read_header(drop.path), _extent(drop)
        except FileNotFoundError:
            continue
        if extent is None:
            continue
        if header is not None and drop.whole:
            table = _merged(table, header.declared)
        record, row = _told(drop, extent)
        records.append(record)
        table = _merged(table, {drop.chain.name: row})
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
        "whole": drop.whole,
    }
    row = {
        "through": drop.number,
        "events": extent.events_before + extent.events,
        "last_seq": extent.last_seq,
        "whole": drop.whole,
    }
    return record, row


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


def _extent(drop: Drop) -> Extent | None:
    """Counted line by line: a segment is read once before it goes, in the writer thread. None for a
    void one."""
    span = next((span for span in layout.spans(drop.chain) if span.number == drop.number), None)
    if span is None:
        return None
    header = layout.read_header(drop.path)
    events = first_seq = last_seq = 0
    last_mac = ""
    for _, text in layout.lines(drop.path, span.size):
        line = parse(text)
        if line is None:
            continue
        events += line.kind == "event"
        first_seq = first_seq or line.seq
        last_seq, last_mac = line.seq, line.mac
    return Extent(events, header.previous.events if header else 0, first_seq, last_seq, last_mac)


def remove(drops: Iterable[Drop], disk: Disk) -> None:
    """Remove the files. What cannot be removed now is planned again with the next segment."""
    for drop in drops:
        with contextlib.suppress(OSError):
            disk.remove(drop.path)
            if drop.whole:
                remove_chain(drop.chain, disk)


def remove_chain(chain: Path, disk: Disk) -> None:
    """Remove the folder of a chain that has no segments, as far as the disk lets us."""
    with contextlib.suppress(OSError):
        disk.remove(chain / layout.HEAD)
        disk.remove_folder(chain)
