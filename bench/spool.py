"""What the audit spool costs: on the caller's thread, and of the process's CPU time.

Compare strict figures with the raw write and fdatasync of the same run: it differs by a factor of
ten between disks, and on one disk between hours.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.measure import quantile
from bench.rows import Row
from nexus_sdk.drivers.spool import Spool, verify

if TYPE_CHECKING:
    from bench.rows import Plan

KEY = b"k" * 32
GROUP = 20
RAW = "raw write and fdatasync"
EVENT: dict[str, Any] = {
    "id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "door": "sidecar",
    "endpoint": "chat.completions",
    "caller": {
        "key_id": "vk_42",
        "user": "u-17",
        "project": "search",
        "organisation": "acme",
        "tags": {},
    },
    "target": {"provider": "openai", "model": "gpt-large"},
    "usage": {"input": 1234, "output": 456, "cache_read": 1024, "reasoning": 0, "estimated": False},
    "cost_pico": 12_345_678_900,
    "rules": [
        {"id": f"pii.rule{n}", "action": "redact", "count": n, "where": "messages.3.content"}
        for n in range(3)
    ],
    "outcome": "answered",
    "status": 200,
    "latency_s": 1.234567,
    "policy": "sha256:6f1ed002ab5595859014ebf0951522d9",
}


def run(plan: Plan) -> list[Row]:
    plan.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        dir=plan.work
    ) as name:  # a temporary folder elsewhere may be memory
        folder = Path(name)
        commit_ms = raw(folder, plan.of(300, 60))
        rows = [caller_alone(folder, plan.of(20_000, 4_000))]
        for rate in (200, 2000):
            rows += batched(folder, rate=rate, seconds=plan.of(3, 1))
        for threads in (1, 8, 32):
            rows.append(strict(folder, commit_ms, threads=threads, count=plan.of(200, 20)))
        rows.append(asyncio.run(strict_async(folder, commit_ms, tasks=32, count=plan.of(60, 10))))
        return [*rows, verifying(folder / "batched-2000")]


def raw(folder: Path, count: int) -> float:
    """Milliseconds, p50."""
    fd = os.open(folder / "raw", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    took: list[float] = []
    for _ in range(count):
        start = time.perf_counter()
        os.write(fd, b"x" * 900)
        os.fsync(fd)
        took.append(time.perf_counter() - start)
    os.close(fd)
    return quantile(took, 0.5) * 1e3


def batched(folder: Path, *, rate: int, seconds: int) -> list[Row]:
    """At `rate` events a second in groups of 20."""
    target = _spool(folder, f"batched-{rate}")
    target.append_strict(EVENT)
    count, mine = 0, 0
    cpu, begun = time.process_time_ns(), time.perf_counter()
    while (now := time.perf_counter()) - begun < seconds:
        if count > (now - begun) * rate:
            time.sleep(count / rate - (now - begun))
        for _ in range(GROUP):
            start = time.perf_counter_ns()
            target.append(EVENT)
            mine += time.perf_counter_ns() - start
        count += GROUP
    target.flush(30)
    used, stats = time.process_time_ns() - cpu, target.stats()
    target.close()
    note = f"{stats.commits} commits, {stats.lost} lost"
    return [
        Row(
            f"spool, batched, {rate}/s: the caller's wall time", "us", mine / count / 1e3, note=note
        ),
        Row(f"spool, batched, {rate}/s: CPU in all", "us", used / count / 1e3),
    ]


def caller_alone(folder: Path, count: int) -> Row:
    """The calling thread's CPU, without what the writer takes from it through the interpreter's
    lock."""
    target = _spool(folder, "caller")
    target.append_strict(EVENT)
    start = time.thread_time_ns()
    for _ in range(count):
        target.append(EVENT)
    used = time.thread_time_ns() - start
    target.flush(30)
    target.close()
    return Row("spool, batched, at once: the calling thread's CPU", "us", used / count / 1e3)


def strict(folder: Path, commit_ms: float, *, threads: int, count: int) -> Row:
    target = _spool(folder, f"strict-{threads}")
    target.append_strict(EVENT)
    took: list[float] = []

    def work() -> None:
        for _ in range(count):
            start = time.perf_counter()
            target.append_strict(EVENT)
            took.append(time.perf_counter() - start)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    before, cpu = target.stats().commits, time.process_time()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    row = _strict(f"{threads} threads", took, target.stats().commits - before, cpu, commit_ms)
    target.close()
    return row


async def strict_async(folder: Path, commit_ms: float, *, tasks: int, count: int) -> Row:
    target = _spool(folder, f"async-{tasks}")
    target.append_strict(EVENT)
    took: list[float] = []

    async def work() -> None:
        for _ in range(count):
            start = time.perf_counter()
            await target.append_strict_async(EVENT)
            took.append(time.perf_counter() - start)

    before, cpu = target.stats().commits, time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(tasks):
            group.create_task(work())
    row = _strict(f"{tasks} tasks", took, target.stats().commits - before, cpu, commit_ms)
    target.close()
    return row


def verifying(folder: Path) -> Row:
    start = time.perf_counter()
    report = verify(folder, KEY)
    took = time.perf_counter() - start
    assert report.ok, report
    return Row("spool, verifying an event", "us", took / report.events * 1e6)


def _spool(folder: Path, name: str) -> Spool:
    return Spool(folder / name, key=KEY, node="bench")


def _strict(who: str, took: list[float], commits: int, cpu: float, commit_ms: float) -> Row:
    used, p99 = time.process_time() - cpu, quantile(took, 0.99) * 1e3
    note = (
        f"p99 {p99:.2f} ms, CPU in all {used / len(took) * 1e6:.0f} us, "
        f"{len(took) / commits:.1f} events a commit"
    )
    return Row(
        f"spool, strict, {who}: wall p50",
        "ms",
        quantile(took, 0.5) * 1e3,
        commit_ms,
        RAW,
        note=note,
    )
