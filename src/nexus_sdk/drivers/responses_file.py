"""Kept answers in a file, through the standard library's SQLite: they outlive the process, and the
processes of one machine share them.

The values of placeholders are never written to it. They stay in the memory of the process that met
them, so that the file holds what was inspected and nothing else.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import weakref
from collections import OrderedDict
from contextlib import closing, suppress
from dataclasses import replace
from threading import Lock
from time import time
from typing import TYPE_CHECKING

from nexus_sdk.drivers.responses import MAX_BYTES, MAX_ENTRIES, OVERHEAD_BYTES, chained
from nexus_sdk.errors import BadSettings, NexusError
from nexus_sdk.model import Kept, Target

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = logging.getLogger("nexus")

FILE = "responses.sqlite3"
LAYOUT = 1
"""`user_version` of the file, as `_SCHEMA` sets it."""
BUSY_S = 5.0
"""How long a writer waits for another process's."""
MAX_VALUES_BYTES = 16 * 1024 * 1024
"""Of placeholders' values, in memory; the oldest go first."""
_BATCH = 64

_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS kept (
  owner TEXT NOT NULL, id TEXT NOT NULL, asked TEXT NOT NULL, provider TEXT NOT NULL,
  model TEXT NOT NULL, native INTEGER NOT NULL, previous TEXT NOT NULL, body BLOB NOT NULL,
  items BLOB NOT NULL, events BLOB NOT NULL, size INTEGER NOT NULL, expires REAL NOT NULL,
  used REAL NOT NULL, PRIMARY KEY (owner, id)
);
CREATE INDEX IF NOT EXISTS by_use ON kept (used);
CREATE INDEX IF NOT EXISTS by_end ON kept (expires);
CREATE TABLE IF NOT EXISTS held (bytes INTEGER NOT NULL, entries INTEGER NOT NULL);
INSERT INTO held SELECT 0, 0 WHERE NOT EXISTS (SELECT 1 FROM held);
CREATE TRIGGER IF NOT EXISTS comes AFTER INSERT ON kept BEGIN
  UPDATE held SET bytes = bytes + new.size, entries = entries + 1;
END;
CREATE TRIGGER IF NOT EXISTS goes AFTER DELETE ON kept BEGIN
  UPDATE held SET bytes = bytes - old.size, entries = entries - 1;
END;
PRAGMA user_version = 1;
COMMIT;
"""
_COLUMNS = "id, owner, asked, provider, model, native, previous, body, items, events"


class FileResponses:
    """`clock` gives seconds since the epoch. Raises BadSettings when the file cannot be opened."""

    blocks = True

    def __init__(
        self,
        file: Path,
        *,
        max_bytes: int = MAX_BYTES,
        max_entries: int = MAX_ENTRIES,
        clock: Callable[[], float] = time,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._clock = clock
        self._lock = Lock()
        self._values: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._values_bytes = 0
        try:
            self._db = _opened(file)
        except (OSError, sqlite3.Error) as err:
            raise BadSettings(f"{file}: kept answers cannot be opened: {err}") from err
        # Whoever only looks at what is in force never closes it.
        self._closed = weakref.finalize(self, self._db.close)
        self.bound(max_bytes)

    def recall(self, owner: str, response_id: str, *, chain: bool = False) -> tuple[Kept, ...]:
        with self._lock:
            try:
                found = chained(lambda one: self._found(owner, one), response_id, chain=chain)
            except sqlite3.Error as err:
                raise NexusError(
                    f"kept answers cannot be read: {err}", code="responses_unavailable"
                ) from err
            self._touch(found)
            return found

    def retain(self, kept: Kept, ttl_s: float) -> None:
        size, now = kept.size - len(kept.values) + OVERHEAD_BYTES, self._clock()
        target = kept.target
        row = (
            *(kept.id, kept.owner, kept.asked, target.provider, target.model, kept.native),
            *(kept.previous, kept.body, kept.items, kept.events, size, now + ttl_s, now),
        )
        with self._lock:
            try:
                with self._db:
                    self._drop(kept.owner, kept.id)
                    if size <= self._max_bytes:
                        self._db.execute(
                            f"INSERT INTO kept ({_COLUMNS}, size, expires, used) "  # noqa: S608  our own names
                            f"VALUES ({', '.join('?' * len(row))})",
                            row,
                        )
                        self._know(kept)
                    self._evict()
            except sqlite3.Error as err:
                log.error("an answer could not be kept: %s", err)  # noqa: TRY400  no bug of ours

    def forget(self, owner: str, response_id: str) -> None:
        with self._lock:
            try:
                with self._db:
                    self._drop(owner, response_id)
                # The log would hold what was deleted until it is written over.
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.Error as err:
                raise NexusError(
                    f"kept answers cannot be written: {err}", code="responses_unavailable"
                ) from err

    def bound(self, max_bytes: int) -> None:
        with self._lock:
            self._max_bytes = max_bytes
            try:
                with self._db:
                    self._evict()
            except sqlite3.Error as err:
                log.error("kept answers could not be bounded: %s", err)  # noqa: TRY400

    def close(self) -> None:
        with self._lock:
            self._closed()

    def _found(self, owner: str, response_id: str) -> Kept | None:
        row = self._db.execute(
            f"SELECT {_COLUMNS} FROM kept WHERE owner = ? AND id = ? AND expires > ?",  # noqa: S608
            (owner, response_id, self._clock()),
        ).fetchone()
        if row is None:
            return None
        found, holder, asked, provider, model, native, *texts = row
        kept = Kept(found, holder, asked, Target(provider, model), bool(native), *texts)
        return replace(kept, values=self._values.get((owner, response_id), b""))

    def _touch(self, found: tuple[Kept, ...]) -> None:
        """They were used now. That another process writes for long is no reason to refuse them."""
        now = self._clock()
        rows = [(now, kept.owner, kept.id) for kept in found]
        with suppress(sqlite3.OperationalError), self._db:
            self._db.executemany("UPDATE kept SET used = ? WHERE owner = ? AND id = ?", rows)

    def _drop(self, owner: str, response_id: str) -> None:
        self._db.execute("DELETE FROM kept WHERE owner = ? AND id = ?", (owner, response_id))
        self._values_bytes -= len(self._values.pop((owner, response_id), b""))

    def _know(self, kept: Kept) -> None:
        if not kept.values:
            return
        self._values[kept.owner, kept.id] = kept.values
        self._values_bytes += len(kept.values)
        while self._values_bytes > MAX_VALUES_BYTES:
            self._values_bytes -= len(self._values.popitem(last=False)[1])

    def _evict(self) -> None:
        """What is over; then, while there is too much, what was not used longest."""
        gone = self._db.execute(
            "DELETE FROM kept WHERE expires <= ? RETURNING owner, id", (self._clock(),)
        ).fetchall()
        while self._is_full():
            gone += self._db.execute(
                "DELETE FROM kept WHERE rowid IN "
                "(SELECT rowid FROM kept ORDER BY used, rowid LIMIT ?) RETURNING owner, id",
                (self._few(),),
            ).fetchall()
        for owner, response_id in gone:
            self._values_bytes -= len(self._values.pop((owner, response_id), b""))

    def _held(self) -> tuple[int, int]:
        held: tuple[int, int] = self._db.execute("SELECT bytes, entries FROM held").fetchone()
        return held

    def _is_full(self) -> bool:
        size, entries = self._held()
        return entries > 0 and (size > self._max_bytes or entries > self._max_entries)

    def _few(self) -> int:
        """How many may go at once without one too many: all that are over the number of entries,
        else one."""
        return min(max(self._held()[1] - self._max_entries, 1), _BATCH)


def _opened(file: Path) -> sqlite3.Connection:
    """Only its owner can read the file. What is deleted is overwritten."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    db = sqlite3.connect(file, timeout=BUSY_S, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA secure_delete = ON")
        with closing(db.execute("PRAGMA user_version")) as found:
            layout = found.fetchone()[0]
        if layout > LAYOUT:
            raise sqlite3.DatabaseError(f"its layout {layout} is of a newer version")
        if layout < LAYOUT:
            db.executescript(_SCHEMA)
    except BaseException:
        db.close()
        raise
    return db
