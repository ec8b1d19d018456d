"""Whether a spool is as its writers left it, and if not, where not.

What cannot be seen from the spool alone: a chain cut back together with an old copy of its own
`head.json` (unless a later chain remembers it), and the newest chain removed as a whole. The hub,
which has the last seq of every chain it was sent, sees both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nexus_sdk.drivers.spool import layout
from nexus_sdk.drivers.spool.frame import Seal
from nexus_sdk.drivers.spool.report import ChainReport, Problem, Report, Spot
from nexus_sdk.drivers.spool.scan import Findings, Missing, Scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from nexus_sdk.drivers.spool.layout import Head

type Declared = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Read:
    """A chain after its scan, before what other chains say about it is known."""

    name: str
    is_alive: bool
    last_seq: int
    findings: Findings


def verify(directory: Path, key: bytes) -> Report:
    """Read the whole spool and report on every chain. Changes nothing; a spool in use may be
    verified.

    Raises OSError when a file cannot be read.
    """
    reads = [_read(chain, Seal(key, chain.name)) for chain in layout.chains(directory)]
    declared = _furthest(table for read in reads for table in read.findings.declared)
    remembered = _remembered(reads)
    for read in reads:
        _resolve(read, declared)
    return Report(
        chains=tuple(_report(read, remembered.get(read.name, 0)) for read in reads),
        problems=tuple(_missing_chains(reads, remembered, declared)),
    )


def _read(chain: Path, seal: Seal) -> _Read:
    # In this order, for a writer at work: what the head remembers is in segments read later.
    is_alive = layout.is_alive(chain)
    scan = Scan(chain, seal)
    found = scan.findings
    head = _head(chain, seal, found)
    spans = layout.spans(chain, seal)
    for span in spans:
        try:
            scan.feed(span)
        except FileNotFoundError:
            continue  # dropped meanwhile; the next header tells
    scan.finish(head.seq if head else None, is_alive=is_alive)
    if head is not None:
        _name_last_segments(found, head, scan.segment)
    _note_files(chain, {span.path.name for span in spans}, found)
    if head is None and not found.records and found.problems:
        _blame_key(chain, found)
    return _Read(chain.name, is_alive, scan.last.seq, found)


def _head(chain: Path, seal: Seal, found: Findings) -> Head | None:
    spot = Spot(f"{chain.name}/{layout.HEAD}")
    try:
        head = layout.read_head(chain, seal)
    except FileNotFoundError:
        if layout.segments(chain):
            reason = "it is gone, so that nobody can know whether the end of the chain was cut off"
            found.add("missing head", spot, None, reason)
        return None
    if head is None:
        found.add("changed", spot, None, "the head is not as it was written")
    return head


def _name_last_segments(found: Findings, head: Head, last_present: int) -> None:
    """The end that is missing is whole files when the head was in a later one."""
    for missing in found.missing:
        if missing.last == head.seq and missing.at_end and head.segment > last_present:
            missing.segments = (last_present + 1, head.segment)


def _note_files(chain: Path, counted: set[str], found: Findings) -> None:
    segments = {path.name for _, path in layout.segments(chain)}
    found.notes.extend(
        f"{name} is void: nothing was committed in it" for name in sorted(segments - counted)
    )
    for path in layout.files(chain):
        if path.name not in segments and path.name != layout.HEAD:
            spot = Spot(f"{chain.name}/{path.name}")
            found.add("unexpected file", spot, None, "no writer puts such a file here")


def _blame_key(chain: Path, found: Findings) -> None:
    """Nothing at all verifies: one cause, one problem."""
    names = (layout.read_header(path) for _, path in layout.segments(chain))
    header = next((header for header in names if header is not None), None)
    reason = "no record verifies: this is not the key that the chain was written with"
    if header is not None and header.chain != chain.name:
        reason = f"no record verifies: the folder was renamed, it holds chain {header.chain}"
    found.problems[:] = [Problem("wrong key", Spot(chain.name), None, reason)]
    found.more = 0
    found.missing.clear()


def _furthest(tables: Iterable[Declared]) -> dict[str, Mapping[str, Any]]:
    """For each chain the declaration that reaches furthest."""
    best: dict[str, Mapping[str, Any]] = {}
    for table in tables:
        for name, row in table.items():
            if name not in best or best[name]["through"] < row["through"]:
                best[name] = row
    return best


def _remembered(reads: Iterable[_Read]) -> dict[str, int]:
    """How far each chain is known to have come, from the first headers of later ones."""
    known: dict[str, int] = {}
    for read in reads:
        for name, seq in read.findings.others.items():
            known[name] = max(known.get(name, 0), seq)
    return known


def _resolve(read: _Read, declared: Declared) -> None:
    """Turn what is missing into problems, but for declared drops."""
    found = read.findings
    row = declared.get(read.name, {"through": 0, "events": 0, "last_seq": 0})
    for missing in found.missing:
        if not missing.count:
            continue
        if (
            missing.segments
            and missing.segments[0] <= row["through"]
            and missing.last <= row["last_seq"]
        ):
            found.dropped = row["events"]
            first, last = missing.segments
            found.notes.append(
                f"segments {first} to {last} were dropped to keep the bound; declared"
            )
            continue
        _add_missing(found, missing)
    found.missing.clear()


def _add_missing(found: Findings, missing: Missing) -> None:
    records = f"{missing.count} records are gone from {missing.first} to {missing.last}"
    if missing.segments:
        first, last = missing.segments
        found.add(
            "missing segment", missing.spot, missing.first, f"segments {first} to {last}: {records}"
        )
    elif missing.at_end:
        found.add("truncated", missing.spot, missing.first, f"the end was cut off here: {records}")
    else:
        found.add("removed", missing.spot, missing.first, f"before this line {records}")


def _report(read: _Read, remembered_seq: int) -> ChainReport:
    found = read.findings
    if remembered_seq > read.last_seq and not found.problems and not found.dropped:
        reason = f"it ends at {read.last_seq}, and a later chain remembers {remembered_seq}"
        found.add("truncated", Spot(read.name), read.last_seq + 1, reason)
    return ChainReport(
        name=read.name,
        node=found.node,
        alive=read.is_alive,
        segments=found.segments,
        events=found.events,
        last_seq=read.last_seq,
        dropped=found.dropped,
        lost=found.lost,
        notes=tuple(found.notes),
        problems=tuple(found.problems),
        more=found.more,
    )


def _missing_chains(
    reads: Iterable[_Read], remembered: Mapping[str, int], declared: Declared
) -> Iterable[Problem]:
    present = {read.name for read in reads}
    for name, seq in remembered.items():
        if name in present or declared.get(name, {}).get("whole"):
            continue
        reason = f"a later chain remembers it up to record {seq}, and no drop was declared"
        yield Problem("missing chain", Spot(name), None, reason)
