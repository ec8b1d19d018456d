from __future__ import annotations

import os
import stat
import threading
from typing import TYPE_CHECKING

import pytest

from nexus_sdk.drivers.spool import load_or_create_key
from nexus_sdk.errors import BadSettings

if TYPE_CHECKING:
    from pathlib import Path


def test_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "audit.key"
    key = load_or_create_key(path)
    assert len(key) == 32
    assert load_or_create_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["audit.key"], (
        "no file is left beside it"
    )
    assert load_or_create_key(tmp_path / "another") != key


def test_all_who_race_get_the_same_key(tmp_path: Path) -> None:
    found: list[bytes] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait(20)
        found.append(load_or_create_key(tmp_path / "key"))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666, 0o610])
def test_a_key_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    load_or_create_key(path)
    path.chmod(mode)
    with pytest.raises(BadSettings, match="chmod 600"):
        load_or_create_key(path)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_size_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "key"
    path.write_bytes(bytes(size))
    path.chmod(0o600)
    with pytest.raises(BadSettings, match="exactly 32 bytes"):
        load_or_create_key(path)


def test_links_and_folders_are_refused(tmp_path: Path) -> None:
    load_or_create_key(tmp_path / "key")
    (tmp_path / "link").symlink_to(tmp_path / "key")
    with pytest.raises(BadSettings, match="cannot read"):
        load_or_create_key(tmp_path / "link")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadSettings, match="not a plain file"):
        load_or_create_key(tmp_path / "folder")


def test_a_key_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_or_create_key(tmp_path / "key")
    mine = os.geteuid()
    monkeypatch.setattr("nexus_sdk.drivers.spool.keys.os.geteuid", lambda: mine + 1)
    if mine == 0:
        os.chown(tmp_path / "key", 4711, 4711)
    with pytest.raises(BadSettings, match="belongs to user"):
        load_or_create_key(tmp_path / "key")
