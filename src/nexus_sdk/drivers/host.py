"""Performing effects: one host serves one exchange, in either colour of Python.

Each host has a table of the effects that it performs, all but the door's own; a test holds it
against `effects.Effect`. A table, because a chain of class patterns costs more than most effects.

The stores of one process answer at once in both; what differs is only how an HTTP exchange is made,
how time is waited for, and how a commit of the spool is awaited.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, ClassVar

from nexus_sdk.drivers.flights import Waiting
from nexus_sdk.drivers.upstream import AsyncBody, SyncBody
from nexus_sdk.effects import (
    Forget,
    Lookup,
    Recall,
    Record,
    Reserve,
    Retain,
    Send,
    Settle,
    Store,
    Wait,
)
from nexus_sdk.model import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nexus_sdk.drivers.memory import MemoryStore
    from nexus_sdk.drivers.responses import ResponseStore
    from nexus_sdk.drivers.spool import Spool
    from nexus_sdk.drivers.upstream import AsyncUpstream, SyncUpstream
    from nexus_sdk.effects import Effect
    from nexus_sdk.model import Cached, Event, Kept, Refused, Response

    type Observe = Callable[[Event], None]

FOLD_WAIT_S = 120.0
"""How long a request waits for an equal one in flight before it goes its own way."""


class _Host[Body]:
    """What both colours share. `body` is the open stream of the response that is being relayed.
    `responses`: without it, none are kept."""

    def __init__(
        self,
        store: MemoryStore,
        spool: Spool | None,
        observe: Observe | None,
        responses: ResponseStore | None,
    ) -> None:
        self._observe = observe
        self._responses = responses
        self._store = store
        self._spool = spool
        self._leading = ""
        self.body: Body | None = None

    def _abandon(self) -> None:
        """Whoever waits for this flow's answer need not wait any longer."""
        if self._leading:
            key, self._leading = self._leading, ""
            self._store.abandon(key)

    def _lookup(self, effect: Lookup) -> Cached | Waiting | None:
        found = self._store.lookup(effect.key, fold=effect.fold)
        if found is None and effect.fold:
            self._leading = effect.key
        return found

    def keep(self, effect: Store) -> None:
        if self._leading == effect.key:
            self._leading = ""
        self._store.store(effect.key, effect.answer, effect.ttl_s)

    def reserve(self, effect: Reserve) -> str | Refused:
        return self._store.reserve(effect.claims, for_good=effect.for_good)

    def settle(self, effect: Settle) -> None:
        self._store.settle(effect.reservation, effect.amounts)

    def recall(self, effect: Recall) -> tuple[Kept, ...]:
        if self._responses is None:
            return ()
        return self._responses.recall(effect.owner, effect.id, chain=effect.chain)

    def retain(self, effect: Retain) -> None:
        if self._responses is not None:
            self._responses.retain(effect.kept, effect.ttl_s)

    def forget(self, effect: Forget) -> None:
        if self._responses is not None:
            self._responses.forget(effect.owner, effect.id)


class SyncHost(_Host[SyncBody]):
    """Blocks its thread."""

    def __init__(
        self,
        store: MemoryStore,
        spool: Spool | None,
        upstream: SyncUpstream | None,
        observe: Observe | None = None,
        responses: ResponseStore | None = None,
    ) -> None:
        super().__init__(store, spool, observe, responses)
        self._upstream = upstream

    def release(self) -> None:
        """The flow has ended, however it did."""
        self._abandon()
        if self.body is not None:
            self.body.close()

    def perform(self, effect: Effect) -> object:
        """The reply to `effect`."""
        return self._PERFORMING[type(effect)](self, effect)

    def _send(self, effect: Send) -> Response | Failure:
        if self.body is not None:
            self.body.close()
        if self._upstream is None:
            return Failure("connect", "the loop that it was sent on has ended")
        reply, self.body = self._upstream.send(effect.upstream, effect.opening)
        return reply

    def _find(self, effect: Lookup) -> Cached | None:
        found = self._lookup(effect)
        while isinstance(found, Waiting):
            found = self._lookup(effect) if found.wait(FOLD_WAIT_S) else None
        return found

    def _record(self, effect: Record) -> None:
        if self._observe is not None:
            self._observe(effect.event)
        if self._spool is None:
            return
        if effect.strict:
            self._spool.append_strict(effect.event)
        else:
            self._spool.append(effect.event)

    def _wait(self, effect: Wait) -> None:
        time.sleep(effect.seconds)

    _PERFORMING: ClassVar[Mapping[type, Callable[[Any, Any], object]]] = {
        Send: _send,
        Lookup: _find,
        Store: _Host.keep,
        Reserve: _Host.reserve,
        Settle: _Host.settle,
        Record: _record,
        Wait: _wait,
        Recall: _Host.recall,
        Retain: _Host.retain,
        Forget: _Host.forget,
    }


class AsyncHost(_Host[AsyncBody]):
    """Awaits on the running loop."""

    def __init__(
        self,
        store: MemoryStore,
        spool: Spool | None,
        upstream: AsyncUpstream,
        observe: Observe | None = None,
        responses: ResponseStore | None = None,
    ) -> None:
        super().__init__(store, spool, observe, responses)
        self._upstream = upstream

    async def release(self) -> None:
        """The flow has ended, however it did."""
        self._abandon()
        if self.body is not None:
            await self.body.close()

    def blocking(self) -> SyncHost:
        """The same stores for a thread: to settle what a loop that has ended left behind. It sends
        nothing."""
        return SyncHost(self._store, self._spool, None, self._observe, self._responses)

    def perform(self, effect: Effect) -> object:
        """The reply to `effect`, or an awaitable of it. What is at hand in this process costs no
        coroutine."""
        return self._PERFORMING[type(effect)](self, effect)

    async def _send(self, effect: Send) -> Response | Failure:
        if self.body is not None:
            await self.body.close()
        reply, self.body = await self._upstream.send(effect.upstream, effect.opening)
        return reply

    def _find(self, effect: Lookup) -> object:
        found = self._lookup(effect)
        return self._wait_for(found, effect) if isinstance(found, Waiting) else found

    async def _wait_for(self, found: Cached | Waiting | None, effect: Lookup) -> Cached | None:
        while isinstance(found, Waiting):
            found = self._lookup(effect) if await found.wait_async(FOLD_WAIT_S) else None
        return found

    def _record(self, effect: Record) -> object:
        if self._observe is not None:
            self._observe(effect.event)
        if self._spool is None:
            return None
        if effect.strict:
            return self._spool.append_strict_async(effect.event)
        self._spool.append(effect.event)
        return None

    def _wait(self, effect: Wait) -> object:
        return asyncio.sleep(effect.seconds)

    def _recall(self, effect: Recall) -> object:
        return self._off_the_loop(self.recall, effect)

    def _retain(self, effect: Retain) -> object:
        return self._off_the_loop(self.retain, effect)

    def _forget(self, effect: Forget) -> object:
        return self._off_the_loop(self.forget, effect)

    def _off_the_loop[E](self, work: Callable[[E], object], effect: E) -> object:
        """In a thread where the store waits for a disk."""
        if self._responses is None or not self._responses.blocks:
            return work(effect)
        return asyncio.to_thread(work, effect)

    _PERFORMING: ClassVar[Mapping[type, Callable[[Any, Any], object]]] = {
        Send: _send,
        Lookup: _find,
        Store: _Host.keep,
        Reserve: _Host.reserve,
        Settle: _Host.settle,
        Record: _record,
        Wait: _wait,
        Recall: _recall,
        Retain: _retain,
        Forget: _forget,
    }
