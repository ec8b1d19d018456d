"""The queue between the callers and the writer thread: bounded, counted, and the place where strict
callers wait.

An item leaves the bounds only when it is on disk (`done`), so that memory stays bounded while the
disk is failing.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from nexus_sdk.errors import AuditUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOM_WAIT_S = 1.0
"""How long a caller waits for room in a full queue before its event is counted as lost."""

CROWDED = 4
"""A queue that is one part in so many full is written at once."""


def unavailable(failure: str) -> AuditUnavailable:
    return AuditUnavailable(
        f"the audit record could not be stored: {failure}. Free or repair the disk of the audit "
        "spool; it recovers by itself."
    )


class Waiter(Protocol):
    def resolve(self, failure: str | None) -> None:
        """`failure` is why the event is not on disk, None when it is. Called from the writer
        thread, perhaps more than once; only the first call counts."""
        ...


class ThreadWaiter:
    """Lets one thread wait. A bare lock: `threading.Event` costs several times as much."""

    __slots__ = ("_failure", "_lock", "_resolved")

    def __init__(self) -> None:
        self._failure: str | None = None
        self._resolved = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def resolve(self, failure: str | None) -> None:
        if self._resolved:
            return
        self._resolved = True
        self._failure = failure
        self._lock.release()

    def wait(self, timeout_s: float) -> bool:
        """False when nothing came in time. Raises what the commit failed with."""
        if not self._lock.acquire(timeout=timeout_s):
            return False
        if self._failure is not None:
            raise unavailable(self._failure)
        return True


class LoopWaiter:
    """Lets one task of a running event loop wait, on `future`."""

    __slots__ = ("_loop", "future")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = self._loop.create_future()

    def resolve(self, failure: str | None) -> None:
        # RuntimeError: the loop is closed and nobody waits any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._set, failure)

    def _set(self, failure: str | None) -> None:
        if self.future.done():
            return
        if failure is None:
            self.future.set_result(None)
        else:
            self.future.set_exception(unavailable(failure))


class Item(NamedTuple):
    """An encoded event, or nothing (a flush), and who waits for it."""

    payload: bytes
    waiter: Waiter | None


@dataclass(frozen=True, slots=True)
class Gap:
    """Events that were lost because the queue was full; `first_at` and `last_at` in Unix
    seconds."""

    events: int = 0
    bytes: int = 0
    first_at: float = 0.0
    last_at: float = 0.0

    def plus(self, size: int, now: float) -> Gap:
        return Gap(self.events + 1, self.bytes + size, self.first_at if self.events else now, now)

    def minus(self, told: Gap) -> Gap:
        """What is left when `told` is in the chain."""
        if self.events == told.events:
            return Gap()
        return Gap(self.events - told.events, self.bytes - told.bytes, told.last_at, self.last_at)


class _Writer(enum.Enum):
    """What the writer thread is doing, so that callers wake it only when that helps."""

    BUSY = enum.auto()
    IDLE = enum.auto()
    GATHERING = enum.auto()
    BACKING_OFF = enum.auto()


class Pending:
    """At most `max_events` and `max_bytes` at a time; one event of any size fits into an empty
    queue."""

    def __init__(self, *, max_events: int, max_bytes: int, clock: Callable[[], float]) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._items: deque[Item] = deque()
        self._events = 0
        self._bytes = 0
        self._writer = _Writer.BUSY
        self._strict = 0
        self._failing = False
        self._closing = False
        self._gap = Gap()
        self._lost = 0

    @property
    def events(self) -> int:
        return self._events

    @property
    def lost(self) -> int:
        """Events lost in all, told in the chain or not yet."""
        return self._lost

    @property
    def gap(self) -> Gap:
        """What was lost and is not yet told in the chain."""
        return self._gap

    def put(self, payload: bytes, waiter: Waiter | None = None) -> bool:
        """Queue an event. False when it is closed or there was no room: counted as lost, unless
        somebody waits for it and is told.

        Waits up to `ROOM_WAIT_S` for room while the disk works, not at all while it fails.
        """
        size = len(payload)
        with self._lock:
            if self._closing:
                return False
            is_roomy = self._events < self._max_events and self._bytes + size <= self._max_bytes
            # A flush has no size and must get in while the queue is full.
            if size and not is_roomy and not self._make_room(size):
                if waiter is None:
                    self._count_lost(size)
                return False
            self._items.append(Item(payload, waiter))
            self._events += 1
            self._bytes += size
            if waiter is not None:
                self._strict += 1
            if self._writer is not _Writer.BUSY:
                self._rouse(urgent=waiter is not None)
        return True

    def take(self, gather_s: float) -> list[Item] | None:
        """Everything queued, as soon as somebody waits for it, else `gather_s` after the first
        came. An empty list when there is only a gap to tell; None when the queue is closed and
        empty."""
        with self._lock:
            while not (self._items or self._closing or self._gap.events):
                self._sleep(_Writer.IDLE, None)
            if not self._is_urgent():
                self._sleep(_Writer.GATHERING, gather_s)
            if self._closing and not self._items and not self._gap.events:
                return None
            items = list(self._items)
            self._items.clear()
            self._strict = 0
            return items

    def done(self, items: Sequence[Item], told: Gap | None = None) -> None:
        """These are on disk, and so is the tale of `told`: free the room, answer those who wait."""
        with self._lock:
            self._events -= len(items)
            self._bytes -= sum(len(item.payload) for item in items)
            self._failing = False
            if told is not None:
                self._gap = self._gap.minus(told)
            self._room.notify_all()
        for item in items:
            if item.waiter is not None:
                item.waiter.resolve(None)

    def fail(self, held: Sequence[Item], failure: str) -> None:
        """The disk failed: tell all who wait. The events stay, those in the queue and those the
        writer holds."""
        with self._lock:
            self._failing = True
            self._strict = 0
            waiting = [item.waiter for item in (*held, *self._items) if item.waiter is not None]
            self._room.notify_all()
        for waiter in waiting:
            waiter.resolve(failure)

    def back_off(self, least_s: float, most_s: float) -> bool:
        """Wait before the next try: `most_s`, or `least_s` when a strict caller comes. False,
        without waiting, when the queue is closing: the last try was the last."""
        with self._lock:
            if self._closing:
                return False
            self._wake.wait(least_s)
            if most_s > least_s and not self._strict and not self._closing:
                self._sleep(_Writer.BACKING_OFF, most_s - least_s)
            return True

    def close(self) -> None:
        """No more events; the writer takes what is left."""
        with self._lock:
            self._closing = True
            self._wake.notify_all()
            self._room.notify_all()

    def _fits(self, size: int) -> bool:
        if self._closing:
            return False
        return not self._events or (
            self._events < self._max_events and self._bytes + size <= self._max_bytes
        )

    def _make_room(self, size: int) -> bool:
        """Whether there is room, at once or after waiting for it."""
        if not self._fits(size) and not self._failing and not self._closing:
            if self._writer is not _Writer.BUSY:
                self._rouse(urgent=True)
            self._room.wait_for(
                lambda: self._failing or self._closing or self._fits(size), ROOM_WAIT_S
            )
        if self._fits(size):
            return True
        # The next callers need not wait in vain, too; `done` ends this.
        self._failing = True
        return False

    def _count_lost(self, size: int) -> None:
        self._lost += 1
        self._gap = self._gap.plus(size, self._clock())

    def _is_urgent(self) -> bool:
        is_crowded = (
            self._bytes * CROWDED >= self._max_bytes or self._events * CROWDED >= self._max_events
        )
        return self._closing or self._strict > 0 or is_crowded

    def _rouse(self, *, urgent: bool) -> None:
        idle = self._writer is _Writer.IDLE
        crowded = self._writer is _Writer.GATHERING and self._is_urgent()
        if idle or urgent or crowded:
            self._writer = _Writer.BUSY
            self._wake.notify()

    def _sleep(self, state: _Writer, seconds: float | None) -> None:
        self._writer = state
        self._wake.wait(seconds)
        self._writer = _Writer.BUSY
