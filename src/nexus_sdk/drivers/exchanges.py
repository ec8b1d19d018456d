"""From a flow to what a door hands out: a whole answer, or a stream of events that settles itself.

A stream runs its flow on when the upstream has ended, when the caller closes it, and when it is
forgotten, so that every exchange ends with its settlement and its audit event exactly once.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from nexus_sdk.drivers.advance import aadvance, advance
from nexus_sdk.drivers.upstream import StreamBroken
from nexus_sdk.effects import Finish, Relay
from nexus_sdk.errors import CallerLeft
from nexus_sdk.model import Answer, Outcome

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Coroutine,
        Generator,
        Iterator,
        Sequence,
    )
    from typing import Any

    from nexus_sdk.drivers.host import AsyncHost, SyncHost
    from nexus_sdk.effects import Flow
    from nexus_sdk.wire.sse import StreamEvent

_WHOLE = Outcome()
_LEFT = Outcome(caller_left=True)


class _Run:
    """The flow of a stream under way. It ends once, by whoever comes first; forgotten, it ends as
    left.

    The generators below hold a run, and a run holds no generator: without a circle, a stream that
    is dropped ends at that moment.
    """

    __slots__ = ("_flow", "begun", "host", "leaving")

    def __init__(self, flow: Flow[None], host: SyncHost, begun: Relay | Finish) -> None:
        self._flow: Flow[None] | None = flow
        self.host = host
        self.begun = begun
        self.leaving = False

    @property
    def ended(self) -> bool:
        return self._flow is None

    def end(self, outcome: Outcome) -> tuple[StreamEvent, ...]:
        flow, self._flow = self._flow, None
        if flow is None:
            return ()
        try:
            if self.host.body is not None:
                self.host.body.close()
            return _settled(flow, self.host, self.begun, outcome)
        finally:
            flow.close()
            self.host.release()

    def __del__(self) -> None:
        self.end(_LEFT)


def _settled(
    flow: Flow[None], host: SyncHost, begun: Relay | Finish, outcome: Outcome
) -> tuple[StreamEvent, ...]:
    """The last events, once the flow has done what is left to do."""
    tail: tuple[StreamEvent, ...] = ()
    if type(begun) is Relay:
        last = advance(flow, host.perform, outcome)
        tail = last.tail if type(last) is Finish else ()
    advance(flow, host.perform)
    return tail


class SyncEvents:
    """A streamed answer. Iterate to its end, or close it; either settles the exchange."""

    def __init__(self, flow: Flow[None], host: SyncHost, begun: Relay | Finish) -> None:
        assert begun.answer is not None
        self.answer: Answer = begun.answer
        self._run = _Run(flow, host, begun)
        self._iterator = _events(self._run)

    @property
    def ended(self) -> bool:
        return self._run.ended

    def __iter__(self) -> Iterator[StreamEvent]:
        return self._iterator

    def close(self) -> None:
        """The caller wants no more: the upstream call is ended, what was used is settled. Any
        thread may say so; one that is waiting for the next event meanwhile sees the end."""
        run = self._run
        run.leaving = True
        try:
            self._iterator.close()
        except ValueError:  # it is running: another thread waits in it, and settles once woken
            if run.host.body is not None:
                run.host.body.close()
            return
        run.end(_LEFT)


def _events(run: _Run) -> Generator[StreamEvent]:
    begun, outcome = run.begun, _LEFT
    try:
        if type(begun) is Finish:
            yield from begun.tail
            outcome = _WHOLE
        else:
            assert type(begun) is Relay
            yield from begun.first
            outcome = yield from _pumped(run, begun)
    finally:
        tail = run.end(outcome)
    yield from tail
    _refuse_cut(begun, outcome)


def _refuse_cut(begun: Relay | Finish, outcome: Outcome) -> None:
    """A stream whose format has no word for it must not end as if it were whole. Raises
    StreamBroken."""
    if outcome.failure is not None and type(begun) is Relay and not begun.pipe.tells:
        raise StreamBroken(outcome.failure)


def _pumped(run: _Run, relay: Relay) -> Generator[StreamEvent, None, Outcome]:
    body, pipe = run.host.body, relay.pipe
    if body is None:
        return _WHOLE
    try:
        while not pipe.stopped and (data := body.read()):
            yield from pipe.feed(data)
        if pipe.complete:
            body.finish()
    except StreamBroken as err:
        return _LEFT if run.leaving else Outcome(failure=err.failure)
    return _LEFT if run.leaving else _WHOLE


def _left() -> CallerLeft:
    return CallerLeft("the caller went away before the answer came")


def run(flow: Flow[None], host: SyncHost) -> Answer | SyncEvents:
    """Run a flow to its answer. A stream keeps the flow and runs it on."""
    streaming = False
    try:
        try:
            begun = advance(flow, host.perform)
        except Exception:
            raise
        except BaseException:
            # An interrupt, or a caller's own timeout that is none of Python's errors (gevent's).
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


class _AsyncRun:
    """As `_Run`, on the loop that it began on."""

    __slots__ = ("_flow", "_loop", "begun", "host", "leaving")

    def __init__(self, flow: Flow[None], host: AsyncHost, begun: Relay | Finish) -> None:
        self._flow: Flow[None] | None = flow
        self._loop = asyncio.get_running_loop()
        self.host = host
        self.begun = begun
        self.leaving = False

    @property
    def ended(self) -> bool:
        return self._flow is None

    async def end(self, outcome: Outcome) -> tuple[StreamEvent, ...]:
        flow, self._flow = self._flow, None
        if flow is None:
            return ()
        try:
            if self.host.body is not None:
                await self.host.body.close()
            tail: tuple[StreamEvent, ...] = ()
            if type(self.begun) is Relay:
                last = await aadvance(flow, self.host.perform, outcome)
                tail = last.tail if type(last) is Finish else ()
            await aadvance(flow, self.host.perform)
            return tail
        finally:
            flow.close()
            await self.host.release()

    def __del__(self) -> None:
        if self._flow is None:
            return
        if self._loop.is_running():
            asyncio.run_coroutine_threadsafe(self.end(_LEFT), self._loop)
        else:
            self._end_without_loop()

    def _end_without_loop(self) -> None:
        """Nobody will run that loop again: settle from here."""
        flow, self._flow = self._flow, None
        assert flow is not None
        body, host = self.host.body, self.host.blocking()
        try:
            if body is not None:
                _attempted(body.close())
            _settled(flow, host, self.begun, _LEFT)
        finally:
            flow.close()
            host.release()


def _attempted(work: object) -> None:
    """A coroutine's steps up to where it would wait."""
    with contextlib.suppress(StopIteration, RuntimeError):  # the latter from a loop that has ended
        work.send(None)  # type: ignore[attr-defined]
    work.close()  # type: ignore[attr-defined]


class AsyncEvents:
    """As `SyncEvents`, awaited. A cancelled task ends the upstream call; the settlement is shielded
    from it."""

    def __init__(self, flow: Flow[None], host: AsyncHost, begun: Relay | Finish) -> None:
        assert begun.answer is not None
        self.answer: Answer = begun.answer
        self._run = _AsyncRun(flow, host, begun)
        self._batches = _batches(self._run)
        self._iterator = _one_by_one(self._batches)

    @property
    def ended(self) -> bool:
        return self._run.ended

    async def begin(self) -> None:
        """From here on the loop sees to it that the stream ends: when it is dropped, and with the
        loop itself."""
        await anext(self._batches)

    def __aiter__(self) -> AsyncIterator[StreamEvent]:
        return self._iterator

    def batches(self) -> AsyncIterator[Sequence[StreamEvent]]:
        """The events in place of one by one: those that became known together, never none. Take
        either, not both."""
        return self._batches

    async def close(self) -> None:
        """As `SyncEvents.close`; any task may say so."""
        run = self._run
        run.leaving = True
        try:
            await self._batches.aclose()
        except RuntimeError:  # it is running: another task waits in it, and settles once woken
            if run.host.body is not None:
                await run.host.body.close()
            return
        await run.end(_LEFT)


async def _one_by_one(
    batches: AsyncGenerator[Sequence[StreamEvent]],
) -> AsyncGenerator[StreamEvent]:
    async for batch in batches:
        for event in batch:
            yield event


async def _batches(run: _AsyncRun) -> AsyncGenerator[Sequence[StreamEvent]]:
    begun, outcome = run.begun, _LEFT
    tail: tuple[StreamEvent, ...] = ()
    try:
        yield ()  # begun
        if type(begun) is Finish:
            yield begun.tail
            outcome = _WHOLE
        else:
            assert type(begun) is Relay
            if begun.first:
                yield begun.first
            body, pipe = run.host.body, begun.pipe
            try:
                while body is not None and not pipe.stopped and (data := await body.read()):
                    if events := pipe.feed(data):
                        yield events
                outcome = _LEFT if run.leaving else _WHOLE
                if body is not None and pipe.complete:
                    await body.finish()
            except StreamBroken as err:
                outcome = _LEFT if run.leaving else Outcome(failure=err.failure)
    finally:
        tail = await _shielded(run.end(outcome))
    if tail:
        yield tail
    _refuse_cut(begun, outcome)


async def _shielded[T](work: Coroutine[Any, Any, T]) -> T:
    """Let `work` finish even when this task is cancelled meanwhile; then be cancelled."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
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
            events = AsyncEvents(flow, host, begun)
            await events.begin()
            return events
        await aadvance(flow, host.perform)
        assert begun.answer is not None
        return begun.answer
    finally:
        if not streaming:
            flow.close()
            await host.release()
