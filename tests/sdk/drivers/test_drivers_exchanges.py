"""Every exchange ends with its settlement and one audit event, however its caller behaves."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.playbook import chat
from tests.sdk.drivers.exchange_lab import AsyncScript, Lab, SyncScript
from tests.sdk.test_pipeline import BUDGET, CACHE, delta, said, sse, texts

from nexus_sdk.drivers.exchanges import AsyncEvents, SyncEvents
from nexus_sdk.model import Answer, Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.sse import StreamEvent

FIRST, SECOND, END = sse(delta("Hel")), sse(delta("lo. ")), sse(delta(None, "stop"), b"[DONE]")
WHOLE = [FIRST, SECOND, END]
COLOURS = pytest.mark.parametrize("colour", ["sync", "async"])


def lab() -> Lab:
    """A budget shows whether what was used is settled."""
    return Lab(BUDGET)


def used(run: Lab) -> tuple[int, int]:
    """Accounts that something was taken from, and what is still reserved."""
    accounts = run.store.usage()
    return len(accounts), sum(account.reserved for account in accounts)


def outcomes(run: Lab) -> list[str]:
    return [event["outcome"] for event in run.recorded]


def streamed(
    colour: str, run: Lab, script: list[Any], use: Callable[[list[StreamEvent]], bool]
) -> tuple[Any, list[StreamEvent]]:
    """Reads a stream as long as `use` of the events so far says so, then closes it."""
    got: list[StreamEvent] = []
    if colour == "sync":
        plain = SyncScript([script])
        events = run.run(chat(stream=True), plain)
        assert isinstance(events, SyncEvents)
        for event in events:
            got.append(event)
            if not use(got):
                break
        events.close()
        assert events.ended
        return plain, got

    async def main() -> AsyncScript:
        awaited = AsyncScript([script])
        events = await run.arun(chat(stream=True), awaited)
        assert isinstance(events, AsyncEvents)
        async for event in events:
            got.append(event)
            if not use(got):
                break
        await events.close()
        assert events.ended
        return awaited

    return asyncio.run(main()), got


# ---- whole answers -------------------------------------------------------------------------------


@COLOURS
def test_a_whole_answer(colour: str) -> None:
    run = lab()
    answer: Any = (
        run.run(chat(), SyncScript([said("ok")]))
        if colour == "sync"
        else asyncio.run(run.arun(chat(), AsyncScript([said("ok")])))
    )
    assert isinstance(answer, Answer)
    assert answer.status == 200
    assert (outcomes(run), used(run)) == (["complete"], (1, 0))


@COLOURS
def test_a_bug_is_recorded_and_raised(colour: str) -> None:
    run = lab()

    class Broken(SyncScript, AsyncScript):
        def send(self, upstream: Any, opening: Any = None) -> Any:
            raise ZeroDivisionError

    def ask() -> object:
        if colour == "sync":
            return run.run(chat(), Broken([]))
        return asyncio.run(run.arun(chat(), Broken([])))

    with pytest.raises(ZeroDivisionError):
        ask()
    assert (outcomes(run), used(run)) == (["failed"], (1, 0))


def test_an_interrupt_is_a_caller_who_leaves() -> None:
    run = lab()

    class Interrupted(SyncScript):
        def send(self, upstream: Any, opening: Any = None) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.run(chat(), Interrupted([]))
    assert (outcomes(run), used(run)) == (["caller_left"], (1, 0))


class Hanging(AsyncScript):
    """Never answers; says when it is asked."""

    async def send(self, upstream: Any, opening: Any = None) -> Any:
        self.asked = getattr(self, "asked", None) or asyncio.Event()
        self.asked.set()
        self.sent.append(upstream)
        await asyncio.Event().wait()


async def until(ready: Callable[[], bool]) -> None:
    while not ready():  # noqa: ASYNC110  what is waited for has no event of its own
        await asyncio.sleep(0)


async def cancelled(work: Any, ready: Callable[[], bool]) -> None:
    task = asyncio.ensure_future(work)
    await until(ready)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_task_cancelled_while_it_sends_is_settled_and_recorded() -> None:
    run, script = lab(), Hanging([])
    asyncio.run(cancelled(run.arun(chat(), script), lambda: bool(script.sent)))
    assert (outcomes(run), used(run)) == (["caller_left"], (1, 0))


def test_a_task_cancelled_while_its_event_is_written_has_one_event() -> None:
    run = Lab({"audit": {"mode": "strict"}})
    begun: list[Any] = []

    class SlowSpool:
        async def append_strict_async(self, event: Any) -> None:
            begun.append(event)
            await asyncio.Event().wait()

    work = run.arun(chat(), AsyncScript([said("ok")]), SlowSpool())
    asyncio.run(cancelled(work, lambda: bool(begun)))
    assert (outcomes(run), len(begun)) == (["complete"], 1)


def test_a_follower_cancelled_while_it_waits_is_recorded_and_the_leader_goes_on() -> None:
    run = Lab(CACHE)

    async def main() -> None:
        leading, following = Hanging([]), AsyncScript([])
        leader = asyncio.ensure_future(run.arun(chat(), leading))
        await until(lambda: bool(leading.sent))
        follower = asyncio.ensure_future(run.arun(chat(), following))
        for _ in range(10):
            await asyncio.sleep(0)
        follower.cancel()
        with pytest.raises(asyncio.CancelledError):
            await follower
        assert outcomes(run) == ["caller_left"]
        assert not leader.done()
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader

    asyncio.run(main())
    assert outcomes(run) == ["caller_left", "caller_left"]


def test_followers_of_a_leader_who_left_go_on() -> None:
    run = Lab(CACHE)

    async def main() -> None:
        leading, following = Hanging([]), AsyncScript([said("for all")])
        leader = asyncio.ensure_future(run.arun(chat(), leading))
        await until(lambda: bool(leading.sent))
        followers = [asyncio.ensure_future(run.arun(chat(), following)) for _ in range(3)]
        for _ in range(10):
            await asyncio.sleep(0)
        leader.cancel()
        answers = await asyncio.gather(*followers)
        assert {answer.body for answer in answers} == {said("for all").body}  # type: ignore[union-attr]
        assert len(following.sent) == 1, "one of them asked for all"

    asyncio.run(main())
    assert sorted(event["cache"] for event in run.recorded) == ["hit", "hit", "miss", "miss"]


# ---- streams -------------------------------------------------------------------------------------


@COLOURS
def test_a_stream_read_to_its_end(colour: str) -> None:
    run = lab()
    script, got = streamed(colour, run, WHOLE, lambda _: True)
    assert texts(got) == "Hello. "
    assert got[-1].data == b"[DONE]"
    (body,) = script.bodies
    assert (body.finished, body.closed > 0) == (1, True)
    assert (outcomes(run), used(run)) == (["complete"], (1, 0))


@COLOURS
@pytest.mark.parametrize("count", [1, 2])
def test_a_stream_closed_early_ends_its_upstream_call(colour: str, count: int) -> None:
    run = lab()
    script, got = streamed(colour, run, WHOLE, lambda got: len(got) < count)
    assert len(got) == count
    (body,) = script.bodies
    assert (body.finished, body.closed > 0) == (0, True)
    assert (outcomes(run), used(run)) == (["caller_left"], (1, 0))


@COLOURS
def test_a_stream_closed_behind_its_end_marker_was_whole(colour: str) -> None:
    run = lab()
    _, got = streamed(colour, run, WHOLE, lambda got: got[-1].data != b"[DONE]")
    assert got[-1].data == b"[DONE]"
    assert outcomes(run) == ["complete"]


@COLOURS
@pytest.mark.parametrize(
    ("script", "code"),
    [
        ([FIRST, Failure("truncated", "the connection was cut")], "upstream_truncated"),
        ([FIRST, SECOND, Failure("timeout", "silent")], "upstream_timeout"),
        ([FIRST], "upstream_truncated"),
    ],
)
def test_a_stream_that_breaks_ends_with_an_error(colour: str, script: list[Any], code: str) -> None:
    run = lab()
    _, got = streamed(colour, run, list(script), lambda _: True)
    assert got[-1].doc["error"]["code"] == code
    assert (outcomes(run), used(run)) == (["truncated"], (1, 0))


@COLOURS
def test_a_stored_stream_is_a_stream(colour: str) -> None:
    run = Lab(CACHE)
    _, first = streamed(colour, run, WHOLE, lambda _: True)
    _, again = streamed(colour, run, [], lambda _: True)
    assert [event.wire() for event in again] == [event.wire() for event in first]
    assert texts(again) == "Hello. "
    _, part = streamed(colour, run, [], lambda got: len(got) < 1)
    assert len(part) == 1
    assert [event["cache"] for event in run.recorded] == ["miss", "hit", "hit"]


def test_closing_twice_settles_once() -> None:
    run = lab()
    events = run.run(chat(stream=True), SyncScript([WHOLE]))
    assert isinstance(events, SyncEvents)
    for _ in range(3):
        events.close()
    assert list(events) == []
    assert (outcomes(run), used(run)) == (["caller_left"], (1, 0))


def test_async_closing_twice_settles_once() -> None:
    run = lab()

    async def main() -> None:
        events = await run.arun(chat(stream=True), AsyncScript([WHOLE]))
        assert isinstance(events, AsyncEvents)
        for _ in range(3):
            await events.close()
        assert [event async for event in events] == []

    asyncio.run(main())
    assert (outcomes(run), used(run)) == (["caller_left"], (1, 0))


def test_events_that_became_known_together_come_together() -> None:
    run = lab()

    async def main() -> list[int]:
        events = await run.arun(chat(stream=True), AsyncScript([[FIRST, SECOND + SECOND, END]]))
        assert isinstance(events, AsyncEvents)
        return [len(batch) async for batch in events.batches()]

    assert asyncio.run(main()) == [1, 2, 1, 1]
    assert outcomes(run) == ["complete"]


# ---- streams that are forgotten ------------------------------------------------------------------


@pytest.mark.parametrize("read", [0, 1])
def test_a_stream_that_is_dropped_ends_at_that_moment(read: int) -> None:
    run, script = lab(), SyncScript([WHOLE])
    events = run.run(chat(stream=True), script)
    assert isinstance(events, SyncEvents)
    iterator = iter(events)
    for _ in range(read):
        next(iterator)
    gc.disable()
    try:
        del events, iterator
        assert (outcomes(run), used(run)) == (["caller_left"], (1, 0))
    finally:
        gc.enable()
    assert script.bodies[0].closed


@pytest.mark.parametrize("read", [0, 1])
def test_an_async_stream_that_is_dropped_is_settled_by_its_loop(read: int) -> None:
    run, script = lab(), AsyncScript([WHOLE])

    async def main() -> None:
        events = await run.arun(chat(stream=True), script)
        assert isinstance(events, AsyncEvents)
        if read:
            await anext(aiter(events))
        del events
        gc.collect()
        for _ in range(20):
            await asyncio.sleep(0)
        assert (outcomes(run), used(run)) == (["caller_left"], (1, 0))
        assert script.bodies[0].closed

    asyncio.run(main())
    assert outcomes(run) == ["caller_left"]


def test_an_async_stream_that_outlives_its_loop_is_settled() -> None:
    run, script, kept = lab(), AsyncScript([WHOLE]), []

    async def main() -> None:
        kept.append(await run.arun(chat(stream=True), script))

    asyncio.run(main())
    kept.clear()
    gc.collect()
    assert (outcomes(run), used(run)) == (["caller_left"], (1, 0))
    assert script.bodies[0].closed


def test_an_async_stream_whose_loop_ended_rudely_is_settled_without_it() -> None:
    run, script = lab(), AsyncScript([WHOLE])
    loop = asyncio.new_event_loop()
    events: Any = loop.run_until_complete(run.arun(chat(stream=True), script))
    loop.close()
    del events
    gc.collect()
    assert (outcomes(run), used(run)) == (["caller_left"], (1, 0))


# ---- closed by somebody else ---------------------------------------------------------------------


class BlockingBody:
    """Blocks its reader until it is closed."""

    def __init__(self) -> None:
        self.reading, self._over = threading.Event(), threading.Event()

    def read(self) -> bytes:
        from nexus_sdk.drivers.upstream import StreamBroken

        self.reading.set()
        self._over.wait(10)
        raise StreamBroken(Failure("truncated", "closed by its reader"))

    def finish(self) -> None:
        raise AssertionError("it is not whole")

    def close(self) -> None:
        self._over.set()


def test_another_thread_may_close_a_stream_that_waits() -> None:
    run, body = lab(), BlockingBody()

    class Blocking(SyncScript):
        def send(self, upstream: Any, opening: Any = None) -> Any:
            reply, _ = super().send(upstream, opening)
            return reply, body

    events = run.run(chat(stream=True), Blocking([[SECOND]]))
    assert isinstance(events, SyncEvents)
    got: list[StreamEvent] = []
    reader = threading.Thread(target=lambda: got.extend(events))
    reader.start()
    assert body.reading.wait(10)
    events.close()
    reader.join(10)
    assert texts(got) == "lo. "
    assert (outcomes(run), used(run)) == (["caller_left"], (1, 0))


def test_another_task_may_close_a_stream_that_waits() -> None:
    run, script = lab(), AsyncScript([[SECOND]], hangs=True)

    async def main() -> None:
        events = await run.arun(chat(stream=True), script)
        assert isinstance(events, AsyncEvents)

        async def read() -> list[StreamEvent]:
            return [event async for event in events]

        reader = asyncio.ensure_future(read())
        (body,) = script.bodies
        await until(lambda: body.waiting is not None)
        await events.close()
        assert texts(await reader) == "lo. "

    asyncio.run(main())
    assert (outcomes(run), used(run)) == (["caller_left"], (1, 0))


def test_a_reader_that_is_cancelled_ends_the_upstream_call() -> None:
    run, script = lab(), AsyncScript([[SECOND]], hangs=True)

    async def main() -> None:
        events = await run.arun(chat(stream=True), script)
        assert isinstance(events, AsyncEvents)

        async def read() -> None:
            async for _ in events:
                pass

        (body,) = script.bodies
        await cancelled(read(), lambda: body.waiting is not None)
        assert body.closed

    asyncio.run(main())
    assert (outcomes(run), used(run)) == (["caller_left"], (1, 0))


def test_a_settlement_under_way_is_finished_though_its_task_is_cancelled() -> None:
    run = Lab({**BUDGET, "audit": {"mode": "strict"}})
    begun, released, kept = [], asyncio.Event(), []

    class SlowSpool:
        async def append_strict_async(self, event: Any) -> None:
            begun.append(event)
            await released.wait()
            kept.append(event)

    async def main() -> None:
        events = await run.arun(chat(stream=True), AsyncScript([WHOLE]), SlowSpool())
        assert isinstance(events, AsyncEvents)

        async def read() -> None:
            async for _ in events:
                pass

        task = asyncio.ensure_future(read())
        await until(lambda: bool(begun))
        task.cancel()
        await asyncio.sleep(0)
        released.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert (len(kept), outcomes(run), used(run)) == (1, ["complete"], (1, 0))
