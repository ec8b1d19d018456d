"""The key file of a spool: 32 random bytes that only its owner may read."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from typing import TYPE_CHECKING

from nexus_sdk.errors import BadSettings

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES = 32


def load_or_create_key(path: Path) -> bytes:
    """The spool's key; made on first use, durable before it is returned.

    Several processes may call this at once and all get the same key. Raises BadSettings when the
    file is not a plain file of exactly 32 bytes, belongs to somebody else, or is open to the group
    or to others.
    """
    try:
        return _load(path)
    except FileNotFoundError:
        _create(path)
        return _load(path)


def _load(path: Path) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BadSettings(f"cannot read the audit key {path}: {error.strerror}") from error
    try:
        _refuse_unsafe(path, os.fstat(fd))
        key = os.read(fd, KEY_BYTES + 1)
    finally:
        os.close(fd)
    if len(key) != KEY_BYTES:
        raise BadSettings(
            f"audit key {path} does not hold exactly {KEY_BYTES} bytes; restore it from a backup, "
            "or move it away to start with a new key (older chains then need the old one)"
        )
    return key


def _refuse_unsafe(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise BadSettings(f"audit key {path} is not a plain file; name a file")
    if sys.platform == "win32":
        return
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise BadSettings(
            f"audit key {path} is open to others (mode {mode:04o}); run: chmod 600 {path}, and "
            "replace the key if somebody may have read it"
        )
    if found.st_uid not in {os.geteuid(), 0}:
        raise BadSettings(
            f"audit key {path} belongs to user {found.st_uid}; chown it to user {os.geteuid()}"
        )


def _create(path: Path) -> None:
    """Written beside and linked into place: nobody ever reads a key half written, and the first one
    wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    fd = os.open(beside, flags, 0o600)
    try:
        os.write(fd, secrets.token_bytes(KEY_BYTES))
        os.fsync(fd)
    finally:
        os.close(fd)
    try:
        os.link(beside, path)
    except FileExistsError:
        return
    finally:
        beside.unlink()
