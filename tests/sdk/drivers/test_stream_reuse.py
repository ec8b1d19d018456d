"""A stream that ended gives its connection to the next one; one that was left does not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from nexus_sdk import AsyncOpenAI, OpenAI
from nexus_sdk.demo.model_server import ModelServer
from nexus_sdk.drivers.upstream import dialing, exchange

if TYPE_CHECKING:
    from collections.abc import Iterator

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """One entry a new connection."""
    made: list[object] = []
    dial = dialing.dial

    async def counted(desk: Any, lane: Any, within_s: float | None) -> Any:
        made.append(lane)
        return await dial(desk, lane, within_s)

    monkeypatch.setattr(exchange, "dial", counted)
    return made


def test_streams_one_after_the_other_share_a_connection(
    server: ModelServer, dialled: list[object]
) -> None:
    with OpenAI(policy={}, api_key="x", base_url=f"{server.url}/v1") as client:
        for _ in range(3):
            assert list(client.chat.completions.create(stream=True, **ASK))
    assert len(dialled) == 1


def test_awaited_streams_share_a_connection(server: ModelServer, dialled: list[object]) -> None:
    async def main() -> None:
        async with AsyncOpenAI(policy={}, api_key="x", base_url=f"{server.url}/v1") as client:
            for _ in range(3):
                stream = await client.chat.completions.create(stream=True, **ASK)
                assert [chunk async for chunk in stream]

    asyncio.run(main())
    assert len(dialled) == 1


def test_a_stream_that_was_left_closes_its_connection(
    server: ModelServer, dialled: list[object]
) -> None:
    with OpenAI(policy={}, api_key="x", base_url=f"{server.url}/v1") as client:
        stream = client.chat.completions.create(
            stream=True, extra_headers={"x-demo": "chunks=500;chunk-delay=0.01"}, **ASK
        )
        next(iter(stream))
        stream.close()
        assert list(client.chat.completions.create(stream=True, **ASK))
    assert server.wait_for(lambda seen: any(one.outcome == "left" for one in seen))
    assert len(dialled) == 2
