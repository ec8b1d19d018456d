"""A disk that fails on command, and small spools to try things on."""

from __future__ import annotations

import errno
import os
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from nexus_sdk.drivers.spool import Spool
from nexus_sdk.drivers.spool.disk import RealDisk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = bytes(range(32))
OTHER_KEY = bytes(32)
BEGIN = 1_770_000_000.0


class Disk(RealDisk):
    """The real disk with its own clock (a microsecond a look), a log, and faults.

    `fail[call]` is raised by that call until it is taken out, or the given number of times
    (`times`). `gate`, when set to an Event, holds every sync until the event is set.
    """

    def __init__(self) -> None:
        self.ticks = 0
        self.log: list[str] = []
        self.fail: dict[str, int] = {}
        self.times: Counter[str] = Counter()
        self.most_bytes = 0
        self.gate: threading.Event | None = None
        self.in_sync = threading.Event()

    def now(self) -> float:
        self.ticks += 1
        return BEGIN + self.ticks / 1e6

    def write(self, fd: int, data: bytes | memoryview) -> int:
        self._enter("write")
        return super().write(fd, data[: self.most_bytes] if self.most_bytes else data)

    def sync(self, fd: int) -> None:
        self.in_sync.set()
        if self.gate is not None:
            assert self.gate.wait(20)
        self._enter("sync")
        super().sync(fd)
        self.log.append("synced")

    def create(self, path: Path) -> int:
        self._enter("create")
        return super().create(path)

    def make_folder(self, path: Path) -> None:
        self._enter("make_folder")
        super().make_folder(path)

    def rewrite(self, fd: int, data: bytes) -> None:
        self._enter("rewrite")
        super().rewrite(fd, data)

    def remove(self, path: Path) -> None:
        self._enter("remove")
        super().remove(path)

    def break_down(self, *calls: str, code: int = errno.EIO, times: int = 10**9) -> None:
        for call in calls:
            self.times[call] = times
            self.fail[call] = code

    def repair(self) -> None:
        self.fail.clear()

    def _enter(self, call: str) -> None:
        self.log.append(call)
        if call in self.fail:
            if self.times[call] > 0:
                self.times[call] -= 1
                raise OSError(self.fail[call], os.strerror(self.fail[call]))
            del self.fail[call]


def new_spool(directory: Path, disk: Disk | None = None, **options: Any) -> Spool:
    options = {"commit_interval_s": 0.002, "strict_timeout_s": 20.0, **options}
    return Spool(directory, key=KEY, node="node-1", disk=disk or Disk(), **options)


def recovered(spool: Spool) -> None:
    """Wait until the writer's own next try succeeds; pytest's timeout ends a wait in vain."""
    while spool.degraded:
        os.sched_yield()


def event(number: int, text: str = "") -> dict[str, Any]:
    return {"id": f"e{number}", "n": number, "text": text}


def write_chain(directory: Path, count: int, **options: Any) -> Path:
    """A closed chain of `count` events, one commit each; its folder."""
    with_disk = new_spool(directory, **options)
    for number in range(count):
        with_disk.append_strict(event(number))
    with_disk.close()
    return newest(directory)


def newest(directory: Path) -> Path:
    return max(path for path in directory.iterdir() if path.is_dir())


def segment_files(chain: Path) -> list[Path]:
    return sorted(chain.glob("*.jsonl"))


def all_lines(chain: Path) -> Iterator[bytes]:
    for path in segment_files(chain):
        yield from path.read_bytes().splitlines(keepends=True)
