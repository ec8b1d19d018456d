"""A stream is settled and recorded exactly once, however its caller leaves it."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import TYPE_CHECKING, Any

import openai
import pytest
from tests.sdk.client.conftest import ASK, MAIL

from nexus_sdk.results import http

if TYPE_CHECKING:
    import nexus_sdk
    from nexus_sdk.demo.model_server import ModelServer
    from nexus_sdk.model import Event

LONG = {**ASK, "stream": True, "extra_headers": {"x-demo": "chunks=5000;chunk-delay=0.01"}}
SHORT = {**ASK, "stream": True, "extra_headers": {"x-demo": "chunks=5"}}


def left(upstream: ModelServer) -> bool:
    """Has the upstream seen its client go?"""
    return upstream.wait_for(lambda seen: bool(seen) and seen[-1].outcome == "left")


def outcomes(events: list[Event]) -> list[str]:
    return [event["outcome"] for event in events]


def test_a_stream_is_a_stock_stream(client: nexus_sdk.OpenAI) -> None:
    stream = client.chat.completions.create(**SHORT)
    assert isinstance(stream, openai.Stream)
    assert stream.response.status_code == 200
    assert stream.response.headers["content-type"].startswith("text/event-stream")
    assert not stream.response.is_closed
    assert len(list(stream)) > 5
    assert stream.response.is_closed
    assert list(stream) == []


def test_leaving_the_block_ends_the_upstream_call(
    client: nexus_sdk.OpenAI, upstream: ModelServer, events: list[Event]
) -> None:
    with client.chat.completions.create(**LONG) as stream:
        next(stream)
    assert left(upstream)
    assert outcomes(events) == ["caller_left"]
    assert list(stream) == []
    stream.close()
    assert outcomes(events) == ["caller_left"]


def test_a_stream_that_is_dropped_ends_at_once(
    client: nexus_sdk.OpenAI, upstream: ModelServer, events: list[Event]
) -> None:
    gc.disable()  # it is not the collector of circles that ends it
    try:
        stream = client.chat.completions.create(**LONG)
        for _ in stream:
            break
        del _, stream
        assert outcomes(events) == ["caller_left"]
    finally:
        gc.enable()
    assert left(upstream)


def test_a_stream_that_is_dropped_unread_ends_at_once(
    client: nexus_sdk.OpenAI, upstream: ModelServer, events: list[Event]
) -> None:
    client.chat.completions.create(**LONG)
    assert outcomes(events) == ["caller_left"]
    assert left(upstream)


def test_closing_the_response_ends_it_too(
    client: nexus_sdk.OpenAI, upstream: ModelServer, events: list[Event]
) -> None:
    stream = client.chat.completions.create(**LONG)
    next(stream)
    stream.response.close()
    assert left(upstream)
    assert list(stream) == []
    assert outcomes(events) == ["caller_left"]


def test_the_response_gives_the_bytes(client: nexus_sdk.OpenAI, events: list[Event]) -> None:
    stream = client.chat.completions.create(**SHORT)
    lines = [line for line in stream.response.iter_lines() if line]
    assert lines[0].startswith("data: {")
    assert lines[-1] == "data: [DONE]"
    assert outcomes(events) == ["complete"]


def test_another_thread_may_close_it(
    client: nexus_sdk.OpenAI, upstream: ModelServer, events: list[Event]
) -> None:
    hanging = {**LONG, "extra_headers": {"x-demo": "chunks=50;hang-after=1500"}}
    stream = client.chat.completions.create(**hanging)
    begun, items = threading.Event(), []

    def read() -> None:
        for item in stream:
            items.append(item)
            begun.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert begun.wait(5)
    stream.close()
    reader.join(5)
    assert not reader.is_alive()
    assert items
    assert outcomes(events) == ["caller_left"]
    assert left(upstream)


def test_an_error_of_the_callers_own_ends_it(
    client: nexus_sdk.OpenAI, upstream: ModelServer, events: list[Event]
) -> None:
    stream = client.chat.completions.create(**LONG)
    with pytest.raises(ZeroDivisionError), stream:  # noqa: PT012  it raises on the way
        for _ in stream:
            raise ZeroDivisionError
    assert left(upstream)
    assert outcomes(events) == ["caller_left"]


def test_responses_streams_are_left_too(
    client: nexus_sdk.OpenAI, upstream: ModelServer, events: list[Event]
) -> None:
    stream = client.responses.create(
        model="gpt-4o", input="Hello", stream=True, extra_headers=LONG["extra_headers"]
    )
    assert next(iter(stream)).type == "response.created"
    stream.close()
    assert left(upstream)
    assert outcomes(events) == ["caller_left"]


def test_the_long_way_is_left_too(
    client: nexus_sdk.OpenAI, upstream: ModelServer, events: list[Event]
) -> None:
    with client.chat.completions.with_streaming_response.create(**LONG) as response:
        next(response.iter_bytes())
    assert left(upstream)
    assert outcomes(events) == ["caller_left"]


def test_a_callers_own_client_is_left_too(
    client: nexus_sdk.OpenAI, upstream: ModelServer, events: list[Event]
) -> None:
    with http.Client() as own:
        stream = client.with_options(http_client=own).chat.completions.create(**LONG)
        next(stream)
        stream.close()
        assert left(upstream)
    assert outcomes(events) == ["caller_left"]


def test_a_callers_own_async_client_is_left_too(
    aclient: nexus_sdk.AsyncOpenAI, upstream: ModelServer, events: list[Event]
) -> None:
    async def main() -> None:
        async with http.AsyncClient() as own:
            stream = await _begun(aclient.with_options(http_client=own))
            await stream.close()
            assert await asyncio.to_thread(left, upstream)

    asyncio.run(main())
    assert outcomes(events) == ["caller_left"]


async def _begun(client: nexus_sdk.AsyncOpenAI) -> Any:
    stream = await client.chat.completions.create(**LONG)
    await anext(stream)
    return stream


def test_an_async_stream_is_closed(
    aclient: nexus_sdk.AsyncOpenAI, upstream: ModelServer, events: list[Event]
) -> None:
    async def main() -> None:
        stream = await _begun(aclient)
        assert isinstance(stream, openai.AsyncStream)
        assert not stream.response.is_closed
        await stream.close()
        assert stream.response.is_closed
        assert [item async for item in stream] == []
        await stream.close()

    asyncio.run(main())
    assert left(upstream)
    assert outcomes(events) == ["caller_left"]


def test_leaving_the_async_block_ends_the_upstream_call(
    aclient: nexus_sdk.AsyncOpenAI, upstream: ModelServer, events: list[Event]
) -> None:
    async def main() -> None:
        async with await aclient.chat.completions.create(**LONG) as stream:
            async for _ in stream:
                break
        assert outcomes(events) == ["caller_left"]
        assert await asyncio.to_thread(left, upstream)

    asyncio.run(main())


def test_an_async_stream_that_is_dropped_ends(
    aclient: nexus_sdk.AsyncOpenAI, upstream: ModelServer, events: list[Event]
) -> None:
    async def main() -> None:
        stream = await _begun(aclient)
        del stream
        assert await asyncio.to_thread(left, upstream)

    asyncio.run(main())
    assert outcomes(events) == ["caller_left"]


def test_an_async_stream_that_is_dropped_unread_ends(
    aclient: nexus_sdk.AsyncOpenAI, upstream: ModelServer, events: list[Event]
) -> None:
    async def main() -> None:
        await aclient.chat.completions.create(**LONG)
        assert await asyncio.to_thread(left, upstream)

    asyncio.run(main())
    assert outcomes(events) == ["caller_left"]


@pytest.mark.parametrize("read_some", [False, True])
def test_an_async_stream_that_outlives_its_loop_is_recorded(
    aclient: nexus_sdk.AsyncOpenAI, events: list[Event], *, read_some: bool
) -> None:
    kept: list[Any] = []

    async def main() -> None:
        stream = await aclient.chat.completions.create(**LONG)
        if read_some:
            await anext(stream)
        kept.append(stream)

    asyncio.run(main())
    kept.clear()
    gc.collect()
    assert outcomes(events) == ["caller_left"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # its connection
def test_an_async_stream_of_a_loop_that_was_just_closed_is_recorded(
    aclient: nexus_sdk.AsyncOpenAI, events: list[Event]
) -> None:
    loop = asyncio.new_event_loop()
    stream = loop.run_until_complete(_begun(aclient))
    loop.close()
    del stream
    gc.collect()
    assert outcomes(events) == ["caller_left"]


def test_a_stream_of_the_cache_is_the_same_again(
    client: nexus_sdk.OpenAI,
    aclient: nexus_sdk.AsyncOpenAI,
    nexus: nexus_sdk.Nexus,
    events: list[Event],
    upstream: ModelServer,
) -> None:
    nexus.reload({"compliance": MAIL, "cache": {"enabled": True, "when": "always"}})

    async def again() -> list[Any]:
        stream = await aclient.chat.completions.create(**SHORT)
        return [chunk async for chunk in stream]

    first = list(client.chat.completions.create(**SHORT))
    assert list(client.chat.completions.create(**SHORT)) == first
    assert asyncio.run(again()) == first
    assert len(upstream.requests) == 1
    assert [event["cache"] for event in events] == ["miss", "hit", "hit"]


def test_a_cancelled_task_ends_the_upstream_call(
    aclient: nexus_sdk.AsyncOpenAI, upstream: ModelServer, events: list[Event]
) -> None:
    async def read(begun: asyncio.Event) -> None:
        async for _ in await aclient.chat.completions.create(**LONG):
            begun.set()

    async def main() -> None:
        begun = asyncio.Event()
        task = asyncio.ensure_future(read(begun))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(left, upstream)

    asyncio.run(main())
    assert outcomes(events) == ["caller_left"]


def test_a_call_that_is_cancelled_before_its_answer_is_recorded(
    aclient: nexus_sdk.AsyncOpenAI, upstream: ModelServer, events: list[Event]
) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await aclient.chat.completions.create(**ASK, extra_headers={"x-demo": "hang"})
        assert await asyncio.to_thread(left, upstream)

    asyncio.run(main())
    assert outcomes(events) == ["caller_left"]
