"""The spool's door to the machine: the few calls that change the disk, and the clock. Tests put a
faulty one here."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_SAFE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Disk(Protocol):
    """Every method may raise OSError; `engine.py` decides what that means."""

    def now(self) -> float:
        """Unix time, seconds."""
        ...

    def make_folder(self, path: Path) -> None:
        """A new folder, 0700, durable; its parents are made as needed. Raises FileExistsError when
        it exists."""
        ...

    def create(self, path: Path) -> int:
        """A descriptor for writing to a new file, 0600, whose name is durable. Raises
        FileExistsError."""
        ...

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """How many bytes were written; may be fewer than all."""
        ...

    def sync(self, fd: int) -> None:
        """Returns after the file's bytes and length are on the medium. A failed sync must never be
        tried again on the same file: the kernel may have forgotten the dirty pages (PostgreSQL's
        fsync findings of 2018)."""
        ...

    def close(self, fd: int) -> None: ...

    def is_linked(self, fd: int, path: Path) -> bool:
        """Whether `path` still leads to the open file."""
        ...

    def rewrite(self, fd: int, data: bytes) -> None:
        """The beginning of the file, in one write; not synced. Of at most 512 bytes a power cut
        leaves the old or the new: they lie in one sector."""
        ...

    def remove(self, path: Path) -> None:
        """The file is gone afterwards; it need not have existed."""
        ...

    def remove_folder(self, path: Path) -> None:
        """An empty folder is gone afterwards."""
        ...

    def lock(self, fd: int) -> None:
        """Hold the file's lock as long as it is open, at most until the process ends."""
        ...


class RealDisk:
    """`Disk` on the operating system."""

    def now(self) -> float:
        return time.time()

    def make_folder(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=0o700)
        _sync_folder(path.parent)

    def create(self, path: Path) -> int:
        fd = os.open(path, _NEW_FILE | _SAFE, 0o600)
        try:
            _sync_folder(path.parent)
        except OSError:
            os.close(fd)
            self.remove(path)
            raise
        return fd

    def write(self, fd: int, data: bytes | memoryview) -> int:
        return os.write(fd, data)

    def sync(self, fd: int) -> None:
        _sync_file(fd)

    def close(self, fd: int) -> None:
        os.close(fd)

    def is_linked(self, fd: int, path: Path) -> bool:
        mine = os.fstat(fd)
        try:
            there = path.stat(follow_symlinks=False)
        except FileNotFoundError:
            return False
        return mine.st_nlink > 0 and (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)

    def rewrite(self, fd: int, data: bytes) -> None:
        os.lseek(fd, 0, os.SEEK_SET)
        os.write(fd, data)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def remove_folder(self, path: Path) -> None:
        path.rmdir()

    def lock(self, fd: int) -> None:
        if not _try_lock(fd, shared=False):
            raise BlockingIOError("the head of a new chain is locked by another process")


def is_locked(path: Path) -> bool:
    """Whether a living process holds the file's lock; False when there is no such file."""
    try:
        fd = os.open(path, os.O_RDONLY | _SAFE)
    except OSError:
        return False
    try:
        return not _try_lock(fd, shared=True)
    finally:
        os.close(fd)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(fd: int, *, shared: bool) -> bool:  # noqa: ARG001  # there are no shared ones here
        # Locks here are mandatory: one far behind the file's end leaves the file readable.
        os.lseek(fd, 1 << 30, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _sync_file(fd: int) -> None:
        os.fsync(fd)

    def _sync_folder(path: Path) -> None:
        """NTFS journals names; a folder cannot be opened for syncing."""

else:
    import fcntl

    def _try_lock(fd: int, *, shared: bool) -> bool:
        # flock, not lockf: it belongs to the open file, so a reader in this process sees it too.
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _sync_file(fd: int) -> None:
        if sys.platform == "darwin":
            # fsync(2) there leaves the bytes in the drive's cache; see its manual page.
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
            return
        os.fdatasync(fd)

    def _sync_folder(path: Path) -> None:
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
