"""A text in pieces gives what the whole text gives: the same findings, places and redactions."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexus_sdk.cli.scanning import REACH, Scan, masked
from nexus_sdk.compliance.hooks import Hook, Stage
from nexus_sdk.compliance.rules import built_in, rule_from_expression, rule_from_words
from nexus_sdk.compliance.vault import Vault
from nexus_sdk.mac import Mac

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nexus_sdk.cli.scanning import Hit
    from nexus_sdk.compliance.hooks import Effective

RULES = (
    rule_from_words("own.bird", ["bluebird", "blue bird hill"]),
    rule_from_expression("own.code", r"ID[0-9]{4,8}", ignore_case=False),
    *(rule for rule in built_in("nexus/pii").rules if rule.id in ("pii.email", "fin.card")),
)
ACTIONS = {"own.bird": "block", "own.code": "redact", "pii.email": "redact", "fin.card": "approve"}
STAGE = Stage([Hook("h", 1, ACTIONS, reversible=True)], RULES, restore=False)
WORDS = ("bluebird", "blue", "bird", "hill", "ID12345", "ID", "7", "a@b.example.com", "x" * 9)
TEXTS = st.lists(
    st.sampled_from((*WORDS, "4111 1111 1111 1111", " ", " ", "\n", "\r\n", "é", "漢")), max_size=60
).map("".join)


def effective() -> Effective:
    return STAGE.effective("chat", "", "")


def scanned(pieces: Iterable[str], reach: int = REACH) -> tuple[str, list[Hit]]:
    scan = Scan(effective(), Vault(Mac(b"k" * 32)), reach)
    text, hits = "", []
    for part in scan.parts(pieces):
        text += part
        hits += scan.take()
    return text, hits


@settings(deadline=None)
@given(TEXTS, st.lists(st.integers(0, 400), max_size=20))
def test_it_does_not_matter_how_a_text_is_cut(text: str, places: list[int]) -> None:
    cuts = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    pieces = [text[a:b] for a, b in pairwise(cuts)]
    assert scanned(pieces, reach=32) == scanned([text])


@settings(deadline=None)
@given(TEXTS)
def test_each_finding_is_where_it_says(text: str) -> None:
    lines = text.split("\n")
    for hit in scanned([text])[1]:
        rest = "\n".join([lines[hit.line - 1][hit.column - 1 :], *lines[hit.line :]])
        assert hit.length > 0
        assert hit.sample == masked(rest[: hit.length])


@settings(deadline=None)
@given(TEXTS)
def test_what_is_redacted_is_gone_and_the_rest_is_there(text: str) -> None:
    redacted, hits = scanned([text])
    again = scanned([redacted])[1]
    assert not [hit for hit in again if hit.action != "approve"]
    if all(hit.action == "approve" for hit in hits):
        assert redacted == text


def test_what_would_block_is_taken_out_for_good() -> None:
    redacted, (hit,) = scanned(["the bluebird"])
    assert redacted == "the [REDACTED:OWN_BIRD]"
    assert (hit.action, hit.line, hit.column, hit.length) == ("block", 1, 5, 8)


def test_a_value_between_pieces_is_found_in_its_place() -> None:
    filler = "lorem ipsum\n" * (3 * REACH // 12)
    text = filler + "mail jane@example.org\n" + filler
    pieces = [text[at : at + 1000] for at in range(0, len(text), 1000)]
    redacted, (hit,) = scanned(pieces)
    assert (hit.line, hit.column) == (filler.count("\n") + 1, 6)
    assert re.fullmatch(r"mail <EMAIL_[a-z2-7]{6}>", redacted.splitlines()[hit.line - 1])


def test_memory_is_bounded() -> None:
    scan = Scan(effective(), Vault(Mac(b"k" * 32)))
    for part in scan.parts("lorem ipsum\n" * 1000 for _ in range(50)):
        assert len(part) <= 4 * REACH


@pytest.mark.parametrize(
    ("value", "sample"), [("jane@x.org", "j…g"), ("12345", "1…5"), ("1234", "…"), ("x", "…")]
)
def test_a_sample_is_the_two_ends(value: str, sample: str) -> None:
    assert masked(value) == sample
