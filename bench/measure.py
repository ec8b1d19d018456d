"""How a figure comes about.

Contenders take turns: A B, B A, A B, ... A turn is some calls in a row. CPU is that of the whole
process, background threads too, unless a row says otherwise; a contender's CPU is the median of its
turns. Wall times of all calls of all turns go together into p50 and p99. The first turns warm up
and do not count.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import math
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import chain
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    type Turn = Callable[[], Sample]
    type Clock = Callable[[], float]

IDLE_SHARE = 0.05
IDLE_LOOK_S = 0.1
IDLE_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One turn: CPU seconds of all its calls together, and the wall seconds of each."""

    cpu_s: float
    walls_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """One contender, over its turns. `cpu_us` is for one call."""

    cpu_us: float
    p50_ms: float
    p99_ms: float
    calls: int


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def summary(samples: Sequence[Sample]) -> Result:
    """What the turns of one contender say together."""
    walls = list(chain.from_iterable(sample.walls_s for sample in samples))
    return Result(
        cpu_us=median(sample.cpu_s / len(sample.walls_s) for sample in samples) * 1e6,
        p50_ms=quantile(walls, 0.50) * 1e3,
        p99_ms=quantile(walls, 0.99) * 1e3,
        calls=len(walls),
    )


def interleave[Name](
    contenders: Mapping[Name, Turn], rounds: int, *, warm_up: int = 1
) -> dict[Name, Result]:
    """Every contender once a round, first forwards, then backwards, so that a drift of the
    machine hits all alike."""
    found: dict[Name, list[Sample]] = {name: [] for name in contenders}
    for number in range(warm_up + rounds):
        names = list(contenders)
        for name in names if number % 2 == 0 else reversed(names):
            sample = contenders[name]()
            if number >= warm_up:
                found[name].append(sample)
    return {name: summary(samples) for name, samples in found.items()}


def nothing() -> None:
    """Nothing is left to be done."""


def calls[T](
    once: Callable[[T], object],
    supply: Callable[[], T],
    count: int,
    *,
    after: Callable[[], None] = nothing,
    cpu: Clock = time.process_time,
) -> Turn:
    """`count` calls one after the other. What `supply` makes is made beforehand; `after` still
    counts as CPU: the work that the calls left to others."""

    def turn() -> Sample:
        given = [supply() for _ in range(count)]
        walls: list[float] = []
        gc.collect()
        began = cpu()
        for argument in given:
            start = time.perf_counter()
            once(argument)
            walls.append(time.perf_counter() - start)
        after()
        return Sample(cpu() - began, tuple(walls))

    return turn


@dataclass(frozen=True, slots=True)
class Crowd:
    """Calls on one event loop, `in_flight` at a time."""

    runner: asyncio.Runner
    in_flight: int

    def calls[T](
        self,
        once: Callable[[T], Awaitable[object]],
        supply: Callable[[], T],
        count: int,
        *,
        after: Callable[[], None] = nothing,
    ) -> Turn:
        """As `calls`."""

        async def worker(given: list[T], walls: list[float]) -> None:
            while given:
                argument = given.pop()
                start = time.perf_counter()
                await once(argument)
                walls.append(time.perf_counter() - start)

        async def batch(given: list[T], walls: list[float]) -> None:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.in_flight):
                    group.create_task(worker(given, walls))

        def turn() -> Sample:
            given, walls = [supply() for _ in range(count)], list[float]()
            gc.collect()
            began = time.process_time()
            self.runner.run(batch(given, walls))
            after()
            return Sample(time.process_time() - began, tuple(walls))

        return turn


def idle() -> None:
    """Wait until this process's background work (a compile, a first write) is over. Raises
    TimeoutError."""
    deadline = time.monotonic() + IDLE_TIMEOUT_S
    while time.monotonic() < deadline:
        began = time.process_time()
        time.sleep(IDLE_LOOK_S)
        if time.process_time() - began < IDLE_SHARE * IDLE_LOOK_S:
            return
    raise TimeoutError(f"this process was still busy after {IDLE_TIMEOUT_S:.0f} s")


def cpu_of(pid: int) -> float:
    """CPU seconds that another process has used, its ended threads too.

    Linux has a clock for every process (clock_getcpuclockid(3)), exact to the nanosecond; elsewhere
    `ps` knows it to the hundredth of a second. Raises ProcessLookupError.
    """
    if not sys.platform.startswith("linux"):
        return _cpu_by_ps(pid)
    clock = ctypes.c_int()
    if ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock)):
        raise ProcessLookupError(pid)
    return time.clock_gettime(clock.value)


def _cpu_by_ps(pid: int) -> float:
    done = subprocess.run(
        ["ps", "-o", "time=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ProcessLookupError(pid)
    return seconds(done.stdout.strip())


def seconds(written: str) -> float:
    """`[[days-]hours:]minutes:seconds[.hundredths]`, as `ps` writes a time."""
    days, _, rest = written.rpartition("-")
    total = 0.0
    for part in rest.split(":"):
        total = total * 60 + float(part)
    return total + int(days or 0) * 86_400
