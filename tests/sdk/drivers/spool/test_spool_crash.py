"""Processes that die, fork, and end in the usual way."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING

import pytest
from tests.sdk.drivers.spool.spool_lab import (
    KEY,
    Disk,
    all_lines,
    event,
    new_spool,
    newest,
    segment_files,
)

from nexus_sdk.drivers.spool import events, verify
from nexus_sdk.errors import AuditUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and fork")

CHILD = """
import os, sys, threading
from pathlib import Path
from nexus_sdk.drivers.spool import Spool
spool = Spool(Path(sys.argv[1]), key=bytes(range(32)), node="child", segment_bytes=4000,
              max_bytes=10**8, strict_timeout_s=30)
def work(first):
    for number in range(first, 10**9, 4):
        spool.append({"n": -number})
        spool.append_strict({"n": number})
        os.write(1, b"%d\\n" % number)
for first in range(1, 5):
    threading.Thread(target=work, args=(first,), daemon=True).start()
threading.Event().wait()
"""


def fork_child(work: Callable[[], object]) -> int:
    """Run `work` in a forked child and return its exit status; the child leaves without cleaning
    up."""
    with warnings.catch_warnings():
        # Forking with threads is what is tried here.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_no_acknowledged_event_is_lost_to_kill_9(tmp_path: Path) -> None:
    chance = random.Random(5)
    acknowledged: set[int] = set()
    for turn in range(20):
        directory = tmp_path / str(turn)
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, str(directory)], stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            try:
                acknowledged = {
                    int(child.stdout.readline()) for _ in range(chance.randrange(1, 60))
                }
            finally:
                child.kill()
            acknowledged |= {int(line) for line in child.stdout if line.endswith(b"\n")}
        found = [entry.event["n"] for entry in events(directory)]
        assert acknowledged <= set(found)
        assert len(found) == len(set(found))
        report = verify(directory, KEY)
        assert report.ok, report.all_problems
        assert report.events == len(found)
        assert not report.chains[0].alive


def crashed(directory: Path, keep_bytes: int) -> Path:
    """A chain whose writer died after writing the first `keep_bytes` of an event that was not
    committed."""
    disk = Disk()
    spool = new_spool(directory, disk)

    def work() -> None:
        child = new_spool(directory)
        child.append_strict(event(0))
        child.append_strict(event(1))

    assert fork_child(work) == 0
    spool.close()
    chain = newest(directory)
    path = segment_files(chain)[0]
    last = list(all_lines(chain))[-1]
    path.write_bytes(path.read_bytes() + last[:keep_bytes])
    return chain


@pytest.mark.parametrize("keep", [1, 30, 200])
def test_a_torn_last_line_after_a_crash_is_a_note(tmp_path: Path, keep: int) -> None:
    chain = crashed(tmp_path, keep)
    (report,) = verify(tmp_path, KEY).chains
    assert report.problems == ()
    assert report.events == 2
    place = f"{chain.name}/00000001.jsonl:4"
    assert report.notes == (
        (
            f"{place}: incomplete last record, {keep} bytes, not counted as tampering: "
            "the process ended while writing it"
        ),
    )


def test_a_torn_line_that_the_head_remembers_whole_is_a_problem(tmp_path: Path) -> None:
    chain = crashed(tmp_path, 0)
    path = segment_files(chain)[0]
    *whole, torn, _ = all_lines(chain)  # of the last line the head may not have heard
    path.write_bytes(b"".join(whole) + torn[: len(torn) // 2])
    kinds = [problem.kind for problem in verify(tmp_path, KEY).all_problems]
    assert "changed" in kinds


def test_an_empty_last_segment_after_a_crash_is_in_order(tmp_path: Path) -> None:
    chain = crashed(tmp_path, 0)
    (chain / "00000002.jsonl").write_bytes(b"")
    assert verify(tmp_path, KEY).ok


def test_a_crash_before_the_first_segment_is_in_order(tmp_path: Path) -> None:
    chain = crashed(tmp_path, 0)
    empty = chain.with_name("20250101T000000.000000Z-1-00000000")
    empty.mkdir()
    assert verify(tmp_path, KEY).ok


def test_a_living_writer_is_seen_and_its_unfinished_line_is_no_problem(tmp_path: Path) -> None:
    spool = new_spool(tmp_path)
    spool.append_strict(event(0))
    path = segment_files(newest(tmp_path))[0]
    path.write_bytes(path.read_bytes() + b'{"seq":3,')
    (report,) = verify(tmp_path, KEY).chains
    assert report.alive
    assert (report.problems, report.notes) == ((), ())
    spool.close()


def test_after_a_crash_a_new_process_begins_a_new_chain(tmp_path: Path) -> None:
    old = crashed(tmp_path, 10)
    spool = new_spool(tmp_path)
    spool.append_strict(event(9))
    spool.close()
    assert len(list(tmp_path.iterdir())) == 2
    assert verify(tmp_path, KEY).ok
    assert old.exists()


def test_a_forked_child_writes_a_chain_of_its_own(tmp_path: Path) -> None:
    spool = new_spool(tmp_path, commit_interval_s=3600)
    spool.append_strict(event(0))
    parent_chain = newest(tmp_path)
    spool.append(event(1))

    def work() -> None:
        assert spool.stats().queued == 0, "what is queued stays the parent's"
        spool.append_strict(event(100))
        spool.append(event(101))
        spool.close()

    assert fork_child(work) == 0
    spool.append(event(2))
    spool.close()
    by_chain: dict[bool, list[int]] = {True: [], False: []}
    for entry in events(tmp_path):
        by_chain[entry.chain == parent_chain.name].append(entry.event["n"])
    assert by_chain == {True: [0, 1, 2], False: [100, 101]}
    report = verify(tmp_path, KEY)
    assert report.ok, report.all_problems
    assert f"-{os.getpid()}-" in parent_chain.name


def test_a_child_that_writes_nothing_touches_nothing(tmp_path: Path) -> None:
    spool = new_spool(tmp_path)
    spool.append_strict(event(0))
    assert fork_child(spool.close) == 0
    spool.append_strict(event(1))
    (report,) = verify(tmp_path, KEY).chains
    assert report.alive, "the child did not take the lock with it"
    spool.close()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_child_of_a_closed_spool_is_closed_too(tmp_path: Path) -> None:
    spool = new_spool(tmp_path)
    spool.append_strict(event(0))
    spool.close()

    def work() -> None:
        with pytest.raises(AuditUnavailable):
            spool.append(event(1))

    assert fork_child(work) == 0


def test_a_spool_that_is_gone_does_not_come_back_in_a_child(tmp_path: Path) -> None:
    new_spool(tmp_path).close()
    assert fork_child(lambda: None) == 0


def test_the_interpreters_end_writes_and_closes(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from nexus_sdk.drivers.spool import Spool\n"
        "spool = Spool(Path(sys.argv[1]), key=bytes(range(32)), node='n', commit_interval_s=3600)\n"
        "for n in range(1000): spool.append({'n': n})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, timeout=50, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert [entry.event["n"] for entry in events(tmp_path)] == list(range(1000))
    assert b'"final":true' in list(all_lines(newest(tmp_path)))[-1]
    assert verify(tmp_path, KEY).ok
