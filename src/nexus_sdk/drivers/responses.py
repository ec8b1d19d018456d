"""Kept answers of the Responses API: what every store of them offers, and the one in memory.

A store belongs to one installation and keeps its owners apart: whoever asks with another owner's id
learns nothing. What it holds is bounded by bytes, by entries and by time; what was not used longest
goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from time import time
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.model import Kept

MAX_BYTES = 256 * 1024 * 1024
MAX_ENTRIES = 100_000
OVERHEAD_BYTES = 1024
"""Counted for every entry besides its texts, so that many small ones cannot outgrow the bound."""
MAX_CHAIN = 1000
"""Answers of one conversation that are followed back."""


class ResponseStore(Protocol):
    """Safe to use from any thread. `blocks`: its calls wait for a disk, so that an event loop makes
    them in a thread."""

    blocks: bool

    def recall(self, owner: str, response_id: str, *, chain: bool = False) -> tuple[Kept, ...]:
        """The answer; with `chain` also those that it follows, newest first, up to the first one
        that is not there. Raises NexusError when the store cannot be read."""
        ...

    def retain(self, kept: Kept, ttl_s: float) -> None:
        """Keep it, unless it is larger than the whole store may be. Never raises: an answer that
        was paid for is given, kept or not."""
        ...

    def forget(self, owner: str, response_id: str) -> None: ...

    def bound(self, max_bytes: int) -> None:
        """A policy with another `responses.max_bytes` has come into force."""
        ...

    def close(self) -> None: ...


def chained(
    found: Callable[[str], Kept | None], response_id: str, *, chain: bool
) -> tuple[Kept, ...]:
    """`ResponseStore.recall` by means of single look-ups. An id that comes twice ends the chain."""
    links: dict[str, Kept] = {}
    kept = found(response_id)
    while kept is not None and kept.id not in links and len(links) < MAX_CHAIN:
        links[kept.id] = kept
        kept = found(kept.previous) if chain and kept.previous else None
    return tuple(links.values())


class _Entry(NamedTuple):
    kept: Kept
    expires: float


class MemoryResponses:
    """The embedded default: ends with its process. `clock` gives seconds since the epoch."""

    blocks = False

    def __init__(
        self,
        *,
        max_bytes: int = MAX_BYTES,
        max_entries: int = MAX_ENTRIES,
        clock: Callable[[], float] = time,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._clock = clock
        self._lock = Lock()
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self._bytes = 0

    def recall(self, owner: str, response_id: str, *, chain: bool = False) -> tuple[Kept, ...]:
        with self._lock:
            return chained(lambda one: self._found(owner, one), response_id, chain=chain)

    def retain(self, kept: Kept, ttl_s: float) -> None:
        with self._lock:
            self._drop((kept.owner, kept.id))
            if kept.size + OVERHEAD_BYTES > self._max_bytes:
                return
            self._entries[kept.owner, kept.id] = _Entry(kept, self._clock() + ttl_s)
            self._bytes += kept.size + OVERHEAD_BYTES
            self._evict()

    def forget(self, owner: str, response_id: str) -> None:
        with self._lock:
            self._drop((owner, response_id))

    def bound(self, max_bytes: int) -> None:
        with self._lock:
            self._max_bytes = max_bytes
            self._evict()

    def close(self) -> None:
        with self._lock:
            self._entries.clear()
            self._bytes = 0

    def _found(self, owner: str, response_id: str) -> Kept | None:
        entry = self._entries.get((owner, response_id))
        if entry is None:
            return None
        if entry.expires <= self._clock():
            self._drop((owner, response_id))
            return None
        self._entries.move_to_end((owner, response_id))
        return entry.kept

    def _evict(self) -> None:
        while self._bytes > self._max_bytes or len(self._entries) > self._max_entries:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: tuple[str, str]) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry.kept.size + OVERHEAD_BYTES
