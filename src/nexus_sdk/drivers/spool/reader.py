"""Reading a spool without its key: what was recorded, in order. Whether it is genuine is `verify`'s
to say.

A line that cannot be read is passed over here, and so is what a writer gave up as void.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from nexus_sdk.drivers.spool import layout
from nexus_sdk.drivers.spool.frame import Line, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from nexus_sdk.drivers.spool.layout import Span
    from nexus_sdk.model import Event

_NOWHERE: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Entry:
    """One event and its place. `(chain, seq)` names it for ever; `at` is when it was committed."""

    chain: str
    segment: int
    seq: int
    at: str
    event: Event


def events(
    directory: Path,
    *,
    since: str = "",
    after: Mapping[str, int] = _NOWHERE,
    where: Callable[[Event], bool] | None = None,
) -> Iterator[Entry]:
    """Every event of every chain, in the order of commit times, and in each chain in its own order.

    `since`: UTC in the form of `at`, or the beginning of one (`2026-01-31`). `after`: for each
    chain the last seq that the reader already has. Files are read line by line; only chains that
    overlap in time are open together.
    """
    streams = [
        (layout.started(chain), _chain_entries(chain, since, after.get(chain.name, 0)))
        for chain in layout.chains(directory)
    ]
    return (entry for entry in _merged(streams) if where is None or where(entry.event))


def tail(
    directory: Path, *, count: int = 10, follow: Callable[[], bool] | None = None
) -> Iterator[Entry]:
    """The last `count` events, and then, with `follow`, those that come.

    `follow` is called whenever everything was read; it waits as it likes and returns False to end
    (`every`).
    """
    cursors = {chain: _Cursor(chain) for chain in layout.chains(directory)}
    last = [entry for cursor in cursors.values() for entry in cursor.last(count)]
    last.sort(key=lambda entry: (entry.at, entry.chain, entry.seq))
    yield from last[len(last) - min(count, len(last)) :]
    while follow is not None and follow():
        for chain in layout.chains(directory):
            yield from cursors.setdefault(chain, _Cursor(chain)).read()


def every(seconds: float) -> Callable[[], bool]:
    """A `follow` that looks again after `seconds`, without end."""

    def pause() -> bool:
        time.sleep(seconds)
        return True

    return pause


class _Cursor:
    """Reads on in one chain from where it stopped, line end by line end."""

    def __init__(self, chain: Path) -> None:
        self._chain = chain
        self._segment = 0
        self._offset = 0

    def last(self, count: int) -> list[Entry]:
        """The last `count` events, reading from the chain's end; the cursor is behind them
        afterwards."""
        numbers = [number for number, _ in layout.segments(self._chain)]
        back = 1
        while True:
            self._segment, self._offset = (numbers[-back] if back <= len(numbers) else 0), 0
            found = deque(self.read(), maxlen=count)
            if len(found) == count or back >= len(numbers):
                return list(found)
            back *= 2

    def read(self) -> Iterator[Entry]:
        for span in layout.spans(self._chain):
            if span.number < self._segment:
                continue
            start = self._offset if span.number == self._segment else 0
            for offset, text in _present_lines(span, start):
                if not text.endswith(b"\n"):
                    break
                self._segment, self._offset = span.number, offset + len(text)
                if (entry := _entry(self._chain.name, span.number, parse(text))) is not None:
                    yield entry


def _merged(streams: Iterable[tuple[str, Iterator[Entry]]]) -> Iterator[Entry]:
    """By commit time. A stream is begun only when the others have reached its starting time."""
    waiting = deque(streams)
    open_ones: list[tuple[str, str, int, Entry, Iterator[Entry]]] = []

    def push(stream: Iterator[Entry]) -> None:
        if (entry := next(stream, None)) is not None:
            heapq.heappush(open_ones, (entry.at, entry.chain, entry.seq, entry, stream))

    while waiting or open_ones:
        while waiting and (not open_ones or waiting[0][0] <= open_ones[0][0]):
            push(waiting.popleft()[1])
        if open_ones:
            *_, entry, stream = heapq.heappop(open_ones)
            yield entry
            push(stream)


def _chain_entries(chain: Path, since: str, after: int) -> Iterator[Entry]:
    found = layout.spans(chain)
    for index, span in enumerate(found):
        if index + 1 < len(found) and _begins_before(found[index + 1], since, after):
            continue
        for _, text in _present_lines(span, 0):
            line = parse(text)
            if line is None or line.seq <= after or line.at < since:
                continue
            if (entry := _entry(chain.name, span.number, line)) is not None:
                yield entry


def _begins_before(span: Span, since: str, after: int) -> bool:
    """Whether nothing before this segment is asked for."""
    first = next((parse(text) for _, text in _present_lines(span, 0)), None)
    return first is not None and (first.at < since or first.seq - 1 <= after)


def _present_lines(span: Span, start: int) -> Iterator[tuple[int, bytes]]:
    """No lines of a segment that was dropped meanwhile: the chain itself tells of it."""
    try:
        yield from layout.lines(span.path, span.size, start)
    except FileNotFoundError:
        return


def _entry(chain: str, segment: int, line: Line | None) -> Entry | None:
    if line is None or line.kind != "event":
        return None
    try:
        return Entry(chain, segment, line.seq, line.at, line.value())
    except ValueError:
        return None
