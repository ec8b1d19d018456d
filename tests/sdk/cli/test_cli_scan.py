"""`nexus scan`."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

import pytest
from tests.sdk.cli.cli_lab import CARD, EMAIL, nexus

from nexus_sdk.cli.reading import PIECE_BYTES

if TYPE_CHECKING:
    from pathlib import Path

TEXT = f"hello\nmail {EMAIL} now\n  card {CARD}\n"


@pytest.fixture
def letter(here: Path) -> str:
    (here / "letter.txt").write_text(TEXT)
    return "letter.txt"


def test_findings_have_places_and_no_values(letter: str) -> None:
    ended = nexus("scan", letter)
    assert ended.status == 0
    head, mail, card = ended.out.splitlines()
    assert head.split() == ["place", "rule", "severity", "action", "sample"]
    assert mail.split() == ["letter.txt:2:6", "pii.email", "soft", "redact", "j…m"]
    assert card.split() == ["letter.txt:3:8", "fin.card", "soft", "redact", "4…1"]
    assert "2 findings, 2 of them to be redacted or blocked, in 1 text\n" in ended.err


def test_json_has_the_same(letter: str) -> None:
    told = nexus("scan", letter, "--json").json
    assert (told["files"], told["enforcing"], told["findings_omitted"]) == (1, 2, 0)
    assert told["findings"][0] == {
        "file": letter,
        "line": 2,
        "column": 6,
        "length": len(EMAIL),
        "rule": "pii.email",
        "category": "pii",
        "severity": "soft",
        "action": "redact",
        "hook": "default-request",
        "sample": "j…m",
    }


@pytest.mark.parametrize(
    "args", [(), ("--json",), ("--redact",), ("--redact", "--json"), ("--fail",)]
)
def test_no_found_value_is_ever_shown(letter: str, args: tuple[str, ...]) -> None:
    ended = nexus("scan", letter, *args)
    for value in (EMAIL, CARD, EMAIL.partition("@")[0], CARD[:9]):
        assert value not in ended.out + ended.err


def test_redact_gives_the_text_with_placeholders(letter: str) -> None:
    ended = nexus("scan", "--redact", letter)
    assert re.fullmatch(
        r"hello\nmail <EMAIL_[a-z2-7]{6}> now\n  card <CARD_[a-z2-7]{6}>\n", ended.out
    )
    assert ended.err == ""
    assert nexus("scan", "--redact", letter).out == ended.out, (
        "the same value, the same placeholder"
    )
    assert nexus("scan", "--redact", "--json", letter).json["text"] == ended.out


def test_redact_keeps_every_other_byte() -> None:
    data = "\ttab\r\nwindows\r\nno end é 漢".encode()
    assert nexus("scan", "--redact", "-", stdin=data).raw == data


def test_standard_input() -> None:
    told = nexus("scan", "-", "--json", stdin=TEXT.encode()).json
    assert [found["file"] for found in told["findings"]] == ["-", "-"]


def test_fail_is_for_rules_that_act(here: Path, letter: str) -> None:
    assert nexus("scan", "--fail", letter).status == 1
    assert nexus("scan", "--fail", "-", stdin=b"nothing").status == 0
    (here / "watch.yaml").write_text(
        "compliance: {hooks: [{name: watch, packs: [nexus/pii], action: approve}]}\n"
    )
    ended = nexus("scan", "--fail", "--json", letter, "--policy", "watch.yaml")
    assert (ended.status, ended.json["enforcing"], len(ended.json["findings"])) == (0, 0, 2)


def test_the_stage_decides_whose_rules(letter: str) -> None:
    found = nexus("scan", letter, "--stage", "response", "--json").json["findings"]
    assert {(one["rule"], one["action"]) for one in found} >= {("pii.email", "approve")}


def test_hooks_of_some_endpoints_and_models(here: Path) -> None:
    (here / "nexus.yaml").write_text(
        "compliance:\n  hooks:\n    - name: limited\n"
        "      own: [{id: own.word, words: [bluebird]}]\n"
        "      action: block\n      endpoints: [embeddings]\n      models: [m*]\n"
    )

    def count(*args: str) -> int:
        told = nexus("scan", "-", "--json", *args, stdin=b"a bluebird").json
        return len(told["findings"])

    assert count() == 0
    assert count("--endpoint", "embeddings") == 0
    assert count("--endpoint", "embeddings", "--model", "m1") == 1


def test_folders_are_gone_through_when_told_to(here: Path) -> None:
    for name in ("b/one.txt", "a.txt", ".git/objects/two"):
        path = here / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(EMAIL)
    (here / "tree" / "binary").write_bytes(b"\x7fELF\0\0")
    (here / "tree" / "latin").write_bytes(b"caf\xe9")
    if sys.platform != "win32":
        (here / "tree" / "link").symlink_to(here / "tree" / "a.txt")
        os.mkfifo(here / "tree" / "pipe")
    ended = nexus("scan", "tree")
    assert ended.status == 2
    assert "--recursive" in ended.err
    told = nexus("scan", "-r", "tree", "--json").json
    assert [found["file"] for found in told["findings"]] == ["tree/a.txt", "tree/b/one.txt"]
    assert told["skipped"] == [
        {"file": "tree/binary", "reason": "is binary (byte 4)"},
        {"file": "tree/latin", "reason": "is not UTF-8 (byte 3)"},
    ]
    assert (
        "tree/latin is not UTF-8 (byte 3): passed over from there on\n"
        in nexus("scan", "-r", "tree").err
    )


def test_a_text_that_is_not_there_ends_the_scan(letter: str) -> None:
    ended = nexus("scan", letter, "gone.txt", "--json")
    assert (ended.status, ended.error["message"]) == (4, "gone.txt: No such file or directory")


def test_what_cannot_be_redacted_is_no_success(here: Path, letter: str) -> None:
    (here / "binary").write_bytes(b"\0")
    assert nexus("scan", "--redact", "binary").status == 4
    ended = nexus("scan", "--redact", letter, "binary")
    assert (ended.status, ended.out) == (2, "")


def test_a_file_that_turns_binary_is_scanned_up_to_there(here: Path) -> None:
    """A piece with a fault is not looked at, all pieces before it are, to their end."""
    text = b"x\n" * (PIECE_BYTES // 2 - 100) + f"{EMAIL}\n".encode()
    padded = text + b"y" * (PIECE_BYTES - len(text))
    (here / "mixed").write_bytes(padded + b"more\0")
    told = nexus("scan", "mixed", "--json").json
    assert told["skipped"] == [{"file": "mixed", "reason": f"is binary (byte {PIECE_BYTES + 4})"}]
    assert [found["rule"] for found in told["findings"]] == ["pii.email"]
    assert told["files"] == 0


def test_findings_beyond_the_bound_are_counted(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexus_sdk.cli.scan.MAX_LISTED", 3)
    text = f"{EMAIL}\n".encode() * 5
    told = nexus("scan", "-", "--json", stdin=text).json
    assert (len(told["findings"]), told["findings_omitted"], told["enforcing"]) == (3, 2, 5)
    assert "and 2 more" in nexus("scan", "-", stdin=text).err
