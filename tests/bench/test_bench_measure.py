"""The statistics of the measurements: who takes turns when, and what the figures say."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from functools import partial
from itertools import count
from statistics import median

import pytest
from bench.measure import (
    Crowd,
    Sample,
    calls,
    cpu_of,
    idle,
    interleave,
    quantile,
    seconds,
    summary,
)
from hypothesis import given
from hypothesis import strategies as st

finite = st.floats(min_value=0, max_value=1e6)


@pytest.mark.parametrize(
    ("share", "wanted"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.0, 1), (0.991, 100)]
)
def test_a_quantile_is_a_value_by_nearest_rank(share: float, wanted: int) -> None:
    assert quantile(range(100, 0, -1), share) == wanted


@given(st.lists(finite, min_size=1), st.floats(min_value=0, max_value=1))
def test_at_least_the_share_does_not_exceed_the_quantile(values: list[float], share: float) -> None:
    found = quantile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    below = [value for value in values if value < found]
    assert not below or sum(value <= max(below) for value in values) < share * len(values)


def test_cpu_is_the_median_of_the_turns_and_walls_are_pooled() -> None:
    turns = [
        Sample(0.004, (0.010, 0.020)),
        Sample(0.002, (0.030, 0.040)),
        Sample(9.0, (0.050, 0.060)),  # somebody else's compile
    ]
    found = summary(turns)
    assert found.cpu_us == pytest.approx(2000)
    assert found.p50_ms == pytest.approx(30)
    assert found.p99_ms == pytest.approx(60)
    assert found.calls == 6


@given(st.lists(st.tuples(finite, st.integers(1, 5)), min_size=1, max_size=9))
def test_a_turn_counts_once_however_many_calls_it_has(turns: list[tuple[float, int]]) -> None:
    samples = [Sample(cpu * number, (0.0,) * number) for cpu, number in turns]
    assert summary(samples).cpu_us == pytest.approx(median(cpu for cpu, _ in turns) * 1e6)


def test_contenders_take_turns_back_and_forth_and_the_first_round_is_forgotten() -> None:
    order: list[str] = []

    def turn(name: str) -> Sample:
        order.append(name)
        return Sample(float(len(order)), (float(len(order)),))

    found = interleave({name: partial(turn, name) for name in "ABC"}, 2)
    assert "".join(order) == "ABC" + "CBA" + "ABC"
    assert found["A"].calls == 2
    assert found["A"].cpu_us == pytest.approx((6 + 7) / 2 * 1e6)


def test_arguments_are_made_before_the_clock_starts_and_left_work_is_counted() -> None:
    told: list[str] = []
    ticks = count()

    def clock() -> float:
        told.append("clock")
        return float(next(ticks))

    def make() -> str:
        told.append("made")
        return "call"

    turn = calls(told.append, make, 2, cpu=clock, after=partial(told.append, "after"))
    sample = turn()
    assert told == ["made", "made", "clock", "call", "call", "after", "clock"]
    assert sample.cpu_s == 1.0
    assert len(sample.walls_s) == 2


def test_a_crowd_makes_every_call_and_never_more_at_a_time() -> None:
    at_once, most, seen = 0, 0, list[int]()

    async def once(number: int) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        seen.append(number)
        at_once -= 1

    numbers = count()
    with asyncio.Runner() as runner:
        sample = Crowd(runner, 4).calls(once, lambda: next(numbers), 10)()
    assert sorted(seen) == list(range(10))
    assert (most, len(sample.walls_s)) == (4, 10)


def test_the_cpu_of_another_process_grows_with_its_work() -> None:
    program = "import time\nwhile time.process_time() < 0.2: pass\nprint(flush=True)\ninput()"
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        assert 0.19 <= cpu_of(process.pid) < 10
        process.communicate(b"\n")


def test_the_cpu_of_no_process_is_an_error() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with pytest.raises(ProcessLookupError):
        cpu_of(process.pid)


def test_the_cpu_of_this_process_is_what_it_knows_of_itself() -> None:
    before = sum(os.times()[:2])
    assert cpu_of(os.getpid()) == pytest.approx(before, abs=0.5)


@pytest.mark.parametrize(
    ("written", "wanted"),
    [("0:00.42", 0.42), ("12:03.50", 723.5), ("01:02:03", 3723), ("2-00:00:01", 172_801)],
)
def test_times_as_ps_writes_them(written: str, wanted: float) -> None:
    assert seconds(written) == pytest.approx(wanted)


def test_idle_gives_up_on_a_busy_process(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = count()
    monkeypatch.setattr("bench.measure.time.sleep", lambda _s: None)
    monkeypatch.setattr("bench.measure.time.process_time", lambda: float(next(ticks)))
    monkeypatch.setattr("bench.measure.time.monotonic", lambda: float(next(ticks)))
    with pytest.raises(TimeoutError, match="still busy"):
        idle()
