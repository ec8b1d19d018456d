"""From a flow to what a door hands out: a whole answer, or a stream of events that settles itself.

A stream runs its flow on when the upstream has ended, when the caller closes it, and when it is forgotten, so that
every exchange ends with its settlement and its audit event exactly once.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from nexus_sdk.drivers.advance import aadvance, advance
from nexus_sdk.drivers.upstream import StreamBroken
from nexus_sdk.effects import Finish, Relay
from nexus_sdk.errors import CallerLeft
from nexus_sdk.model import Answer, Outcome

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence

    from nexus_sdk.drivers.host import AsyncHost, SyncHost
    from nexus_sdk.effects import Flow
    from nexus_sdk.wire.sse import StreamEvent


class SyncEvents:
    """A streamed answer. Iterate to its end, or close it; either settles the exchange."""

    def __init__(self, flow: Flow[None], host: SyncHost, begun: Relay | Finish) -> None:
        assert begun.answer is not None
        self.answer: Answer = begun.answer
        self._flow: Flow[None] | None = flow
        self._host = host
        self._begun = begun
        self._iterator = self._run()

    def __iter__(self) -> Iterator[StreamEvent]:
        return self._iterator

    def close(self) -> None:
        """The caller wants no more: the upstream call is ended, what was used is settled."""
        self._iterator.close()
        self._end(Outcome(caller_left=True))

    def _run(self) -> Iterator[StreamEvent]:
        begun = self._begun
        outcome = Outcome(caller_left=True)
        try:
            if type(begun) is Finish:
                yield from begun.tail
                outcome = Outcome()
            else:
                assert type(begun) is Relay
                yield from begun.first
                outcome = yield from self._pump(begun)
        finally:
            tail = self._end(outcome)
        yield from tail

    def _pump(self, relay: Relay) -> Iterator[StreamEvent]:  # type: ignore[misc]  # returns an Outcome
        body, pipe = self._host.body, relay.pipe
        if body is None:
            return Outcome()
        try:
            while not pipe.stopped and (data := body.read()):
                yield from pipe.feed(data)
        except StreamBroken as err:
            return Outcome(failure=err.failure)
        return Outcome()

    def _end(self, outcome: Outcome) -> tuple[StreamEvent, ...]:
        flow, self._flow = self._flow, None
        if flow is None:
            return ()
        try:
            if self._host.body is not None:
                self._host.body.close()
            tail = ()
            if type(self._begun) is Relay:
                last = advance(flow, self._host.perform, outcome)
                tail = last.tail if type(last) is Finish else ()
            advance(flow, self._host.perform)
            return tail
        finally:
            flow.close()
            self._host.release()

    def __del__(self) -> None:
        if self._flow is not None:
            self._end(Outcome(caller_left=True))


def _left() -> CallerLeft:
    return CallerLeft("the caller went away before the answer came")


def run(flow: Flow[None], host: SyncHost) -> Answer | SyncEvents:
    """Run a flow to its answer. A stream keeps the flow and runs it on."""
    streaming = False
    try:
        try:
            begun = advance(flow, host.perform)
        except KeyboardInterrupt:
            advance(flow, host.perform, error=_left())
            raise
        assert begun is not None, "a flow never ends without an answer"
        if type(begun) is Relay or (type(begun) is Finish and begun.tail):
            streaming = True
            return SyncEvents(flow, host, begun)
        advance(flow, host.perform)
        assert begun.answer is not None
        return begun.answer
    finally:
        if not streaming:
            flow.close()
            host.release()


class AsyncEvents:
    """As `SyncEvents`, awaited. A cancelled task ends the upstream call; the settlement is shielded from it."""

    def __init__(self, flow: Flow[None], host: AsyncHost, begun: Relay | Finish) -> None:
        assert begun.answer is not None
        self.answer: Answer = begun.answer
        self._flow: Flow[None] | None = flow
        self._host = host
        self._begun = begun
        self._loop = asyncio.get_running_loop()
        self._batches = self._run()
        self._iterator = self._one_by_one()

    def __aiter__(self) -> AsyncIterator[StreamEvent]:
        return self._iterator

    def batches(self) -> AsyncIterator[Sequence[StreamEvent]]:
        """The events in place of one by one: those that became known together, never none. Take either, not both."""
        return self._batches

    async def close(self) -> None:
        """The caller wants no more."""
        await self._batches.aclose()
        await self._end(Outcome(caller_left=True))

    async def _one_by_one(self) -> AsyncGenerator[StreamEvent]:
        async for batch in self._batches:
            for event in batch:
                yield event

    async def _run(self) -> AsyncGenerator[Sequence[StreamEvent]]:
        begun = self._begun
        outcome = Outcome(caller_left=True)
        tail: tuple[StreamEvent, ...] = ()
        try:
            if type(begun) is Finish:
                yield begun.tail
                outcome = Outcome()
            else:
                assert type(begun) is Relay
                if begun.first:
                    yield begun.first
                body, pipe = self._host.body, begun.pipe
                try:
                    while body is not None and not pipe.stopped and (data := await body.read()):
                        if events := pipe.feed(data):
                            yield events
                    outcome = Outcome()
                except StreamBroken as err:
                    outcome = Outcome(failure=err.failure)
        finally:
            tail = await _shielded(self._end(outcome))
        if tail:
            yield tail

    async def _end(self, outcome: Outcome) -> tuple[StreamEvent, ...]:
        flow, self._flow = self._flow, None
        if flow is None:
            return ()
        try:
            if self._host.body is not None:
                await self._host.body.close()
            tail: tuple[StreamEvent, ...] = ()
            if type(self._begun) is Relay:
                last = await aadvance(flow, self._host.perform, outcome)
                tail = last.tail if type(last) is Finish else ()
            await aadvance(flow, self._host.perform)
            return tail
        finally:
            flow.close()
            await self._host.release()

    def __del__(self) -> None:
        if self._flow is not None and not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(self._end(Outcome(caller_left=True)), self._loop)


async def _shielded[T](work: object) -> T:
    """Let `work` finish even when this task is cancelled meanwhile; then be cancelled."""
    task = asyncio.ensure_future(work)  # type: ignore[arg-type]
    try:
        return await asyncio.shield(task)  # type: ignore[no-any-return]
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


async def arun(flow: Flow[None], host: AsyncHost) -> Answer | AsyncEvents:
    """As `run`."""
    streaming = False
    try:
        try:
            begun = await aadvance(flow, host.perform)
        except asyncio.CancelledError:
            await _shielded(aadvance(flow, host.perform, error=_left()))
            raise
        assert begun is not None, "a flow never ends without an answer"
        if type(begun) is Relay or (type(begun) is Finish and begun.tail):
            streaming = True
            return AsyncEvents(flow, host, begun)
        await aadvance(flow, host.perform)
        assert begun.answer is not None
        return begun.answer
    finally:
        if not streaming:
            flow.close()
            await host.release()
