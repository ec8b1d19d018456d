"""The drop-in client against the one that it replaces, on the same local upstream, in the same
process.

"Fast" is a plain call. "Fallback" passes `extra_query`, which our fast path does not know, so that
the call goes through the stock client's machinery over our transport.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import openai

from bench.measure import Crowd, calls, interleave
from bench.policy import DEFAULT, MODEL, flush, governed
from bench.prompts import SENSITIVE, prompts
from bench.rows import Row, Target, against
from bench.servers import model_server
from nexus_sdk.client import AsyncOpenAI, OpenAI

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.rows import Plan
    from nexus_sdk.nexus import Nexus

IN_FLIGHT = 50
KIB = 1024
OURS, BARE = "nexus", "bare openai"
FAST = Target("ratio", 0.25, 0.1)
FALLBACK = Target("ratio", 1.0)
LONG_WAY: dict[str, Any] = {"extra_query": {"api-version": "1"}}


def run(plan: Plan) -> list[Row]:
    with model_server() as url:
        with governed(plan, DEFAULT) as nexus:
            rows = _sync(plan, nexus, url, "chat")
        with governed(plan) as nexus, asyncio.Runner() as runner:
            rows += _sync(plan, nexus, url, "chat, everything on")
            return [*rows, *_async(plan, nexus, url, runner)]


def conversation(text: str) -> dict[str, Any]:
    """The arguments of a call."""
    return {"model": MODEL, "messages": [{"role": "user", "content": text}]}


def supply(*, holding: str = "", size: int = KIB, **options: Any) -> Callable[[], dict[str, Any]]:
    """Makes the arguments of one call after the other, no two alike."""
    texts: Iterator[str] = prompts(size, holding=holding)
    return lambda: {**conversation(next(texts)), **options}


def _sync(plan: Plan, nexus: Nexus, url: str, name: str) -> list[Row]:
    credentials: dict[str, Any] = {"base_url": f"{url}/v1", "api_key": "sk-bench"}
    rows: list[Row] = []
    with OpenAI(nexus=nexus, **credentials) as ours, openai.OpenAI(**credentials) as bare:
        for what, options, bound in (
            (f"{name}, fast path", {}, FAST),
            (f"{name}, fast path, 3 redactions", {"holding": SENSITIVE}, FAST),
            (f"{name}, fallback path", LONG_WAY, FALLBACK),
        ):
            count = plan.of(60, 20)
            found = interleave(
                {
                    OURS: calls(
                        lambda given: ours.chat.completions.create(**given),
                        supply(**options),
                        count,
                        after=partial(flush, nexus),
                    ),
                    BARE: calls(
                        lambda given: bare.chat.completions.create(**given),
                        supply(**options),
                        count,
                    ),
                },
                plan.of(20, 3),
            )
            rows += against(what, found, OURS, BARE, cpu=bound)
    return rows


def _async(plan: Plan, nexus: Nexus, url: str, runner: asyncio.Runner) -> list[Row]:
    credentials: dict[str, Any] = {"base_url": f"{url}/v1", "api_key": "sk-bench"}
    crowd = Crowd(runner, IN_FLIGHT)
    ours, bare = AsyncOpenAI(nexus=nexus, **credentials), openai.AsyncOpenAI(**credentials)
    rows: list[Row] = []
    for what, options, bound in (
        (f"chat, async, {IN_FLIGHT} in flight, fast path", {}, FAST),
        (f"chat, async, {IN_FLIGHT} in flight, fallback path", LONG_WAY, FALLBACK),
    ):
        count = plan.of(200, 100)
        found = interleave(
            {
                OURS: crowd.calls(
                    lambda given: ours.chat.completions.create(**given),
                    supply(**options),
                    count,
                    after=partial(flush, nexus),
                ),
                BARE: crowd.calls(
                    lambda given: bare.chat.completions.create(**given), supply(**options), count
                ),
            },
            plan.of(12, 3),
        )
        rows += against(what, found, OURS, BARE, cpu=bound)
    runner.run(_close(ours, bare, nexus))
    return rows


async def _close(ours: AsyncOpenAI, bare: openai.AsyncOpenAI, nexus: Nexus) -> None:
    for client in (ours, bare):
        await client.close()
    await nexus.aclose()
