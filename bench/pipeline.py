"""The pipeline alone: every step from reading to the audit event, with an upstream that answers
at once."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import TYPE_CHECKING

from bench.measure import calls, interleave
from bench.null_upstream import HEADERS, Null
from bench.policy import MODEL, flush, governed
from bench.prompts import SENSITIVE, prompts
from bench.rows import Row, Target
from nexus_sdk.model import Origin, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.rows import Plan
    from nexus_sdk.nexus import Nexus

KIB = 1024
ORIGIN = Origin("https://api.openai.com/v1")


def run(plan: Plan) -> list[Row]:
    small, large = plan.of(300, 100), plan.of(40, 15)
    with governed(plan) as nexus:
        return [
            *_rows(plan, nexus, "1 KB", supply(nexus, KIB), small, Target("ours", 100)),
            *_rows(plan, nexus, "50 KB", supply(nexus, 50 * KIB), large, Target("ours", 1000)),
            *_rows(plan, nexus, "1 KB, 3 redactions", supply(nexus, KIB, holding=SENSITIVE), small),
        ]


def supply(
    nexus: Nexus, size: int, *, holding: str = "", stream: bool = False
) -> Callable[[], Request]:
    """Makes one request after the other as an application would send them, no two alike."""
    texts = prompts(size, holding=holding)

    def make() -> Request:
        doc = {"model": MODEL, "messages": [{"role": "user", "content": next(texts)}]}
        return Request(
            id=nexus.new_id(),
            door="sdk",
            endpoint="chat",
            body=json.dumps(doc | {"stream": True} if stream else doc).encode(),
            headers={"authorization": "Bearer sk-bench", "content-type": HEADERS["content-type"]},
            path="/chat/completions",
            caller=nexus.app,
            origin=ORIGIN,
        )

    return make


def _rows(
    plan: Plan,
    nexus: Nexus,
    what: str,
    make: Callable[[], Request],
    count: int,
    target: Target | None = None,
) -> list[Row]:
    once = partial(nexus.run, upstream=Null())
    found = interleave(
        {
            "process": calls(once, make, count, after=partial(flush, nexus)),
            "thread": calls(once, make, count, cpu=time.thread_time),
        },
        plan.of(15, 5),
    )
    alone = found["thread"].cpu_us
    note = "the audit trail's writer thread counts"
    return [
        Row(f"pipeline, {what}", "us", found["process"].cpu_us, target=target, note=note),
        Row(f"pipeline, {what}, the calling thread alone", "us", alone),
    ]
