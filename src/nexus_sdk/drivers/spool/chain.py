"""One writer's chain on disk: segments that follow each other, and the head that remembers where
the chain ends.

Nothing is repaired in place. A segment on which anything failed is abandoned, and the next
segment's header says how much of it counts; the caller then hands in again what was not committed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from nexus_sdk.drivers.spool import bounds, layout
from nexus_sdk.drivers.spool.frame import VERSION, Seal, Tip, stamp
from nexus_sdk.drivers.spool.layout import Previous

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nexus_sdk.drivers.spool.disk import Disk

MAX_OTHERS = 64
"""How many of the newest other chains, as they were when this one began, the headers remember."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where and how a chain is written; sizes in bytes."""

    directory: Path
    node: str
    max_bytes: int
    segment_bytes: int


@dataclass(slots=True)
class Segment:
    """The open segment. `size`, `lines` and `events` count what is committed."""

    number: int
    path: Path
    fd: int
    size: int = 0
    lines: int = 0
    events: int = 0
    first_seq: int = 0


class Chain:
    """Used by one thread. Begins on disk with the first commit."""

    def __init__(self, place: Place, key: bytes, disk: Disk) -> None:
        self._place = place
        self._key = key
        self._disk = disk
        self._folder: Path | None = None
        self._seal = Seal(key, "")
        self._head_fd: int | None = None
        self._segment: Segment | None = None
        self._tip = Tip()
        self._previous = Previous()
        self._next_number = 1
        self._events = 0
        self._notes: list[tuple[str, dict[str, Any]]] = []
        self._others: dict[str, int] = {}
        self._declared: bounds.Declared = {}
        self._extents: dict[Path, bounds.Extent] = {}
        self._drops: list[bounds.Drop] = []
        self.is_head_stale = False
        self.bytes_written = 0
        self.events_written = 0
        self.events_dropped = 0
        self.commits = 0

    def commit(
        self, payloads: Sequence[bytes], gap: dict[str, Any] | None = None, *, last: bool = False
    ) -> int:
        """Write and sync as many events as fit in the segment; how many these were, perhaps none
        when it was full.

        An empty payload is no event and is passed over. `gap` becomes a record of its own; `last`
        ends the chain. Raises OSError, and then nothing of this call counts; call again with all of
        it.
        """
        if not any(payloads) and gap is None and not last:
            return len(payloads)
        folder = self._begin()
        try:
            segment = self._open_segment(folder)
            draft = _Draft(self._seal, self._tip, stamp(self._disk.now()))
            self._preface(folder.name, segment, draft)
            taken = self._fill(segment, draft, payloads)
            if gap is not None:
                draft.add("gap", orjson.dumps(gap))
            is_full = (
                taken < len(payloads) or segment.size + draft.size >= self._place.segment_bytes
            )
            if is_full or last:
                events, lines = segment.events + draft.events, segment.lines + draft.lines
                draft.add(
                    "trailer", orjson.dumps({"events": events, "records": lines, "final": last})
                )
            self._write_all(segment.fd, b"".join(draft.parts))
            self._disk.sync(segment.fd)
        except BaseException as error:
            self._abandon(str(error) or type(error).__name__)
            raise
        self._accept(segment, draft)
        if is_full or last:
            self._leave(segment, Previous(closed=True))
        return taken

    def tidy(self) -> None:
        """What need not come before the answer to a strict caller: declared drops, and the head.

        While the head cannot be written (`is_head_stale`), a cut tail might pass unseen; the events
        are safe.
        """
        drops, self._drops = self._drops, []
        for path in bounds.remove(drops, self._disk):
            extent = self._extents.pop(path, None)
            self.events_dropped += extent.events if extent else 0
        self._update_head(closed=False)

    def finish(self) -> None:
        """End the chain, if there is one. Raises OSError."""
        if self._segment is not None:
            self.commit([], last=True)
        self._update_head(closed=True)

    def forsake(self) -> None:
        """Close our descriptors and touch nothing else. In a forked child the files are the
        parent's."""
        fds = (self._segment.fd if self._segment else None, self._head_fd)
        # Forgotten before they are closed: a child forked in between must not close them again.
        self._segment = self._head_fd = None
        for fd in fds:
            if fd is not None:
                with contextlib.suppress(OSError):
                    self._disk.close(fd)

    def _begin(self) -> Path:
        """The chain's folder, with its head. The head comes before the first segment, so that its
        absence always means removal."""
        if self._folder is not None:
            return self._folder
        directory = self._place.directory
        others = _known_heads(directory, self._key)
        name = layout.chain_name(self._disk.now(), os.getpid(), secrets.token_hex(4))
        folder, self._seal = directory / name, Seal(self._key, name)
        self._disk.make_folder(folder)
        try:
            self._head_fd = self._disk.create(folder / layout.HEAD)
            self._disk.lock(self._head_fd)
            self._write_head(self._head_fd, name, closed=False)
            self._disk.sync(self._head_fd)
        except OSError:
            self.forsake()
            bounds.remove_chain(folder, self._disk)
            raise
        self._others, self._folder = others, folder
        return folder

    def _open_segment(self, folder: Path) -> Segment:
        """The segment to write to; a new one after a full, failed or vanished one."""
        segment = self._segment
        if segment is not None:
            if self._disk.is_linked(segment.fd, segment.path):
                return segment
            self._notes.append(("unlinked", self._vanished(segment)))
            self._leave(segment, Previous(closed=False, reason="its file was removed or renamed"))
        self._drops = bounds.plan(
            self._place.directory,
            max_bytes=self._place.max_bytes,
            segment_bytes=self._place.segment_bytes,
            own=folder,
        )
        number = self._next_number
        path = layout.segment_path(folder, number)
        self._next_number += 1
        fd = self._disk.create(path)
        self._segment = Segment(number, path, fd, first_seq=self._tip.seq + 1)
        return self._segment

    def _vanished(self, segment: Segment) -> dict[str, Any]:
        return {
            "segment": segment.number,
            "events": segment.events,
            "first_seq": segment.first_seq,
            "last_seq": self._tip.seq,
        }

    def _preface(self, name: str, segment: Segment, draft: _Draft) -> None:
        """The header of a new segment, and what there is to tell first."""
        if segment.lines:
            return
        records, draft.declared = bounds.describe(
            self._drops, self._declared, self._key, self._extents
        )
        gone = {chain for chain, row in draft.declared.items() if row["whole"]}
        self._others = {chain: seq for chain, seq in self._others.items() if chain not in gone}
        header = {
            "version": VERSION,
            "chain": name,
            "node": self._place.node,
            "segment": segment.number,
            "previous": asdict(self._previous),
            "others": self._others,
            "declared": draft.declared,
        }
        draft.add("header", orjson.dumps(header))
        for kind, note in self._notes:
            draft.add(kind, orjson.dumps(note))
        for record in records:
            draft.add("dropped", orjson.dumps(record))

    def _fill(self, segment: Segment, draft: _Draft, payloads: Sequence[bytes]) -> int:
        """How many payloads are in the draft. The first goes into an empty segment whatever its
        size."""
        room = self._place.segment_bytes - segment.size
        is_empty = segment.events == 0
        for count, payload in enumerate(payloads):
            if not payload:
                continue
            fits = draft.size + len(payload) + _FRAME_BYTES <= room
            if not fits and not (is_empty and draft.events == 0):
                return count
            draft.add("event", payload)
            draft.events += 1
        return len(payloads)

    def _write_all(self, fd: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            written = self._disk.write(fd, rest)
            if written <= 0:
                raise OSError(errno.EIO, "the disk takes no bytes")
            rest = rest[written:]

    def _accept(self, segment: Segment, draft: _Draft) -> None:
        """The draft is on disk."""
        if draft.declared is not None:
            self._declared = draft.declared
            self._notes.clear()
        self._tip = draft.tip
        self._events += draft.events
        segment.size += draft.size
        segment.lines += draft.lines
        segment.events += draft.events
        self.commits += 1
        self.bytes_written += draft.size
        self.events_written += draft.events

    def _leave(self, segment: Segment, how: Previous) -> None:
        """No more is written to this segment; the next header tells of it."""
        tip = self._tip
        self._extents[segment.path] = bounds.Extent(
            segment.events, self._events - segment.events, segment.first_seq, tip.seq, tip.mac
        )
        self._previous = replace(
            how,
            number=segment.number,
            size=segment.size,
            events=self._events,
            seq=tip.seq,
            mac=tip.mac,
        )
        self._segment = None
        with contextlib.suppress(OSError):
            self._disk.close(segment.fd)

    def _abandon(self, reason: str) -> None:
        """After a failure the open file is not trusted with another byte. One that holds nothing is
        removed."""
        self._drops = []
        segment = self._segment
        if segment is None:
            return
        if segment.lines:
            self._leave(segment, Previous(closed=False, reason=reason))
            return
        self._segment = None
        with contextlib.suppress(OSError):
            self._disk.close(segment.fd)
        with contextlib.suppress(OSError):
            self._disk.remove(segment.path)

    def _update_head(self, *, closed: bool) -> None:
        if self._folder is None or self._head_fd is None:
            return
        try:
            self._write_head(self._head_fd, self._folder.name, closed=closed)
            if closed:
                self._disk.sync(self._head_fd)
        except OSError:
            self.is_head_stale = True
        else:
            self.is_head_stale = False

    def _write_head(self, fd: int, name: str, *, closed: bool) -> None:
        number = self._segment.number if self._segment else self._previous.number
        text = layout.head_document(self._seal, name, number, self._tip, closed=closed)
        self._disk.rewrite(fd, text)


_FRAME_BYTES = 210
"""What a line adds to its payload, at most (seq of 18 digits)."""


class _Draft:
    """Lines that are not yet on disk, and the tip the chain has once they are."""

    def __init__(self, seal: Seal, tip: Tip, at: str) -> None:
        self._seal = seal
        self._at = at
        self.tip = tip
        self.parts: list[bytes] = []
        self.size = 0
        self.lines = 0
        self.events = 0
        self.declared: bounds.Declared | None = None

    def add(self, kind: str, body: bytes) -> None:
        line, self.tip = self._seal.line(self.tip, self._at, kind, body)
        self.parts.append(line)
        self.size += len(line)
        self.lines += 1


def _known_heads(directory: Path, key: bytes) -> dict[str, int]:
    """How far the newest other chains have come, as far as their heads can be believed."""
    known: dict[str, int] = {}
    for chain in layout.chains(directory)[-MAX_OTHERS:]:
        with contextlib.suppress(FileNotFoundError):
            head = layout.read_head(chain, Seal(key, chain.name))
            if head is not None:
                known[chain.name] = head.seq
    return known
