"""Everything that can be done to a spool's files without its key is found, and its place named."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from tests.sdk.drivers.spool.spool_lab import (
    KEY,
    OTHER_KEY,
    Disk,
    event,
    new_spool,
    newest,
    segment_files,
    write_chain,
)

from nexus_sdk.drivers.spool import Problem, verify
from nexus_sdk.drivers.spool.frame import Seal, Tip, parse, stamp
from nexus_sdk.drivers.spool.scan import MAX_PROBLEMS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SMALL: dict[str, Any] = {"segment_bytes": 1_000, "max_bytes": 1_000_000}
"""Six events make three segments."""


def found(directory: Path) -> list[Problem]:
    return list(verify(directory, KEY).all_problems)


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    folder = write_chain(tmp_path / "spool", 6, **SMALL)
    assert len(segment_files(folder)) == 3
    assert found(folder.parent) == []
    return folder


def test_every_flipped_byte_is_found_and_located(tmp_path: Path) -> None:
    chain = write_chain(tmp_path / "spool", 2, segment_bytes=750, max_bytes=100_000)
    assert len(segment_files(chain)) == 2
    for path in chain.iterdir():
        whole = path.read_bytes()
        starts = [0]
        for line in whole.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        for place in range(len(whole)):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            problems = found(tmp_path / "spool")
            assert problems, f"byte {place} of {path.name}"
            first = problems[0]
            assert first.spot.file == f"{chain.name}/{path.name}", f"byte {place}: {first}"
            if path.name != "head.json":
                number = sum(start <= place for start in starts[:-1])
                assert (first.spot.line, first.spot.offset) == (number, starts[number - 1]), (
                    f"byte {place}: {first}"
                )
                assert first.kind in {"changed", "removed"}
        path.write_bytes(whole)
    assert found(tmp_path / "spool") == []


def test_a_changed_line_is_one_problem_with_its_seq(chain: Path) -> None:
    path = segment_files(chain)[1]
    lines = lines_of(path)
    lines[1] = lines[1].replace(b'"n":', b'"m":')
    path.write_bytes(b"".join(lines))
    (problem,) = found(chain.parent)
    line = parse(lines[1])
    assert line is not None
    assert (problem.kind, problem.seq, problem.spot.line) == ("changed", line.seq, 2)
    assert problem.spot.offset == len(lines[0])
    assert str(problem).startswith(f"{chain.name}/{path.name}:2 (byte {len(lines[0])}): changed: ")


@pytest.mark.parametrize("segment", [0, 1, 2])
@pytest.mark.parametrize("index", [0, 1, 2, 3])
def test_a_removed_line(chain: Path, segment: int, index: int) -> None:
    path = segment_files(chain)[segment]
    lines = lines_of(path)
    gone = parse(lines.pop(index))
    assert gone is not None
    path.write_bytes(b"".join(lines))
    (problem,) = found(chain.parent)
    is_last = index == len(lines)
    assert problem.kind == ("truncated" if is_last else "removed")
    assert problem.seq == gone.seq
    assert problem.spot.file.endswith(path.name)
    assert problem.spot.line == index + 1
    assert f"1 records are gone from {gone.seq} to {gone.seq}" in problem.reason


def test_a_line_removed_beside_a_changed_one(chain: Path) -> None:
    path = segment_files(chain)[0]
    lines = lines_of(path)
    path.write_bytes(lines[0] + b"{}\n" + lines[3])
    assert [(problem.kind, problem.seq) for problem in found(chain.parent)] == [
        ("changed", 2),
        ("removed", 2),
    ]


def test_swapped_lines(chain: Path) -> None:
    path = segment_files(chain)[1]
    lines = lines_of(path)
    lines[1], lines[2] = lines[2], lines[1]
    path.write_bytes(b"".join(lines))
    (problem,) = found(chain.parent)
    assert (problem.kind, problem.spot.line) == ("reordered", 3)


def test_a_doubled_line(chain: Path) -> None:
    path = segment_files(chain)[1]
    lines = lines_of(path)
    path.write_bytes(b"".join([*lines[:3], lines[1], *lines[3:]]))
    (problem,) = found(chain.parent)
    assert (problem.kind, problem.spot.line) == ("inserted", 4)
    assert "second copy" in problem.reason


@pytest.mark.parametrize("index", [0, 1, 4])
def test_an_inserted_line(chain: Path, index: int) -> None:
    forged, _ = Seal(OTHER_KEY, chain.name).line(Tip(2, "0" * 64), stamp(0), "event", b"{}")
    path = segment_files(chain)[2]
    lines = lines_of(path)
    path.write_bytes(b"".join([*lines[:index], forged, *lines[index:]]))
    (problem,) = found(chain.parent)
    assert (problem.kind, problem.spot.line) == ("inserted", index + 1)


def test_a_line_of_another_chain_of_the_same_key(chain: Path) -> None:
    path = segment_files(chain)[0]
    other = write_chain(chain.parent, 2, disk=_later())
    stranger = lines_of(segment_files(other)[0])[1]
    lines = lines_of(path)
    path.write_bytes(b"".join([lines[0], stranger, *lines[2:]]))
    (problem,) = found(chain.parent)
    assert (problem.kind, problem.spot.line, problem.seq) == ("changed", 2, 2)


def test_a_void_line_of_an_abandoned_segment_cannot_stand_in(tmp_path: Path) -> None:
    """A line with the right mac and the right seq that did not come after the line before it."""
    chain = write_chain(tmp_path, 2)
    path = segment_files(chain)[0]
    lines = lines_of(path)
    branch, _ = Seal(KEY, chain.name).line(Tip(2, "f" * 64), stamp(0), "event", b"{}")
    path.write_bytes(b"".join([*lines[:2], branch, lines[3]]))
    assert [(problem.kind, problem.spot.line) for problem in found(tmp_path)] == [
        ("changed", 3),
        ("changed", 4),
    ]


@pytest.mark.parametrize("segment", [0, 1, 2])
def test_a_deleted_segment(chain: Path, segment: int) -> None:
    files = segment_files(chain)
    first = parse(lines_of(files[segment])[0])
    assert first is not None
    files[segment].unlink()
    (problem,) = found(chain.parent)
    assert (problem.kind, problem.seq) == ("missing segment", first.seq)
    assert f"segments {segment + 1} to {segment + 1}:" in problem.reason


def test_all_segments_deleted(chain: Path) -> None:
    for path in segment_files(chain):
        path.unlink()
    (problem,) = found(chain.parent)
    assert problem.kind == "missing segment"
    assert "segments 1 to 3:" in problem.reason


def test_swapped_segments(chain: Path) -> None:
    one, two, _ = segment_files(chain)
    one.rename(chain / "x")
    two.rename(one)
    (chain / "x").rename(two)
    problems = found(chain.parent)
    assert {problem.kind for problem in problems} == {"reordered"}
    assert "this file holds segment 2 of the chain" in problems[0].reason


def test_every_cut_of_the_tail_is_found(tmp_path: Path) -> None:
    chain = write_chain(tmp_path, 2)
    path = segment_files(chain)[0]
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        problems = found(tmp_path)
        assert problems, size
        assert problems[-1].kind in {"truncated", "changed"}, size


def test_a_tail_cut_at_a_line_names_what_is_gone(chain: Path) -> None:
    path = segment_files(chain)[-1]
    path.write_bytes(b"".join(lines_of(path)[:-2]))
    (problem,) = found(chain.parent)
    assert problem.kind == "truncated"
    assert "2 records are gone" in problem.reason


def test_the_end_of_an_inner_segment_cut_off(chain: Path) -> None:
    path = segment_files(chain)[0]
    path.write_bytes(b"".join(lines_of(path)[:-1]))
    (problem,) = found(chain.parent)
    assert (problem.kind, problem.spot.file, problem.spot.line) == (
        "truncated",
        f"{chain.name}/{path.name}",
        4,
    )


def test_head_removed(chain: Path) -> None:
    (chain / "head.json").unlink()
    (problem,) = found(chain.parent)
    assert (problem.kind, problem.spot.file) == ("missing head", f"{chain.name}/head.json")


def test_head_of_another_chain(chain: Path) -> None:
    other = write_chain(chain.parent, 1, disk=_later())
    shutil.copy(other / "head.json", chain / "head.json")
    assert [problem.kind for problem in found(chain.parent)] == ["changed"]


def test_a_wrong_key_is_one_problem(chain: Path) -> None:
    (problem,) = verify(chain.parent, OTHER_KEY).all_problems
    assert problem.kind == "wrong key"
    assert problem.spot.file == chain.name


def test_a_renamed_chain_is_named(chain: Path) -> None:
    chain.rename(chain.with_name("20250101T000000.000000Z-1-00000000"))
    (problem,) = found(chain.parent)
    assert chain.name in problem.reason


def test_an_unexpected_file(chain: Path) -> None:
    segment_files(chain)[1].rename(chain / "00000002.jsonl.bak")
    assert {problem.kind for problem in found(chain.parent)} == {
        "missing segment",
        "unexpected file",
    }


def _later() -> Disk:
    disk = Disk()
    disk.ticks = 10**9
    return disk


def test_a_deleted_chain_is_remembered_by_a_later_one(chain: Path) -> None:
    write_chain(chain.parent, 1, disk=_later())
    assert found(chain.parent) == []
    shutil.rmtree(chain)
    (problem,) = found(chain.parent)
    assert (problem.kind, problem.spot.file) == ("missing chain", chain.name)


def test_a_chain_set_back_with_its_old_head_is_remembered_by_a_later_one(tmp_path: Path) -> None:
    spool = new_spool(tmp_path)
    spool.append_strict(event(0))
    old = tmp_path / "old"
    chain = newest(tmp_path)
    spool.flush()
    _settled(spool)
    shutil.copytree(chain, old)
    spool.append_strict(event(1))
    spool.close()
    write_chain(tmp_path, 1, disk=_later())
    shutil.rmtree(chain)
    old.rename(chain)
    (problem,) = found(tmp_path)
    assert (problem.kind, problem.spot.file) == ("truncated", chain.name)
    assert "a later chain remembers" in problem.reason


def _settled(spool: object) -> None:
    """After this the head of the last commit is written: the next commit came after it."""
    spool.append_strict(event(-1))  # type: ignore[attr-defined]


def test_problems_are_listed_up_to_a_number_and_counted_beyond(tmp_path: Path) -> None:
    chain = write_chain(tmp_path, 1)
    path = segment_files(chain)[0]
    lines = lines_of(path)
    path.write_bytes(lines[0] + b"x\n" * (MAX_PROBLEMS + 5) + b"".join(lines[1:]))
    (report,) = verify(tmp_path, KEY).chains
    assert (len(report.problems), report.more) == (MAX_PROBLEMS, 5)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_an_empty_spool_is_in_order(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "spool")
    report = verify(tmp_path / "spool", KEY)
    assert report.ok
    assert report.events == 0
