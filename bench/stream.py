"""Streamed answers of 100 chunks: our client against the bare one, and our own work on each chunk.

The upstream sends the whole stream at once. Wall time is that to the first chunk, from the call on.
"""

from __future__ import annotations

import asyncio
import gc
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import openai

from bench.client import BARE, OURS, supply
from bench.measure import Sample, calls, interleave
from bench.null_upstream import CHUNKS, NullStream
from bench.pipeline import supply as requests
from bench.policy import flush, governed
from bench.rows import Row, Target
from bench.servers import model_server
from nexus_sdk.client import AsyncOpenAI, OpenAI
from nexus_sdk.model import Answer
from nexus_sdk.results import GovernedStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.measure import Result, Turn
    from bench.rows import Plan
    from nexus_sdk.drivers.exchanges import SyncEvents
    from nexus_sdk.model import Request
    from nexus_sdk.nexus import Nexus

CPU = Target("ratio", 0.4, 0.15)
ADDED = Target("added", 1.0)
KIB = 1024


def run(plan: Plan) -> list[Row]:
    with model_server() as url, governed(plan) as nexus:
        rows = [*_sync(plan, nexus, url), *_own(plan, nexus)]
        return [*rows, *_async(plan, nexus, url)]  # it closes the Nexus


def _sync(plan: Plan, nexus: Nexus, url: str) -> list[Row]:
    credentials: dict[str, Any] = {"base_url": f"{url}/v1", "api_key": "sk-bench"}
    given = supply(stream=True, stream_options={"include_usage": True})
    count = plan.of(8, 3)
    with OpenAI(nexus=nexus, **credentials) as ours, openai.OpenAI(**credentials) as bare:
        found = interleave(
            {
                OURS: _turn(ours, given, count, partial(flush, nexus)),
                BARE: _turn(bare, given, count),
            },
            plan.of(15, 5),
        )
    return _rows("stream", found)


def _async(plan: Plan, nexus: Nexus, url: str) -> list[Row]:
    credentials: dict[str, Any] = {"base_url": f"{url}/v1", "api_key": "sk-bench"}
    given = supply(stream=True, stream_options={"include_usage": True})
    count = plan.of(8, 3)
    with asyncio.Runner() as runner:
        ours, bare = AsyncOpenAI(nexus=nexus, **credentials), openai.AsyncOpenAI(**credentials)
        found = interleave(
            {
                OURS: _async_turn(runner, ours, given, count, partial(flush, nexus)),
                BARE: _async_turn(runner, bare, given, count),
            },
            plan.of(15, 5),
        )
        for client in (ours, bare):
            runner.run(client.close())
        runner.run(nexus.aclose())
    return _rows("stream, async", found)


def _rows(what: str, found: dict[str, Result]) -> list[Row]:
    ours, bare = found[OURS], found[BARE]
    return [
        Row(f"{what} of {CHUNKS} chunks: CPU", "us", ours.cpu_us, bare.cpu_us, BARE, CPU),
        Row(f"{what}: first chunk p50", "ms", ours.p50_ms, bare.p50_ms, BARE, ADDED),
        Row(f"{what}: first chunk p99", "ms", ours.p99_ms, bare.p99_ms, BARE),
    ]


def _turn(
    client: openai.OpenAI,
    make: Callable[[], dict[str, Any]],
    count: int,
    after: Callable[[], None] = lambda: None,
) -> Turn:
    def turn() -> Sample:
        given, walls = [make() for _ in range(count)], list[float]()
        gc.collect()
        cpu = time.process_time()
        for arguments in given:
            start = time.perf_counter()
            stream = iter(client.chat.completions.create(**arguments))
            next(stream)
            walls.append(time.perf_counter() - start)
            _enough(1 + sum(1 for _ in stream))
        after()
        return Sample(time.process_time() - cpu, tuple(walls))

    return turn


def _async_turn(
    runner: asyncio.Runner,
    client: openai.AsyncOpenAI,
    make: Callable[[], dict[str, Any]],
    count: int,
    after: Callable[[], None] = lambda: None,
) -> Turn:
    async def one(arguments: dict[str, Any]) -> float:
        start = time.perf_counter()
        chunks, first = 0, 0.0
        async for _ in await client.chat.completions.create(**arguments):
            if not chunks:
                first = time.perf_counter() - start
            chunks += 1
        _enough(chunks)
        return first

    async def batch(given: list[dict[str, Any]]) -> tuple[float, ...]:
        return tuple([await one(arguments) for arguments in given])

    def turn() -> Sample:
        given = [make() for _ in range(count)]
        gc.collect()
        cpu = time.process_time()
        walls = runner.run(batch(given))
        after()
        return Sample(time.process_time() - cpu, walls)

    return turn


def _own(plan: Plan, nexus: Nexus) -> list[Row]:
    """Our own work: decode, inspect, release, meter. One read a chunk, no network."""
    upstream = NullStream()
    client = OpenAI(nexus=nexus, base_url="https://api.openai.com/v1", api_key="sk-bench")

    def begin(request: Request) -> SyncEvents:
        events = nexus.run(request, upstream=upstream)
        assert not isinstance(events, Answer), "the upstream streams"
        return events

    def bare(request: Request) -> None:
        _enough(sum(1 for _ in begin(request)))

    def objects(request: Request) -> None:
        _enough(sum(1 for _ in GovernedStream(client, request, begin(request))))

    make, count, written = requests(nexus, KIB, stream=True), plan.of(15, 5), partial(flush, nexus)
    found = interleave(
        {
            "pipeline": calls(bare, make, count, after=written),
            "objects": calls(objects, make, count, after=written),
        },
        plan.of(15, 5),
    )
    per_chunk = {name: result.cpu_us / CHUNKS for name, result in found.items()}
    note = "the whole exchange, divided by its chunks"
    return [
        Row(
            "stream: our work per chunk",
            "us",
            per_chunk["pipeline"],
            target=Target("ours", 20),
            note=note,
        ),
        Row(
            "stream: the same, with the client's chunk objects",
            "us",
            per_chunk["objects"],
            note=note,
        ),
    ]


def _enough(chunks: int) -> None:
    assert chunks >= CHUNKS, f"a stream of {chunks} chunks"
