from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.sdk.drivers.spool.spool_lab import (
    Disk,
    event,
    new_spool,
    newest,
    segment_files,
    write_chain,
)

from nexus_sdk.drivers.spool import Entry, chains, events, tail

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SMALL: dict[str, Any] = {"segment_bytes": 1_000, "max_bytes": 10**6}


def later(ticks: int) -> Disk:
    disk = Disk()
    disk.ticks = ticks
    return disk


def numbers(entries: object) -> list[int]:
    return [entry.event["n"] for entry in entries]  # type: ignore[attr-defined]


def test_nothing_to_read(tmp_path: Path) -> None:
    assert chains(tmp_path / "none") == []
    assert list(events(tmp_path / "none")) == []
    assert list(tail(tmp_path / "none")) == []


def test_entries_carry_their_place(tmp_path: Path) -> None:
    chain = write_chain(tmp_path, 4, **SMALL)
    assert chains(tmp_path) == [chain]
    found = list(events(tmp_path))
    assert [(entry.chain, entry.segment, entry.seq) for entry in found] == [
        (chain.name, 1, 2),
        (chain.name, 1, 3),
        (chain.name, 2, 6),
        (chain.name, 2, 7),
    ]
    assert [entry.at for entry in found] == sorted(entry.at for entry in found)


def test_chains_are_merged_by_time(tmp_path: Path) -> None:
    disk = Disk()
    one, two = new_spool(tmp_path, disk), new_spool(tmp_path, disk)
    for number in range(20):
        (one if number % 3 else two).append_strict(event(number))
    one.close()
    two.close()
    write_chain(tmp_path, 2, disk=later(10**7))
    assert numbers(events(tmp_path)) == [*range(20), 0, 1]


def test_since_after_and_where(tmp_path: Path) -> None:
    chain = write_chain(tmp_path, 30, **SMALL)
    everything = list(events(tmp_path))
    for entry in everything:
        assert numbers(events(tmp_path, since=entry.at)) == list(range(entry.event["n"], 30))
        assert numbers(events(tmp_path, after={chain.name: entry.seq})) == list(
            range(entry.event["n"] + 1, 30)
        )
    assert numbers(events(tmp_path, since="2026-02")) == list(range(30))
    assert list(events(tmp_path, since="2027")) == []
    assert numbers(
        events(tmp_path, after={"another": 99}, where=lambda found: found["n"] % 10 == 0)
    ) == [0, 10, 20]


def test_segments_before_the_asked_are_not_read(tmp_path: Path) -> None:
    chain = write_chain(tmp_path, 30, **SMALL)
    last = list(events(tmp_path))[-1]
    for path in segment_files(chain)[:-2]:
        path.write_bytes(path.read_bytes()[:10] + b"\xff" * 100)
    assert numbers(events(tmp_path, since=last.at)) == [29]
    assert numbers(events(tmp_path, after={chain.name: last.seq - 1})) == [29]


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    chain = write_chain(tmp_path, 4)
    path = segment_files(chain)[0]
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'{"id"', b"{'id'")
    lines[3] = b"\x00garbage\n"
    path.write_bytes(b"".join(lines) + b'{"seq":9')
    assert numbers(events(tmp_path)) == [0, 3]
    assert numbers(tail(tmp_path)) == [0, 3]


def test_a_damaged_header_hides_no_event(tmp_path: Path) -> None:
    chain = write_chain(tmp_path, 6, **SMALL)
    for path in segment_files(chain):
        path.write_bytes(
            path.read_bytes()
            .replace(b'"previous"', b'"previews"')
            .replace(b'"header"', b'"leader"', 1)
        )
    assert numbers(events(tmp_path)) == list(range(6))


def test_a_segment_that_vanishes_while_reading(tmp_path: Path) -> None:
    chain = write_chain(tmp_path, 6, **SMALL)
    reading = events(tmp_path)
    first = next(reading)
    assert first.event["n"] == 0
    segment_files(chain)[1].unlink()
    assert numbers(reading) == [1, 4, 5]


def test_tail(tmp_path: Path) -> None:
    write_chain(tmp_path, 30, **SMALL)
    write_chain(tmp_path, 2, disk=later(10**7))
    assert numbers(tail(tmp_path, count=3)) == [29, 0, 1]
    assert numbers(tail(tmp_path, count=0)) == []
    assert numbers(tail(tmp_path, count=20)) == [*range(12, 30), 0, 1]
    assert len(list(tail(tmp_path, count=1000))) == 32


def test_tail_follows_into_new_segments_and_new_chains(tmp_path: Path) -> None:
    spool = new_spool(tmp_path, **SMALL)
    for number in range(5):
        spool.append_strict(event(number))
    steps: Iterator[Any] = iter([[5], [], [6, 7, 8, 9], "another", None])

    def follow() -> bool:
        step = next(steps)
        if step == "another":
            write_chain(tmp_path, 1, disk=later(10**7))
        elif step is None:
            return False
        else:
            for number in step:
                spool.append_strict(event(number))
        return True

    assert numbers(tail(tmp_path, count=2, follow=follow)) == [3, 4, 5, 6, 7, 8, 9, 0]
    spool.close()


def test_tail_does_not_take_half_a_line(tmp_path: Path) -> None:
    chain = write_chain(tmp_path, 2)
    path = segment_files(chain)[0]
    whole = path.read_bytes()
    cut = whole.index(b'"id":"e1"')
    path.write_bytes(whole[:cut])
    seen: list[Entry] = []

    def follow() -> bool:
        if path.read_bytes() == whole:
            return False
        path.write_bytes(whole)
        return True

    seen.extend(tail(tmp_path, follow=follow))
    assert numbers(seen) == [0, 1]
    assert newest(tmp_path) == chain
