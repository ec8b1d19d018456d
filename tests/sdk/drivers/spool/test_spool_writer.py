from __future__ import annotations

import asyncio
import gc
import json
import os
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.sdk.drivers.spool.spool_lab import (
    KEY,
    Disk,
    all_lines,
    event,
    new_spool,
    newest,
    segment_files,
    write_chain,
)

from nexus_sdk.drivers.spool import Spool, Stats, events, frame, verify
from nexus_sdk.drivers.spool.pending import LoopWaiter
from nexus_sdk.errors import AuditUnavailable, BadSettings, TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator


def numbers(directory: Path) -> list[int]:
    return [entry.event["n"] for entry in events(directory)]


@pytest.fixture(autouse=True)
def _elsewhere() -> Iterator[None]:
    """Spools of other tests in this process that are still open."""
    ELSEWHERE.update(threading.enumerate())
    yield
    ELSEWHERE.clear()


ELSEWHERE: set[threading.Thread] = set()


def spool_threads() -> int:
    here = set(threading.enumerate()) - ELSEWHERE
    return sum(thread.name == "nexus-audit-spool" for thread in here)


def test_nothing_happens_before_the_first_event(tmp_path: Path) -> None:
    disk = Disk()
    spool = new_spool(tmp_path / "spool", disk)
    spool.flush()
    assert spool.stats() == Stats()
    assert not spool.degraded
    spool.close()
    assert disk.log == []
    assert not (tmp_path / "spool").exists()
    assert not spool_threads()


def test_events_come_back_in_order_and_the_chain_verifies(tmp_path: Path) -> None:
    spool = new_spool(tmp_path)
    for number in range(100):
        spool.append(event(number))
    spool.close()
    assert numbers(tmp_path) == list(range(100))
    report = verify(tmp_path, KEY)
    assert report.ok
    assert [(chain.events, chain.segments, chain.node) for chain in report.chains] == [
        (100, 1, "node-1")
    ]
    assert not report.chains[0].alive
    assert not spool_threads()


def test_lines_are_greppable_json_with_seq_prev_and_mac(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in all_lines(write_chain(tmp_path, 2))]
    assert [next(key for key in row if key in frame.KINDS) for row in rows] == [
        "header",
        "event",
        "event",
        "trailer",
    ]
    assert [row["seq"] for row in rows] == [1, 2, 3, 4]
    assert [row["prev"] for row in rows] == [frame.GENESIS, *(row["mac"] for row in rows[:-1])]
    assert rows[1]["event"] == event(0)
    assert rows[3]["trailer"] == {"events": 2, "records": 3, "final": True}


def test_a_strict_event_is_answered_after_its_sync_and_before_the_head(tmp_path: Path) -> None:
    disk = Disk()
    spool = new_spool(tmp_path, disk)
    spool.append_strict(event(0))
    disk.gate = threading.Event()
    disk.in_sync.clear()
    answered = threading.Event()

    def work() -> None:
        spool.append_strict(event(1))
        answered.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert disk.in_sync.wait(20)
    assert not answered.is_set()
    assert numbers(tmp_path) == [0, 1], "written, and yet not answered"
    disk.gate.set()
    thread.join(20)
    assert answered.is_set()
    spool.close()


def test_every_commit_is_write_then_sync_then_head(tmp_path: Path) -> None:
    disk = Disk()
    spool = new_spool(tmp_path, disk)
    for number in range(3):
        spool.append_strict(event(number))
    spool.close()
    calls = [call for call in disk.log if call != "synced"]
    begin = ["make_folder", "create", "rewrite", "sync", "create"]
    commit = ["write", "sync", "rewrite"]
    assert calls == [*begin, *commit * 4, "sync"]


def test_waiting_strict_callers_share_one_sync(tmp_path: Path) -> None:
    disk = Disk()
    spool = new_spool(tmp_path, disk)
    spool.append_strict(event(0))
    disk.gate = threading.Event()
    disk.in_sync.clear()
    threads = [threading.Thread(target=spool.append_strict, args=(event(n),)) for n in range(1, 9)]
    threads[0].start()
    assert disk.in_sync.wait(20)
    for thread in threads[1:]:
        thread.start()
    while spool.stats().queued < 8:
        os.sched_yield()
    disk.gate.set()
    for thread in threads:
        thread.join(20)
    assert spool.stats().commits == 3, (
        "the first, the one held at the gate, and one for the other seven"
    )
    spool.close()


def test_batched_events_wait_for_the_interval_and_a_strict_one_takes_them_along(
    tmp_path: Path,
) -> None:
    spool = new_spool(tmp_path, commit_interval_s=3600)
    for number in range(5):
        spool.append(event(number))
    assert spool.stats().events == 0
    spool.append_strict(event(5))
    assert spool.stats().events == 6
    assert spool.stats().commits == 1
    spool.append(event(6))
    spool.flush()
    assert spool.stats().events == 7
    spool.append(event(7))
    spool.close()
    assert numbers(tmp_path) == list(range(8))


def test_eight_threads(tmp_path: Path) -> None:
    spool = new_spool(tmp_path, segment_bytes=20_000, max_bytes=10_000_000)

    def work(first: int) -> None:
        for number in range(first, first + 100):
            (spool.append_strict if number % 10 == 0 else spool.append)(event(number))

    threads = [threading.Thread(target=work, args=(1000 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    spool.close()
    found = numbers(tmp_path)
    assert sorted(found) == [1000 * n + k for n in range(8) for k in range(100)]
    for n in range(8):
        mine = [number for number in found if number // 1000 == n]
        assert mine == sorted(mine), "each thread's events stay in its order"
    assert verify(tmp_path, KEY).ok


def test_async_callers_in_two_loops_do_not_block_them(tmp_path: Path) -> None:
    disk = Disk()
    spool = new_spool(tmp_path, disk)
    spool.append_strict(event(-1))
    gate = disk.gate = threading.Event()
    ticks: list[int] = []

    async def main(first: int) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(first, first + 20):
                group.create_task(spool.append_strict_async(event(number)))
            for tick in range(10):
                await asyncio.sleep(0)
                ticks.append(tick)
            gate.set()

    threads = [threading.Thread(target=asyncio.run, args=(main(first),)) for first in (0, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(ticks) == 20
    spool.close()
    assert sorted(numbers(tmp_path)) == [-1, *range(20), *range(100, 120)]


def test_a_cancelled_async_caller_harms_nobody(tmp_path: Path) -> None:
    disk = Disk()
    spool = new_spool(tmp_path, disk)
    spool.append_strict(event(0))
    gate = disk.gate = threading.Event()

    async def main() -> None:
        task = asyncio.ensure_future(spool.append_strict_async(event(1)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.set()
        await spool.append_strict_async(event(2))

    asyncio.run(main())
    spool.close()
    assert numbers(tmp_path) == [0, 1, 2]


def test_a_waiter_of_a_closed_loop_is_passed_over() -> None:
    async def make() -> LoopWaiter:
        return LoopWaiter()

    waiter = asyncio.run(make())
    waiter.resolve(None)
    assert not waiter.future.done()


def test_a_disk_that_does_not_answer_in_time_refuses_strict_events(tmp_path: Path) -> None:
    disk = Disk()
    spool = new_spool(tmp_path, disk, strict_timeout_s=0.05)
    disk.gate = threading.Event()
    with pytest.raises(AuditUnavailable, match=r"did not answer in 0\.05 s"):
        spool.append_strict(event(0))
    with pytest.raises(AuditUnavailable, match="did not answer"):
        asyncio.run(spool.append_strict_async(event(1)))
    with pytest.raises(AuditUnavailable, match="does not keep up"):
        spool.flush(timeout_s=0.05)
    disk.gate.set()
    spool.close()
    assert numbers(tmp_path) == [0, 1], "refused, and kept all the same"


def test_a_closed_spool_takes_nothing(tmp_path: Path) -> None:
    spool = new_spool(tmp_path)
    spool.append(event(0))
    spool.close()
    spool.close()
    for late in (spool.append, spool.append_strict):
        with pytest.raises(AuditUnavailable, match="closed"):
            late(event(1))
    assert spool.stats().lost == 0
    unused = new_spool(tmp_path)
    unused.close()
    with pytest.raises(AuditUnavailable, match="closed"):
        unused.append(event(1))
    assert numbers(tmp_path) == [0]


def test_what_is_no_event_is_refused_at_once(tmp_path: Path) -> None:
    spool = new_spool(tmp_path)
    with pytest.raises(TypeError):
        spool.append({"x": object()})
    with pytest.raises(TooLarge, match="shorten it"):
        spool.append({"x": "x" * frame.MAX_EVENT_BYTES})
    spool.append_strict({"x": "x" * (frame.MAX_EVENT_BYTES - 10)})
    spool.close()
    assert verify(tmp_path, KEY).ok


def test_an_event_is_taken_as_it_was_at_the_call(tmp_path: Path) -> None:
    spool = new_spool(tmp_path, commit_interval_s=3600)
    mine = event(0)
    spool.append(mine)
    mine["n"] = 99
    spool.close()
    assert numbers(tmp_path) == [0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key": b"short"}, "at least 32 bytes"),
        ({"max_bytes": 100, "segment_bytes": 60}, "at least twice"),
        ({"segment_bytes": 0}, "at least twice"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadSettings, match=message):
        Spool(tmp_path, **{"key": KEY, "node": "n", **options})


def test_the_key_is_in_no_repr(tmp_path: Path) -> None:
    assert repr(KEY) not in repr(new_spool(tmp_path))
    assert repr(KEY) not in repr(frame.Seal(KEY, "c"))


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    chain = write_chain(tmp_path / "deep" / "spool", 1)
    assert stat.S_IMODE(chain.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in chain.iterdir()} == {0o600}


def test_descriptors_and_threads_are_given_back(tmp_path: Path) -> None:
    """Only those of this folder are looked at: what ran before in this process may still close
    its own."""
    for _ in range(3):
        write_chain(tmp_path, 2)
    gc.collect()
    assert open_below(tmp_path) == []
    assert not spool_threads()


def open_below(folder: Path) -> list[str]:
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(str(descriptor.readlink()))
    return [name for name in found if name.startswith(str(folder))]


def test_short_writes_are_continued(tmp_path: Path) -> None:
    disk = Disk()
    disk.most_bytes = 7
    write_chain(tmp_path, 3, disk=disk)
    assert verify(tmp_path, KEY).ok
    assert numbers(tmp_path) == [0, 1, 2]


def test_stats_count(tmp_path: Path) -> None:
    spool = new_spool(tmp_path)
    for number in range(3):
        spool.append_strict(event(number))
    stats = spool.stats()
    assert (stats.events, stats.commits, stats.queued, stats.lost, stats.dropped) == (3, 3, 0, 0, 0)
    assert stats.bytes == segment_files(newest(tmp_path))[0].stat().st_size
    spool.close()
