from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from tests.sdk.drivers.spool.spool_lab import (
    KEY,
    Disk,
    all_lines,
    event,
    new_spool,
    newest,
    recovered,
    segment_files,
    write_chain,
)

from nexus_sdk.drivers.spool import bounds, events, verify
from nexus_sdk.drivers.spool.chain import MAX_OTHERS
from nexus_sdk.errors import AuditUnavailable

if TYPE_CHECKING:
    from pathlib import Path

TIGHT: dict[str, Any] = {"segment_bytes": 5_000, "max_bytes": 20_000}


def size_of(directory: Path) -> int:
    """The writer may remove a file while it is looked at."""
    total = 0
    for path in directory.rglob("*.jsonl"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def dropped_records(chain: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line)["dropped"] for line in all_lines(chain) if b'","dropped":' in line]


def later(ticks: int) -> Disk:
    disk = Disk()
    disk.ticks = ticks
    return disk


def test_segments_rotate_at_their_bound(tmp_path: Path) -> None:
    chain = write_chain(tmp_path, 60, segment_bytes=5_000, max_bytes=10**9)
    sizes = [path.stat().st_size for path in segment_files(chain)]
    assert len(sizes) > 3
    assert all(size < 5_000 + 400 for size in sizes), "the trailer comes on top"
    assert all(size > 4_000 for size in sizes[:-1])
    report = verify(tmp_path, KEY)
    assert report.ok
    assert report.events == 60


def test_an_event_larger_than_a_segment_gets_one_of_its_own(tmp_path: Path) -> None:
    spool = new_spool(tmp_path, segment_bytes=2_000, max_bytes=10**9)
    for number, size in enumerate((10, 5_000, 10, 6_000)):
        spool.append(event(number, "x" * size))
    spool.close()
    assert verify(tmp_path, KEY).ok
    assert [entry.event["n"] for entry in events(tmp_path)] == [0, 1, 2, 3]


def test_the_directory_stays_within_its_bound_and_the_loss_is_declared(tmp_path: Path) -> None:
    spool = new_spool(tmp_path, **TIGHT)
    for number in range(300):
        spool.append_strict(event(number))
        assert size_of(tmp_path) <= TIGHT["max_bytes"]
    spool.close()
    kept = [entry.event["n"] for entry in events(tmp_path)]
    assert kept == list(range(300 - len(kept), 300)), "the oldest go first"
    assert len(kept) > 15
    report = verify(tmp_path, KEY)
    assert report.ok, report.all_problems
    (chain,) = report.chains
    assert chain.dropped == 300 - len(kept) == spool.stats().dropped
    assert any("were dropped to keep the bound; declared" in note for note in chain.notes)


def test_a_declaration_names_segment_events_and_ends(tmp_path: Path) -> None:
    spool = new_spool(tmp_path, **TIGHT)
    first_lines: list[bytes] = []
    number = 0
    while not spool.stats().dropped:
        if not first_lines and number and len(segment_files(newest(tmp_path))) > 1:
            first_lines = segment_files(newest(tmp_path))[0].read_bytes().splitlines()
        spool.append_strict(event(number))
        number += 1
    spool.close()
    record = dropped_records(newest(tmp_path))[0]
    assert record["chain"] == newest(tmp_path).name
    assert record["segment"] == 1
    assert record["events"] == len(first_lines) - 2
    assert (record["first_seq"], record["last_seq"]) == (1, len(first_lines))
    assert record["last_mac"] == orjson.loads(first_lines[-1])["mac"]
    assert record["bytes"] == sum(len(line) + 1 for line in first_lines)


def test_a_removal_beyond_the_declared_is_told_apart(tmp_path: Path) -> None:
    chain = write_chain(tmp_path, 300, **TIGHT)
    segment_files(chain)[0].unlink()
    (problem,) = verify(tmp_path, KEY).all_problems
    assert problem.kind == "missing segment"


def test_chains_of_dead_processes_go_first_and_wholly(tmp_path: Path) -> None:
    first = new_spool(tmp_path, **TIGHT)
    for number in range(60):
        first.append_strict(event(number))
    first.close()
    old = newest(tmp_path)
    for path in segment_files(old):
        os.utime(path, (1, 1))
    spool = new_spool(tmp_path, later(10**8), **TIGHT)
    for number in range(1000, 1100):
        spool.append_strict(event(number))
    spool.close()
    assert not old.exists()
    report = verify(tmp_path, KEY)
    assert report.ok, report.all_problems
    assert first.stats().dropped + spool.stats().dropped + report.events == 160
    assert dropped_records(newest(tmp_path))


def test_the_declarations_of_a_chain_that_goes_are_inherited(tmp_path: Path) -> None:
    """The first tells of its own drops; the second drops it as a whole and still tells of all of
    it."""
    first = write_chain(tmp_path, 100, **TIGHT)
    for path in segment_files(first):
        os.utime(path, (1, 1))
    second = new_spool(tmp_path, later(10**8), **TIGHT)
    for number in range(100):
        second.append_strict(event(number))
    second.close()
    assert not first.exists()
    last = segment_files(newest(tmp_path))[-1]
    header = orjson.loads(last.read_bytes().splitlines()[0])["header"]
    assert header["declared"][first.name]["whole"]
    assert header["declared"][first.name]["events"] == 100
    assert verify(tmp_path, KEY).ok


def test_a_living_writers_open_segment_is_left_and_its_growth_reserved(tmp_path: Path) -> None:
    alive = new_spool(tmp_path, **TIGHT)
    alive.append_strict(event(0))
    chain = newest(tmp_path)
    os.utime(segment_files(chain)[0], (1, 1))
    second = new_spool(tmp_path, later(10**8), **TIGHT)
    for number in range(1, 200):
        second.append_strict(event(number))
        assert size_of(tmp_path) <= TIGHT["max_bytes"] - TIGHT["segment_bytes"] + 1_000
    alive.append_strict(event(1000))
    alive.close()
    second.close()
    report = verify(tmp_path, KEY)
    assert report.ok, report.all_problems
    assert [chain.dropped > 0 for chain in report.chains] == [False, True]


def test_a_drop_that_cannot_be_carried_out_is_tried_again(tmp_path: Path) -> None:
    disk = Disk()
    spool = new_spool(tmp_path, disk, **TIGHT)
    disk.break_down("remove")
    for number in range(120):
        spool.append_strict(event(number))
    assert size_of(tmp_path) > TIGHT["max_bytes"]
    assert verify(tmp_path, KEY).ok
    disk.repair()
    for number in range(120, 240):
        spool.append_strict(event(number))
    assert size_of(tmp_path) <= TIGHT["max_bytes"]
    spool.close()
    report = verify(tmp_path, KEY)
    assert report.ok, report.all_problems
    assert report.chains[0].dropped + report.events == 240
    assert spool.stats().dropped == report.chains[0].dropped


def test_an_abandoned_segment_is_dropped_by_what_counted(tmp_path: Path) -> None:
    disk = Disk()
    spool = new_spool(tmp_path, disk, **TIGHT)
    spool.append_strict(event(0))
    disk.break_down("sync", times=1)
    with pytest.raises(AuditUnavailable):
        spool.append_strict(event(1))
    recovered(spool)
    for number in range(2, 300):
        spool.append_strict(event(number))
    spool.close()
    report = verify(tmp_path, KEY)
    assert report.ok, report.all_problems
    assert report.chains[0].dropped + report.events == 300


def test_only_so_many_gone_chains_and_other_chains_are_remembered(tmp_path: Path) -> None:
    rows = {
        f"chain-{number:04}": {"through": 1, "events": 1, "last_seq": 1, "whole": True}
        for number in range(400)
    }
    _, kept = bounds.describe([], rows, KEY, {})
    assert list(kept) == [f"chain-{number:04}" for number in range(400 - bounds.MAX_DECLARED, 400)]
    for number in range(MAX_OTHERS + 3):
        write_chain(tmp_path, 1, disk=later(number * 10**6))
    header = orjson.loads(next(iter(all_lines(newest(tmp_path)))))["header"]
    assert len(header["others"]) == MAX_OTHERS
    assert min(header["others"]) > min(path.name for path in tmp_path.iterdir())
    assert verify(tmp_path, KEY).ok


def test_a_forged_segment_that_is_dropped_excuses_nothing(tmp_path: Path) -> None:
    """Genuine segments are removed, and files planted that the bound will drop soon."""
    old = write_chain(tmp_path, 12, **TIGHT)
    genuine = segment_files(old)[0].read_bytes()
    segment_files(old)[0].unlink()
    (old / "00000099.jsonl").write_bytes(genuine.replace(b'"segment":1,', b'"segment":99,'))
    planted = tmp_path / "20250101T000000.000000Z-1-00000000"
    planted.mkdir()
    row = {"through": 99, "events": 0, "last_seq": 10**6, "whole": True}
    table = orjson.dumps({old.name: row})
    (planted / "00000001.jsonl").write_bytes(
        genuine.replace(b'"declared":{}', b'"declared":' + table)
    )
    (planted / "head.json").write_bytes((old / "head.json").read_bytes())
    for path in tmp_path.rglob("*.jsonl"):
        os.utime(path, (1, 1))
    spool = new_spool(tmp_path, later(10**8), **TIGHT)
    while planted.exists() or old.exists():
        spool.append_strict(event(1))
    spool.close()
    (problem,) = verify(tmp_path, KEY).all_problems
    assert (problem.kind, problem.spot.file) == ("missing chain", old.name)


@pytest.mark.parametrize("rest", [b"", b'{"seq":9,"at":"20'])
def test_a_dead_chain_with_a_torn_last_segment_goes_without_a_false_alarm(
    tmp_path: Path, rest: bytes
) -> None:
    old = write_chain(tmp_path, 12, **TIGHT)
    (old / "00000002.jsonl").write_bytes(rest)
    for path in segment_files(old):
        os.utime(path, (1, 1))
    spool = new_spool(tmp_path, later(10**8), **TIGHT)
    while old.exists():
        spool.append_strict(event(1))
    spool.close()
    assert verify(tmp_path, KEY).ok


def test_lines_that_did_not_verify_are_noted_when_they_go(tmp_path: Path) -> None:
    old = write_chain(tmp_path, 12, **TIGHT)
    path = segment_files(old)[0]
    path.write_bytes(path.read_bytes().replace(b'"e7"', b'"e0"'))
    os.utime(path, (1, 1))
    spool = new_spool(tmp_path, later(10**8), **TIGHT)
    while old.exists():
        spool.append_strict(event(1))
    spool.close()
    notes = [note for chain in verify(tmp_path, KEY).chains for note in chain.notes]
    assert f"segment 1 of {old.name} had 1 lines that did not verify when it was dropped" in notes
