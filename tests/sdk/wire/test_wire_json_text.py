"""JSON inside a string: the same values for the whole text as for its
fragments, and every character kept as it was written."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.cutting import PLACES, cut

from nexus_sdk.wire.json_text import Piece, Tokenizer, escaped, quoted
from nexus_sdk.wire.json_text import values as whole

if TYPE_CHECKING:
    from collections.abc import Sequence


def pieces_of(fragments: Sequence[str]) -> list[Piece]:
    tokenizer = Tokenizer()
    return [piece for part in fragments for piece in tokenizer.feed(part)] + tokenizer.close()


def values(fragments: Sequence[str]) -> list[tuple[str, str]]:
    """Each value's kind and decoded text, its pieces put together."""
    out: list[tuple[str, str]] = []
    running = ""
    for piece in pieces_of(fragments):
        if piece.kind == "structure":
            continue
        running += piece.text
        if piece.ends:
            out.append((piece.kind, running))
            running = ""
    assert not running, "every value ends"
    return out


def raw(fragments: Sequence[str]) -> str:
    return "".join(part for piece in pieces_of(fragments) for part in piece.raw)


WRITTEN = '" \\ \\u \\u00 \\u0040 \\ud83d \\ud83d\\ude42 \\n \\/ \\x { } [ ] : , a 1 - true é 🙂 d8'
LIKE_JSON = st.lists(st.sampled_from([*WRITTEN.split(), " ", "\n"]), max_size=14).map("".join)


@settings(max_examples=1500, deadline=None)
@given(LIKE_JSON, PLACES)
@example('"\\ud83d\\ud83d\\ude42"', [4, 9, 12])
def test_cuts_do_not_matter_and_nothing_is_lost(text: str, places: list[int]) -> None:
    fragments = cut(text, places)
    assert raw(fragments) == text
    assert values(fragments) == values([text])


@given(LIKE_JSON)
def test_one_character_at_a_time(text: str) -> None:
    assert raw(list(text)) == text
    assert values(list(text)) == values([text])


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(0, 10**18)
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


def texts_of(doc: object) -> list[str]:
    """Keys and values in the order in which they are written."""
    if isinstance(doc, dict):
        return [text for key, value in doc.items() for text in (str(key), *texts_of(value))]
    if isinstance(doc, list):
        return [text for value in doc for text in texts_of(value)]
    return [doc if isinstance(doc, str) else json.dumps(doc)]


@given(JSON, st.booleans(), st.sampled_from([None, 1]), PLACES)
def test_the_values_of_valid_json_are_found_decoded(
    doc: object, plain: bool, indent: int | None, places: list[int]
) -> None:
    text = json.dumps(doc, ensure_ascii=plain, indent=indent)
    found = values(cut(text, places))
    assert [value.rstrip() if kind == "atom" else value for kind, value in found] == texts_of(doc)


def test_each_character_knows_how_it_was_written() -> None:
    (value,) = [p for p in pieces_of(['"a\\u0040\\n\\ud83d\\ude42\\"é"']) if p.kind == "string"]
    assert value.text == 'a@\n🙂"é'
    assert value.raw == ["a", "\\u0040", "\\n", "\\ud83d\\ude42", '\\"', "é"]


def test_half_a_surrogate_pair_is_a_character_that_nothing_matches() -> None:
    assert values(['"\\ud83d"']) == [("string", "\ufffd")]
    assert values(['"\\ud83dx\\ude42"']) == [("string", "\ufffdx\ufffd")]


@pytest.mark.parametrize("text", ['"abc\\', '"abc\\u00', '"abc\\ud83d', '"abc\\ud83d\\u', '"abc'])
def test_a_value_that_the_model_does_not_finish_ends_with_the_text(text: str) -> None:
    ((kind, value),) = values([text])
    assert kind == "string"
    assert value.startswith("abc")
    assert raw([text]) == text


@pytest.mark.parametrize("held", ["\\", "\\u00", "\\ud83d", "\\ud83d\\ude4"])
def test_what_waits_for_its_other_part_is_told(held: str) -> None:
    tokenizer = Tokenizer()
    tokenizer.feed('"abc' + held)
    assert tokenizer.held == len(held)
    tokenizer.close()
    assert tokenizer.held == 0


def test_numbers_and_words_are_atoms() -> None:
    assert values(["[12, true,null]"]) == [("atom", "12"), ("atom", "true"), ("atom", "null")]


def test_the_words_of_what_is_no_json_stay_together() -> None:
    assert values(["{'card': '4111 1111", " 1111 1111', 'x': 1}"]) == [
        ("atom", "'card'"),
        ("atom", "'4111 1111 1111 1111'"),
        ("atom", "'x'"),
        ("atom", "1"),
    ]


@given(LIKE_JSON)
def test_in_a_whole_text_every_value_is_one_piece(text: str) -> None:
    pieces = whole(text)
    assert "".join(part for piece in pieces for part in piece.raw) == text
    assert [(p.kind, p.text) for p in pieces if p.kind != "structure"] == values([text])
    assert all(piece.ends for piece in pieces if piece.kind != "structure")


@pytest.mark.parametrize(
    ("text", "atom", "written"),
    [
        ("<CARD>", "4111", '"<CARD>"'),
        ("<A> \n", "12 \n", '"<A>" \n'),
        ("b\n", "<A>", '"b\\n"'),
        ("'a\"b'", "'<A>'", '"\'a\\"b\'"'),
    ],
)
def test_an_atom_is_put_back_as_a_string(text: str, atom: str, written: str) -> None:
    assert quoted(text, atom) == written


def test_an_atom_that_is_cut_is_one_value() -> None:
    kinds = [(p.kind, p.text, p.ends) for p in pieces_of(["[4111", "1111", "]"])]
    assert [kind for kind, _ in groupby(kinds, key=lambda found: found[0])] == [
        "structure",
        "atom",
        "structure",
    ]
    assert values(["[4111", "1111", "]"]) == [("atom", "41111111")]


@given(st.text(st.characters(codec="utf-8")))
def test_escaped_text_reads_back(text: str) -> None:
    assert json.loads(f'"{escaped(text)}"') == text
