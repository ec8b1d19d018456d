"""The spool as its callers see it: promise an event, wait for the promise, close."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import weakref
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING

import orjson

from nexus_sdk.drivers.spool.chain import Chain, Place
from nexus_sdk.drivers.spool.disk import Disk, RealDisk
from nexus_sdk.drivers.spool.engine import Engine
from nexus_sdk.drivers.spool.frame import MAX_EVENT_BYTES
from nexus_sdk.drivers.spool.pending import LoopWaiter, Pending, ThreadWaiter, unavailable
from nexus_sdk.errors import AuditUnavailable, BadSettings, TooLarge

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nexus_sdk.drivers.spool.pending import Waiter
    from nexus_sdk.model import Event

MIB = 1024 * 1024
_CLOSED = "the audit spool is closed; close it after the last event, or open a new one"


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts of this process since its first event. `dropped`: in closed segments that went to keep
    the bound; `lost`: never written, because the queue was full. `degraded` as in
    `Spool.degraded`."""

    events: int = 0
    commits: int = 0
    bytes: int = 0
    queued: int = 0
    dropped: int = 0
    lost: int = 0
    degraded: bool = False


@dataclass(eq=False, slots=True, weakref_slot=True)
class Spool:
    """A durable, tamper-evident and bounded store of audit events in `directory`, for this process.

    Each process writes a chain of its own, a forked child too; several may share a directory and
    its bound. Nothing is opened and no thread starts before the first event. Safe to use from any
    thread and event loop.

    `max_bytes` bounds the whole directory, `segment_bytes` one file of it. `commit_interval_s` is
    the longest a batched event waits for its group commit; `strict_timeout_s` the longest a strict
    caller waits. While the disk fails, at most `queue_events` events of at most `queue_bytes` are
    kept in memory.
    """

    directory: Path
    _: KW_ONLY
    key: bytes = field(repr=False)
    node: str
    max_bytes: int = 1024 * MIB
    segment_bytes: int = 16 * MIB
    commit_interval_s: float = 0.05
    strict_timeout_s: float = 1.0
    queue_events: int = 50_000
    queue_bytes: int = 64 * MIB
    disk: Disk = field(default_factory=RealDisk, repr=False)
    _engine: Engine | None = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _closed: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        """Raises BadSettings."""
        if len(self.key) < 32:
            raise BadSettings(
                "the audit key must have at least 32 bytes; make one with load_or_create_key"
            )
        if self.max_bytes < 2 * self.segment_bytes or self.segment_bytes <= 0:
            raise BadSettings(
                f"audit spool: max_bytes ({self.max_bytes}) must be at least twice "
                f"segment_bytes ({self.segment_bytes})"
            )
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_weakly(self._forget_parent))

    @property
    def degraded(self) -> bool:
        """Events are kept in memory because the disk fails, or were lost and the chain does not say
        so yet."""
        return self._engine is not None and self._engine.is_degraded

    def append(self, event: Event) -> None:
        """Promise the event within one group commit.

        Blocks when the queue is full, for at most a second; then, or at once while the disk fails,
        the event is lost, counted in `stats().lost` and told of in the chain. Raises TooLarge,
        AuditUnavailable after `close`, TypeError when the event is not plain JSON.
        """
        self._put(event, None)

    def append_strict(self, event: Event) -> None:
        """Returns when the event is on disk. Raises AuditUnavailable within `strict_timeout_s`,
        else as `append`.

        An event that was refused may still be written later, when the disk works again.
        """
        waiter = ThreadWaiter()
        self._put(event, waiter)
        if not waiter.wait(self.strict_timeout_s):
            raise self._refusal(f"the disk did not answer in {self.strict_timeout_s:g} s")

    async def append_strict_async(self, event: Event) -> None:
        """As `append_strict`, without blocking the event loop."""
        waiter = LoopWaiter()
        self._put(event, waiter)
        try:
            await asyncio.wait_for(waiter.future, self.strict_timeout_s)
        except TimeoutError:
            raise self._refusal(f"the disk did not answer in {self.strict_timeout_s:g} s") from None

    def flush(self, timeout_s: float = 5.0) -> None:
        """Returns when everything appended before is on disk. Raises AuditUnavailable like a strict
        event."""
        if self._engine is None or self._closed:
            return
        waiter = ThreadWaiter()
        if not self._engine.pending.put(b"", waiter) or not waiter.wait(timeout_s):
            raise self._refusal("it does not keep up")

    def close(self) -> None:
        """Write what is queued and end the chain; the spool takes no events afterwards.

        Raises AuditUnavailable when events had to be given up.
        """
        with self._lock:
            engine, was_closed = self._engine, self._closed
            self._closed = True
        if engine is None or was_closed:
            return
        atexit.unregister(self.close)
        if not engine.close():
            raise AuditUnavailable(
                f"the audit spool closed with {engine.pending.events} events unwritten "
                f"({engine.failure or 'the disk does not answer'}); repair the disk of "
                f"{self.directory}"
            )

    def stats(self) -> Stats:
        engine = self._engine
        if engine is None:
            return Stats()
        chain = engine.chain
        return Stats(
            events=chain.events_written,
            commits=chain.commits,
            bytes=chain.bytes_written,
            queued=engine.pending.events,
            dropped=chain.events_dropped,
            lost=engine.pending.lost,
            degraded=engine.is_degraded,
        )

    def _put(self, event: Event, waiter: Waiter | None) -> None:
        engine = self._engine or self._started()
        if engine.pending.put(_encoded(event), waiter):
            return
        if self._closed:
            raise AuditUnavailable(_CLOSED)
        if waiter is not None:
            raise self._refusal("its queue is full")

    def _started(self) -> Engine:
        """This process's engine, started with its first event."""
        with self._lock:
            if self._closed:
                raise AuditUnavailable(_CLOSED)
            if self._engine is None:
                place = Place(self.directory, self.node, self.max_bytes, self.segment_bytes)
                pending = Pending(
                    max_events=self.queue_events, max_bytes=self.queue_bytes, clock=self.disk.now
                )
                engine = Engine(
                    Chain(place, self.key, self.disk), pending, gather_s=self.commit_interval_s
                )
                engine.start()
                # Here and not in the constructor: a forked child must register for itself.
                atexit.register(self.close)
                self._engine = engine
            return self._engine

    def _forget_parent(self) -> None:
        """In a forked child: the parent's thread is not here, its queue and its files stay the
        parent's."""
        if self._engine is not None:
            self._engine.chain.forsake()
        self._engine = None
        self._lock = threading.Lock()

    def _refusal(self, reason: str) -> AuditUnavailable:
        failure = self._engine.failure if self._engine else ""
        return unavailable(f"{reason} ({failure})" if failure else reason)


def _encoded(event: Event) -> bytes:
    payload = orjson.dumps(event)
    if len(payload) > MAX_EVENT_BYTES:
        raise TooLarge(
            f"an audit event of {len(payload)} bytes is over the limit of {MAX_EVENT_BYTES}; "
            "shorten it"
        )
    return payload


def _weakly(method: Callable[[], None]) -> Callable[[], None]:
    """The method, for a registry that never forgets: it does not keep the object alive."""
    reference = weakref.WeakMethod(method)

    def call() -> None:
        if (found := reference()) is not None:
            found()

    return call
