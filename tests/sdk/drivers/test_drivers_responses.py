"""One contract, every store of kept answers."""

from __future__ import annotations

import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from nexus_sdk.drivers.responses import MAX_CHAIN, OVERHEAD_BYTES, MemoryResponses
from nexus_sdk.drivers.responses_file import FILE, FileResponses
from nexus_sdk.errors import BadSettings, NexusError
from nexus_sdk.model import Kept, Target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nexus_sdk.drivers.responses import ResponseStore


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Bench:
    """Makes stores of one kind, and closes them."""

    kind: str
    folder: Path
    clock: Clock
    made: list[ResponseStore]

    def store(self, **bounds: int) -> ResponseStore:
        if self.kind == "memory":
            self.made.append(MemoryResponses(clock=self.clock, **bounds))
        else:
            file = self.folder / f"{len(self.made)}.sqlite3"
            self.made.append(FileResponses(file, clock=self.clock, **bounds))
        return self.made[-1]


@pytest.fixture(params=["memory", "file"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(request.param, tmp_path, Clock(), [])
    yield made
    for store in made.made:
        store.close()


def kept(name: str, owner: str = "ann", **more: Any) -> Kept:
    return Kept(name, owner, "asked", Target("p", "m"), **more)


FULL = kept(
    "r1",
    native=True,
    previous="r0",
    body=b'{"output":[]}',
    items=b"[]",
    events=b"data: x\n\n",
    values=b'{"<A_b>":"c"}',
)


def test_what_is_retained_is_recalled_until_it_is_forgotten(bench: Bench) -> None:
    store = bench.store()
    assert store.recall("ann", "r1") == ()
    store.retain(FULL, 60)
    assert store.recall("ann", "r1") == (FULL,)
    store.retain(kept("r1"), 60)
    assert store.recall("ann", "r1") == (kept("r1"),)
    store.forget("ann", "r1")
    store.forget("ann", "r1")
    assert store.recall("ann", "r1") == ()


def test_owners_are_kept_apart(bench: Bench) -> None:
    store = bench.store()
    store.retain(kept("r1", body=b"ann's"), 60)
    store.retain(kept("r1", "bob", body=b"bob's"), 60)
    store.forget("eve", "r1")
    assert [store.recall(who, "r1")[0].body for who in ("ann", "bob")] == [b"ann's", b"bob's"]
    assert store.recall("eve", "r1") == ()
    store.retain(kept("r2", "bob", previous="r1"), 60)
    store.forget("bob", "r1")
    assert len(store.recall("bob", "r2", chain=True)) == 1, "nobody else's is a link"


def test_a_chain_comes_newest_first_up_to_what_is_missing(bench: Bench) -> None:
    store = bench.store()
    for number in range(4):
        store.retain(kept(f"r{number}", previous=f"r{number - 1}" if number else ""), 60)
    names = [link.id for link in store.recall("ann", "r3", chain=True)]
    assert names == ["r3", "r2", "r1", "r0"]
    assert [link.id for link in store.recall("ann", "r3")] == ["r3"]
    store.forget("ann", "r1")
    assert [link.id for link in store.recall("ann", "r3", chain=True)] == ["r3", "r2"]


def test_a_circle_and_an_endless_chain_end(bench: Bench) -> None:
    store = bench.store()
    store.retain(kept("a", previous="b"), 60)
    store.retain(kept("b", previous="a"), 60)
    assert len(store.recall("ann", "a", chain=True)) == 2
    for number in range(MAX_CHAIN + 5):
        store.retain(kept(f"r{number}", previous=f"r{number - 1}"), 60)
    assert len(store.recall("ann", f"r{MAX_CHAIN + 4}", chain=True)) == MAX_CHAIN


def test_time_is_a_bound(bench: Bench) -> None:
    store = bench.store()
    store.retain(kept("r1"), 60)
    bench.clock.now += 59.9
    assert store.recall("ann", "r1")
    bench.clock.now += 0.1
    assert store.recall("ann", "r1") == ()


def test_entries_are_a_bound_and_what_was_used_longest_ago_goes(bench: Bench) -> None:
    store = bench.store(max_entries=2)
    for name in ("r1", "r2", "r1", "r3"):
        bench.clock.now += 1
        if name in {"r1", "r2", "r3"} and not store.recall("ann", name):
            store.retain(kept(name), 60)
    assert [bool(store.recall("ann", name)) for name in ("r1", "r2", "r3")] == [True, False, True]


def test_bytes_are_a_bound(bench: Bench) -> None:
    one = OVERHEAD_BYTES + 1000
    store = bench.store(max_bytes=3 * one)
    for number in range(5):
        bench.clock.now += 1
        store.retain(kept(f"r{number}", body=b"x" * 1000), 60)
    there = [number for number in range(5) if store.recall("ann", f"r{number}")]
    assert there == [2, 3, 4]
    store.bound(one)
    assert [number for number in range(5) if store.recall("ann", f"r{number}")] == [4]
    store.retain(kept("r4", body=b"x" * 2000), 60)
    assert store.recall("ann", "r4") == (), "too large for the whole store"
    store.retain(kept("r5", body=b"x" * 1000), 60)
    assert store.recall("ann", "r5"), "what is gone counts no more"


def test_threads_share_a_store(bench: Bench) -> None:
    store = bench.store(max_entries=50)

    def work(number: int) -> None:
        store.retain(kept(f"r{number}", previous=f"r{number - 1}"), 60)
        store.recall("ann", f"r{number}", chain=True)
        store.forget("ann", f"r{number - 3}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(100)))
    assert store.recall("ann", "r99")


# ---- the file alone ------------------------------------------------------------------------------


def test_the_file_outlives_the_process_without_the_values(tmp_path: Path) -> None:
    file = tmp_path / "state" / FILE
    first = FileResponses(file)
    first.retain(FULL, 60)
    first.close()
    again, beside = FileResponses(file), FileResponses(file)
    (found,) = again.recall("ann", "r1")
    assert found.values == b""
    assert (found.body, found.native, found.target) == (FULL.body, True, FULL.target)
    beside.forget("ann", "r1")
    assert again.recall("ann", "r1") == ()
    again.close()
    beside.close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert FULL.values not in file.read_bytes()


def test_what_is_deleted_or_over_is_not_in_the_file(tmp_path: Path) -> None:
    clock = Clock()
    file = tmp_path / FILE
    store = FileResponses(file, clock=clock)
    store.retain(kept("r1", body=b"the secret of r1"), 60)
    store.retain(kept("r2", body=b"the secret of r2"), 60)
    store.forget("ann", "r1")
    assert b"the secret of r1" not in on_disk(tmp_path)
    assert b"the secret of r2" in on_disk(tmp_path)
    store.close()
    clock.now += 61
    FileResponses(file, clock=clock).close()
    assert b"the secret of r2" not in on_disk(tmp_path)


def on_disk(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


def test_a_file_that_is_none_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "not").write_bytes(b"no database at all, and long enough to be read as one" * 20)
    with pytest.raises(BadSettings, match="cannot be opened"):
        FileResponses(tmp_path / "not")
    db = sqlite3.connect(tmp_path / "newer")
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(BadSettings, match="newer version"):
        FileResponses(tmp_path / "newer")


def test_a_file_that_fails_loses_no_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = FileResponses(tmp_path / FILE)
    store.close()
    store.retain(FULL, 60)
    store.bound(10)
    assert "could not be kept" in caplog.text
    with pytest.raises(NexusError, match="cannot be read"):
        store.recall("ann", "r1")
    with pytest.raises(NexusError, match="cannot be written"):
        store.forget("ann", "r1")


def test_values_in_memory_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexus_sdk.drivers.responses_file.MAX_VALUES_BYTES", 30)
    store = FileResponses(tmp_path / FILE)
    for name in ("r1", "r2", "r3"):
        store.retain(kept(name, values=b"v" * 15), 60)
    assert [store.recall("ann", name)[0].values for name in ("r1", "r2", "r3")] == [
        b"",
        b"v" * 15,
        b"v" * 15,
    ]
    store.close()
