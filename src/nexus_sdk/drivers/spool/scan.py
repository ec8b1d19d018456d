"""Following one chain line by line, and naming what does not fit.

A line whose mac is right was written by a holder of the key in this chain, at the place its seq
says. Lines that do not verify are kept aside until the next good line tells how many records belong
between: none, and they were inserted; as many, and they were changed; more, and some are gone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nexus_sdk.drivers.spool import layout
from nexus_sdk.drivers.spool.frame import Line, Seal, Tip, parse
from nexus_sdk.drivers.spool.report import Kind, Problem, Spot

if TYPE_CHECKING:
    from pathlib import Path

    from nexus_sdk.drivers.spool.layout import Header, Span

MAX_PROBLEMS = 1000
"""Listed for one chain; the rest is counted."""


@dataclass(slots=True)
class Missing:
    """Records `first` to `last` did not come where they belong. `count` of them are still
    unaccounted for; `segments` (first, last) when whole files are gone."""

    first: int
    last: int
    count: int
    spot: Spot
    segments: tuple[int, int] | None = None
    at_end: bool = False


@dataclass(slots=True)
class Findings:
    """What was seen in a chain so far."""

    node: str = ""
    segments: int = 0
    events: int = 0
    records: int = 0
    dropped: int = 0
    lost: int = 0
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    more: int = 0
    missing: list[Missing] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=dict)
    declared: list[dict[str, dict[str, object]]] = field(default_factory=list)

    def add(self, kind: Kind, spot: Spot, seq: int | None, reason: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(kind, spot, seq, reason))
        else:
            self.more += 1


@dataclass(frozen=True, slots=True)
class _Bad:
    spot: Spot
    size: int
    is_whole: bool


class Scan:
    """Feed the segments in order, then ask `rest`, `last` and `findings`."""

    def __init__(self, chain: Path, seal: Seal) -> None:
        self._chain = chain
        self._seal = seal
        self.findings = Findings()
        self.last = Tip()
        self.segment = 0
        self._bad: list[_Bad] = []
        self._end = Spot(chain.name)

    def feed(self, span: Span) -> None:
        """Read one segment."""
        header = layout.read_header(span.path, self._seal)
        name = f"{self._chain.name}/{span.path.name}"
        if header is not None:
            self._enter(span, header, Spot(name, 1, 0))
        self.findings.segments += 1
        for number, (offset, text) in enumerate(layout.lines(span.path, span.size), 1):
            spot = Spot(name, number, offset)
            line = parse(text) if self._seal.holds(text) else None
            if line is None:
                self._bad.append(_Bad(spot, len(text), text.endswith(b"\n")))
            else:
                self._good(spot, line)
            self._end = Spot(name, number + 1, offset + len(text))
        self.segment = span.number

    def finish(self, head_seq: int | None, *, is_alive: bool) -> None:
        """The end of the chain: `head_seq` is what the head remembers, None when it is of no
        use."""
        found, bad = self.findings, self._bad
        self._bad = []
        if (
            bad
            and not bad[-1].is_whole
            and (head_seq is None or head_seq < self.last.seq + len(bad))
        ):
            torn = bad.pop()
            if not is_alive:
                found.notes.append(
                    f"{torn.spot.file}:{torn.spot.line}: incomplete last record, {torn.size} "
                    "bytes, not counted as tampering: the process ended while writing it"
                )
        expected = len(bad) if head_seq is None else head_seq - self.last.seq
        for index, one in enumerate(bad, 1):
            if expected <= 0:
                found.add(
                    "inserted",
                    one.spot,
                    None,
                    "this line after the end of the chain is not the writer's",
                )
            else:
                found.add(
                    "changed", one.spot, self.last.seq + index, "this line is not as it was written"
                )
        gone = expected - len(bad)
        if gone > 0:
            first = self.last.seq + len(bad) + 1
            found.missing.append(Missing(first, first + gone - 1, gone, self._end, at_end=True))

    def _enter(self, span: Span, header: Header, spot: Spot) -> None:
        """A segment begins: is it the one that follows?"""
        found, before = self.findings, header.previous
        found.node = header.node
        found.others.update(header.others)
        found.declared.append(header.declared)
        if header.segment != span.number:
            found.add(
                "reordered", spot, None, f"this file holds segment {header.segment} of the chain"
            )
        if not before.closed:
            found.notes.append(
                f"segment {before.number} was given up after seq {before.seq}: {before.reason}"
            )
        if before.number > self.segment and before.seq > self.last.seq:
            self._flush_as_changed()
            first = self.last.seq + 1
            gone = (self.segment + 1, before.number)
            found.missing.append(Missing(first, before.seq, before.seq - first + 1, spot, gone))
            self.last = Tip(before.seq, before.mac)

    def _good(self, spot: Spot, line: Line) -> None:
        if line.seq <= self.last.seq:
            self._out_of_place(spot, line)
            return
        had_bad = bool(self._bad)
        between = line.seq - self.last.seq - 1
        self._settle(between, spot, line)
        if not between and not had_bad and line.prev != self.last.mac:
            self.findings.add(
                "changed", spot, line.seq, "this record does not continue the one before it"
            )
        self.last = Tip(line.seq, line.mac)
        self._count(line)

    def _settle(self, between: int, spot: Spot, line: Line) -> None:
        """`between` records belong between the last good line and this one; name what is there
        instead."""
        found, bad = self.findings, self._bad
        self._bad = []
        for index, one in enumerate(bad, 1):
            if between == 0:
                found.add(
                    "inserted",
                    one.spot,
                    None,
                    "this line is not the writer's and no record is missing for it",
                )
            else:
                seq = self.last.seq + min(index, between)
                found.add("changed", one.spot, seq, "this line is not as it was written")
        gone = between - len(bad)
        if gone > 0:
            is_cut = line.kind == "header" and not bad
            where = self._end if is_cut else spot
            first = self.last.seq + 1
            found.missing.append(Missing(first, line.seq - 1, gone, where, at_end=is_cut))

    def _out_of_place(self, spot: Spot, line: Line) -> None:
        """A genuine line that comes after a later one."""
        for missing in self.findings.missing:
            if missing.first <= line.seq <= missing.last and missing.count:
                missing.count -= 1
                self.findings.add(
                    "reordered", spot, line.seq, f"record {line.seq} belongs before this place"
                )
                self._count(line)
                return
        self.findings.add("inserted", spot, line.seq, f"a second copy of record {line.seq}")

    def _flush_as_changed(self) -> None:
        for one in self._bad:
            self.findings.add("changed", one.spot, None, "this line is not as it was written")
        self._bad = []

    def _count(self, line: Line) -> None:
        found = self.findings
        found.records += 1
        if line.kind == "event":
            found.events += 1
        elif line.kind == "gap":
            value = line.value()
            found.lost += value["events"]
            found.notes.append(
                f"{value['events']} events were lost from {value['first_at']} to "
                f"{value['last_at']}: {value['reason']}"
            )
        elif line.kind == "dropped":
            value = line.value()
            if value["unverified"]:
                found.notes.append(
                    f"segment {value['segment']} of {value['chain']} had {value['unverified']} "
                    "lines that did not verify when it was dropped"
                )
        elif line.kind == "unlinked":
            value = line.value()
            found.notes.append(
                f"the writer saw at {line.at} that segment {value['segment']} was gone, with "
                f"{value['events']} events"
            )
