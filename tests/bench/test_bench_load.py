"""The load on servers: what counts as an answer, and what a turn holds."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest
from bench.load import BadAnswer, Load
from bench.prompts import prompts
from bench.servers import Server

from nexus_sdk.demo.model_server import ModelServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


def test_a_turn_asks_on_every_connection_first_and_then_counts(model: ModelServer) -> None:
    model.clear()
    with asyncio.Runner() as runner:
        load = Load(runner, Server(os.getpid(), model.url), prompts(1024), 4)
        sample = load.turn(10)()
    assert len(sample.walls_s) == 10
    assert sample.cpu_s > 0
    bodies = [seen.body for seen in model.requests]
    assert len(bodies) == len(set(bodies)) == 14


def test_a_refusal_is_no_answer(model: ModelServer) -> None:
    with asyncio.Runner() as runner:
        load = Load(runner, Server(os.getpid(), model.url, path="/v1/nothing"), prompts(1024), 1)
        with pytest.raises(ExceptionGroup) as caught:
            load.turn(1)()
    assert caught.group_contains(BadAnswer, match="404")


def test_an_answer_from_a_cache_is_no_answer() -> None:
    body = b'{"object":"chat.completion"}'
    head = b"HTTP/1.1 200 OK\r\nX-Nexus-Cache: hit\r\ncontent-length: %d\r\n\r\n" % len(body)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + body)
        await reader.read()
        writer.close()

    with asyncio.Runner() as runner:
        server = runner.run(asyncio.start_server(answer, "127.0.0.1", 0))
        port = server.sockets[0].getsockname()[1]
        load = Load(runner, Server(os.getpid(), f"http://127.0.0.1:{port}"), prompts(1024), 1)
        with pytest.raises(ExceptionGroup) as caught:
            load.turn(1)()
        server.close()
    assert caught.group_contains(BadAnswer, match="hit")
