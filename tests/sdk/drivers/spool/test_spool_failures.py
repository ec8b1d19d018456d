"""A failing disk: strict callers hear of it, batched events wait, what is lost is counted, and no
file is trusted again after it failed."""

from __future__ import annotations

import asyncio
import errno
import threading
from typing import TYPE_CHECKING

import pytest
from tests.sdk.drivers.spool.spool_lab import (
    KEY,
    Disk,
    event,
    new_spool,
    newest,
    recovered,
    segment_files,
)

from nexus_sdk.drivers.spool import engine, events, pending, verify
from nexus_sdk.errors import AuditUnavailable

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "FIRST_DELAY_S", 0.001)
    monkeypatch.setattr(engine, "MAX_DELAY_S", 0.01)
    monkeypatch.setattr(pending, "ROOM_WAIT_S", 0.01)


def numbers(directory: Path) -> list[int]:
    return [entry.event["n"] for entry in events(directory)]


@pytest.mark.parametrize("call", ["write", "sync", "create"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_recovery_without_loss_or_duplicate(tmp_path: Path, call: str, code: int) -> None:
    disk = Disk()
    spool = new_spool(tmp_path, disk, segment_bytes=3_000, max_bytes=10**6)
    spool.append_strict(event(0))
    disk.break_down(call, "create", code=code)
    disk.break_down("write", code=code)
    with pytest.raises(AuditUnavailable, match="Free or repair the disk") as caught:
        spool.append_strict(event(1))
    assert caught.value.status == 503
    assert spool.degraded
    spool.append(event(2))
    disk.repair()
    recovered(spool)
    spool.append_strict(event(3))
    assert not spool.degraded
    spool.close()
    assert numbers(tmp_path) == [0, 1, 2, 3]
    report = verify(tmp_path, KEY)
    assert report.ok, report.all_problems
    assert report.chains[0].events == 4
    assert any("was given up after seq 2" in note for note in report.chains[0].notes)


def test_a_file_whose_sync_failed_gets_no_other_byte_and_its_tail_is_void(tmp_path: Path) -> None:
    disk = Disk()
    spool = new_spool(tmp_path, disk)
    spool.append_strict(event(0))
    first = segment_files(newest(tmp_path))[0]
    disk.break_down("sync", times=1)
    with pytest.raises(AuditUnavailable):
        spool.append_strict(event(1))
    recovered(spool)
    spool.append_strict(event(2))
    size = first.stat().st_size
    for number in range(3, 6):
        spool.append_strict(event(number))
    spool.close()
    assert first.stat().st_size == size
    assert b'"id":"e1"' in first.read_bytes(), "it was written there, but never committed"
    assert numbers(tmp_path) == [0, 1, 2, 3, 4, 5], "and so it counts once, where it was committed"
    assert verify(tmp_path, KEY).ok
    first.write_bytes(first.read_bytes().replace(b'"id":"e1"', b'"id":"x1"'))
    assert verify(tmp_path, KEY).ok, "what is void proves nothing either way"


def test_the_first_commit_fails(tmp_path: Path) -> None:
    for call in ("make_folder", "create", "rewrite", "write", "sync"):
        disk = Disk()
        disk.break_down(call, times=2)
        spool = new_spool(tmp_path / call, disk)
        with pytest.raises(AuditUnavailable):
            spool.append_strict(event(0))
        disk.repair()
        recovered(spool)
        spool.append_strict(event(1))
        spool.close()
        assert numbers(tmp_path / call) == [0, 1]
        assert verify(tmp_path / call, KEY).ok
        assert len(list((tmp_path / call).iterdir())) == 1, "no half-made chain is left"


def test_failed_tries_leave_no_files(tmp_path: Path) -> None:
    disk = Disk()
    spool = new_spool(tmp_path, disk)
    spool.append_strict(event(0))
    disk.break_down("sync")
    for number in range(1, 6):
        with pytest.raises(AuditUnavailable):
            spool.append_strict(event(number))
    disk.repair()
    recovered(spool)
    spool.append_strict(event(6))
    spool.close()
    assert len(segment_files(newest(tmp_path))) == 2
    assert verify(tmp_path, KEY).ok


def test_files_that_cannot_be_removed_either_are_void(tmp_path: Path) -> None:
    disk = Disk()
    spool = new_spool(tmp_path, disk)
    spool.append_strict(event(0))
    disk.break_down("sync", "remove")
    for number in (1, 2):
        with pytest.raises(AuditUnavailable):
            spool.append_strict(event(number))
    disk.repair()
    recovered(spool)
    spool.append_strict(event(3))
    spool.close()
    assert numbers(tmp_path) == [0, 1, 2, 3]
    report = verify(tmp_path, KEY)
    assert report.ok, report.all_problems
    assert any("is void" in note for note in report.chains[0].notes)


def test_async_callers_hear_of_it(tmp_path: Path) -> None:
    disk = Disk()
    disk.break_down("write")
    spool = new_spool(tmp_path, disk)

    async def main() -> None:
        for number in range(3):
            with pytest.raises(AuditUnavailable):
                await spool.append_strict_async(event(number))
        disk.repair()
        recovered(spool)
        await spool.append_strict_async(event(3))

    asyncio.run(main())
    spool.close()
    assert numbers(tmp_path) == [0, 1, 2, 3]


def test_an_overflow_is_counted_exactly_and_told_in_the_chain(tmp_path: Path) -> None:
    disk = Disk()
    spool = new_spool(tmp_path, disk, queue_events=10)
    spool.append_strict(event(0))
    disk.break_down("write")
    with pytest.raises(AuditUnavailable):
        spool.append_strict(event(1))
    for number in range(2, 30):
        spool.append(event(number))
    with pytest.raises(AuditUnavailable, match="queue is full"):
        spool.append_strict(event(30))
    with pytest.raises(AuditUnavailable, match="queue is full"):
        asyncio.run(spool.append_strict_async(event(31)))
    assert spool.degraded
    assert spool.stats().lost == 19
    disk.repair()
    recovered(spool)
    spool.flush()
    spool.append_strict(event(32))
    assert not spool.degraded
    spool.close()
    assert numbers(tmp_path) == [*range(11), 32]
    report = verify(tmp_path, KEY)
    assert report.ok
    assert report.chains[0].lost == 19
    assert any(note.startswith("19 events were lost from 2026-") for note in report.chains[0].notes)
    (gap,) = [
        line
        for path in segment_files(newest(tmp_path))
        for line in path.read_bytes().splitlines()
        if b'"gap":' in line
    ]
    assert b'"events":19,' in gap


def test_a_full_queue_makes_callers_wait_while_the_disk_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "ROOM_WAIT_S", 20.0)
    disk = Disk()
    spool = new_spool(tmp_path, disk, queue_events=4)
    spool.append_strict(event(0))
    disk.gate = threading.Event()
    for number in range(1, 5):
        spool.append(event(number))
    done = threading.Event()

    def work() -> None:
        spool.append(event(5))
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert disk.in_sync.wait(20)
    assert not done.is_set()
    disk.gate.set()
    thread.join(20)
    assert done.is_set()
    spool.close()
    assert numbers(tmp_path) == list(range(6))
    assert spool.stats().lost == 0


def test_a_disk_that_hangs_costs_one_caller_the_wait_and_loses_no_count(tmp_path: Path) -> None:
    disk = Disk()
    spool = new_spool(tmp_path, disk, queue_events=4)
    spool.append_strict(event(0))
    disk.gate = threading.Event()
    for number in range(1, 12):
        spool.append(event(number))
    assert spool.stats().lost == 7
    assert spool.degraded
    disk.gate.set()
    spool.flush()
    spool.close()
    assert numbers(tmp_path) == [0, 1, 2, 3, 4]
    assert verify(tmp_path, KEY).chains[0].lost == 7


def test_an_event_larger_than_the_queue_fits_alone(tmp_path: Path) -> None:
    spool = new_spool(tmp_path, queue_bytes=10)
    spool.append_strict(event(0, "x" * 1000))
    spool.close()
    assert numbers(tmp_path) == [0]


def test_closing_tries_once_more_and_tells_what_it_gives_up(tmp_path: Path) -> None:
    disk = Disk()
    spool = new_spool(tmp_path, disk)
    spool.append_strict(event(0))
    disk.break_down("write", "create")
    for number in (1, 2):
        with pytest.raises(AuditUnavailable):
            spool.append_strict(event(number))
    with pytest.raises(AuditUnavailable, match="closed with 2 events unwritten"):
        spool.close()
    assert verify(tmp_path, KEY).ok


def test_closing_after_the_disk_was_repaired_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "MAX_DELAY_S", 3600.0)
    monkeypatch.setattr(engine, "FIRST_DELAY_S", 3600.0)
    disk = Disk()
    disk.break_down("write", times=1)
    spool = new_spool(tmp_path, disk)
    with pytest.raises(AuditUnavailable):
        spool.append_strict(event(0))
    spool.close()
    assert numbers(tmp_path) == [0]


def test_the_trailer_fails(tmp_path: Path) -> None:
    disk = Disk()
    spool = new_spool(tmp_path, disk)
    spool.append_strict(event(0))
    disk.break_down("write")
    with pytest.raises(AuditUnavailable, match="0 events unwritten"):
        spool.close()
    assert verify(tmp_path, KEY).ok


def test_a_head_that_cannot_be_written_is_no_loss_but_is_seen(tmp_path: Path) -> None:
    disk = Disk()
    spool = new_spool(tmp_path, disk)
    spool.append_strict(event(0))
    spool.append_strict(event(1))
    disk.break_down("rewrite")
    spool.append_strict(event(2))
    spool.append_strict(event(3))
    assert spool.degraded
    disk.repair()
    spool.append_strict(event(4))
    spool.append_strict(event(5))
    assert not spool.degraded
    spool.close()
    assert verify(tmp_path, KEY).ok


def test_a_fault_of_our_own_does_not_kill_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk()
    spool = new_spool(tmp_path, disk)
    spool.append_strict(event(0))
    with monkeypatch.context() as patch:
        patch.setattr(disk, "write", None)
        with pytest.raises(AuditUnavailable, match="TypeError"):
            spool.append_strict(event(1))
    recovered(spool)
    spool.append_strict(event(2))
    spool.close()
    assert numbers(tmp_path) == [0, 1, 2]


@pytest.mark.parametrize("how", ["removed", "renamed", "replaced"])
def test_a_segment_taken_away_is_noticed_at_the_next_commit(tmp_path: Path, how: str) -> None:
    spool = new_spool(tmp_path)
    spool.append_strict(event(0))
    spool.append_strict(event(1))
    chain = newest(tmp_path)
    path = segment_files(chain)[0]
    if how == "removed":
        path.unlink()
    else:
        path.rename(tmp_path / "elsewhere")
    if how == "replaced":
        path.write_bytes(b"")
    spool.append_strict(event(2))
    spool.close()
    assert numbers(tmp_path) == [2]
    (report,) = verify(tmp_path, KEY).chains
    assert report.problems
    assert report.problems[0].kind == ("truncated" if how == "replaced" else "missing segment")
    assert any("segment 1 was gone, with 2 events" in note for note in report.notes)


def test_a_disk_that_takes_no_bytes(tmp_path: Path) -> None:
    class Deaf(Disk):
        def write(self, fd: int, data: bytes | memoryview) -> int:
            super().write(fd, b"")
            return 0

    spool = new_spool(tmp_path, Deaf())
    with pytest.raises(AuditUnavailable, match="takes no bytes"):
        spool.append_strict(event(0))
    with pytest.raises(AuditUnavailable, match="1 events unwritten"):
        spool.close()
