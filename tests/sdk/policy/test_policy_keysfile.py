"""Keys that the program makes live in a file of their own, and the pepper in another."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from nexus_sdk.errors import BadPolicy, BadSettings, NotFound
from nexus_sdk.policy import files
from nexus_sdk.policy.document import Key, Policy
from nexus_sdk.policy.keysfile import add_key, read_keys, revoke_key
from nexus_sdk.policy.load import load_policy
from nexus_sdk.policy.pepper import pepper

if TYPE_CHECKING:
    from pathlib import Path

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="modes and links are POSIX's")
NOTHING: dict[str, str] = {}


def key(key_id: str, digit: str = "a", **more: str) -> Key:
    return Key.model_validate({"id": key_id, "digest": digit * 64, **more})


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "nexus.yaml"
    path.write_text("# mine\nname: a\n")
    return path


def test_an_added_key_is_part_of_the_policy_and_the_policy_file_stays(policy: Path) -> None:
    made = key("ci", user="${NOT_A_REFERENCE}", name="Zoë: #1")
    add_key(policy, made)
    add_key(policy, key("two", "b"))
    loaded = load_policy(policy, environ_lookup=NOTHING.get)
    assert loaded.document.keys == [made, key("two", "b")]
    assert policy.read_text() == "# mine\nname: a\n"


def test_a_revoked_key_stays_revoked_and_known(policy: Path) -> None:
    add_key(policy, key("ci"))
    add_key(policy, key("two", "b"))
    assert revoke_key(policy, "ci").revoked
    assert revoke_key(policy, "ci").revoked
    assert [(k.id, k.revoked) for k in read_keys(policy)] == [("ci", True), ("two", False)]


def test_an_id_or_a_digest_is_given_once(policy: Path) -> None:
    add_key(policy, key("ci"))
    for taken in (key("ci", "b"), key("other", "a")):
        with pytest.raises(BadPolicy, match="is there already, as 'ci'"):
            add_key(policy, taken)
    assert read_keys(policy) == (key("ci"),)


def test_revoking_an_unknown_key_says_what_is_near(policy: Path) -> None:
    add_key(policy, key("build-server"))
    with pytest.raises(NotFound, match="no key 'build-sever'; did you mean 'build-server'"):
        revoke_key(policy, "build-sever")


def test_without_a_file_there_are_no_keys(policy: Path) -> None:
    assert read_keys(policy) == ()


def test_a_keys_file_that_is_damaged_is_not_overwritten(policy: Path) -> None:
    path = policy.with_name("nexus.keys.yaml")
    path.write_text("keys: [\n")
    with pytest.raises(BadPolicy, match=r"nexus\.keys\.yaml:2: is not YAML"):
        add_key(policy, key("ci"))
    assert path.read_text() == "keys: [\n"


@POSIX
def test_only_the_owner_reads_the_keys_file(policy: Path) -> None:
    path = policy.with_name("nexus.keys.yaml")
    path.write_text("keys: []\n")
    path.chmod(0o644)
    add_key(policy, key("ci"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in policy.parent.iterdir()) == [
        "nexus.keys.yaml",
        "nexus.keys.yaml.lock",
        "nexus.yaml",
    ]


@POSIX
def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_text("old")
    link = tmp_path / "link"
    link.symlink_to(real)
    files.replace(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_a_replacement_that_fails_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.replace(path, b"new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_another_process_waits_for_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "file"
    program = (
        "import sys, pathlib; from nexus_sdk.policy import files\n"
        "print('begun', flush=True)\n"
        "with files.locked(pathlib.Path(sys.argv[1])): print('in', flush=True)"
    )
    with files.locked(path):
        other = subprocess.Popen(
            [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert other.stdout is not None
        assert other.stdout.readline() == "begun\n"
        line: list[str] = []
        reader = threading.Thread(target=lambda: line.append(other.stdout.readline()))  # type: ignore[union-attr]  # it is a pipe
        reader.start()
        reader.join(0.2)
        assert not line
    reader.join(20)
    assert line == ["in\n"]
    assert other.wait(20) == 0
    other.stdout.close()


# the pepper


def entropy(count: int) -> bytes:
    return bytes(range(count))


def no_entropy(_count: int) -> bytes:
    raise AssertionError("a pepper was made where one was known")


def test_the_pepper_is_made_once_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "state"
    assert pepper(Policy(), folder, entropy=entropy) == bytes(range(32))
    assert pepper(Policy(), folder, entropy=no_entropy) == bytes(range(32))
    if sys.platform != "win32":
        assert (folder / "keys.pepper").stat().st_mode & 0o777 == 0o600


def test_the_policys_pepper_wins_and_nothing_is_written(tmp_path: Path) -> None:
    policy = Policy.model_validate({"keys_pepper": "p" * 32})
    assert pepper(policy, tmp_path, entropy=no_entropy) == b"p" * 32
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"zz", b"\xff" * 32, b"00" * 31])
def test_a_damaged_pepper_is_not_replaced(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "keys.pepper").write_bytes(content)
    with pytest.raises(BadSettings, match="is no pepper; restore it"):
        pepper(Policy(), tmp_path, entropy=no_entropy)
    assert (tmp_path / "keys.pepper").read_bytes() == content


def test_a_folder_that_cannot_be_is_told_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadSettings, match="set NEXUS_STATE_DIR"):
        pepper(Policy(), tmp_path / "file" / "state", entropy=entropy)
