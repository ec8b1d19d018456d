"""What the audit spool costs: microseconds per event on the caller's thread, and of the process's
CPU time.

    python bench/spool.py [directory]

Calibrate strict figures against the raw write + fdatasync loop of the same run: it differs by a
factor of ten between disks, and on one disk between hours.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from nexus_sdk.drivers.spool import Spool, verify

KEY = b"k" * 32
GROUP = 20
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


def spool(directory: Path, name: str) -> Spool:
    return Spool(directory / name, key=KEY, node="bench")


def batched(directory: Path, *, rate: int | None, seconds: float = 3.0) -> None:
    """At `rate` events a second in groups of 20, or (None) as fast as they are taken."""
    target = spool(directory, f"batched-{rate}")
    target.append_strict(EVENT)
    count, mine = 0, 0
    cpu, begun = time.process_time_ns(), time.perf_counter()
    while (now := time.perf_counter()) - begun < seconds:
        if rate is not None and count > (now - begun) * rate:
            time.sleep(count / rate - (now - begun))
        for _ in range(GROUP):
            start = time.perf_counter_ns()
            target.append(EVENT)
            mine += time.perf_counter_ns() - start
        count += GROUP
    target.flush(30)
    wall = time.perf_counter() - begun
    used = time.process_time_ns() - cpu
    stats = target.stats()
    target.close()
    print(
        f"batched, {f'{rate}/s' if rate else 'flood':>8}: caller {mine / count / 1e3:5.2f} us, "
        f"CPU in all {used / count / 1e3:5.2f} us, {count / wall:.0f} events/s, "
        f"{stats.commits} commits, {stats.lost} lost"
    )


def caller_only(directory: Path, count: int = 20_000) -> None:
    """The caller's thread CPU, without what the writer takes from it through the interpreter's
    lock."""
    target = spool(directory, "caller")
    target.append_strict(EVENT)
    start = time.thread_time_ns()
    for _ in range(count):
        target.append(EVENT)
    used = time.thread_time_ns() - start
    cpu = time.process_time_ns()
    target.flush(30)
    writer = time.process_time_ns() - cpu
    target.close()
    each = used / count / 1e3
    print(f"caller's thread CPU: {each:.2f} us; left to the writer: {writer / 1e6:.1f} ms")


def strict(directory: Path, *, threads: int, count: int = 400) -> None:
    target = spool(directory, f"strict-{threads}")
    target.append_strict(EVENT)
    took: list[float] = []

    def work() -> None:
        for _ in range(count):
            start = time.perf_counter()
            target.append_strict(EVENT)
            took.append(time.perf_counter() - start)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    before, cpu, begun = target.stats().commits, time.process_time_ns(), time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    _print_strict(f"strict, {threads:2} threads", took, target.stats().commits - before, cpu, begun)
    target.close()


async def strict_async(directory: Path, *, tasks: int, count: int = 100) -> None:
    target = spool(directory, f"async-{tasks}")
    target.append_strict(EVENT)
    took: list[float] = []

    async def work() -> None:
        for _ in range(count):
            start = time.perf_counter()
            await target.append_strict_async(EVENT)
            took.append(time.perf_counter() - start)

    before, cpu, begun = target.stats().commits, time.process_time_ns(), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(tasks):
            group.create_task(work())
    _print_strict(f"strict, {tasks:2} tasks  ", took, target.stats().commits - before, cpu, begun)
    target.close()


def _print_strict(name: str, took: list[float], commits: int, cpu: int, begun: float) -> None:
    used, wall = time.process_time_ns() - cpu, time.perf_counter() - begun
    took.sort()
    print(
        f"{name}: p50 {took[len(took) // 2] * 1e3:.2f} ms, "
        f"p99 {took[int(len(took) * 0.99)] * 1e3:.2f} ms, "
        f"CPU in all {used / len(took) / 1e3:5.1f} us, {len(took) / wall:6.0f} events/s, "
        f"{len(took) / commits:.1f} a commit"
    )


def raw(directory: Path, count: int = 400) -> None:
    fd = os.open(directory / "raw", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    took = []
    for _ in range(count):
        start = time.perf_counter()
        os.write(fd, b"x" * 900)
        os.fdatasync(fd)
        took.append(time.perf_counter() - start)
    took.sort()
    p50, p99 = took[count // 2] * 1e3, took[int(count * 0.99)] * 1e3
    print(f"raw write + fdatasync: p50 {p50:.2f} ms, p99 {p99:.2f} ms")


def verifying(directory: Path) -> None:
    start = time.perf_counter()
    report = verify(directory / "batched-None", KEY)
    took = time.perf_counter() - start
    each = took / report.events * 1e6
    print(f"verify: {report.events} events in {took:.2f} s, {each:.1f} us each, ok={report.ok}")


def main() -> None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as name:
        directory = Path(name)
        raw(directory)
        for rate in (200, 2000, None):
            batched(directory, rate=rate)
        caller_only(directory)
        for threads in (1, 8, 32):
            strict(directory, threads=threads)
        asyncio.run(strict_async(directory, tasks=32))
        verifying(directory)


if __name__ == "__main__":
    main()
