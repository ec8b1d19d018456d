"""Every text of a document is found, at an address that leads back to it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sdk.wire.json import at
from nexus_sdk.wire.texts import NUMBER_WORTH_READING, Leaf, TextMap, address, leaves

MAP = TextMap(
    skip=frozenset({"type", "id"}),
    json_text=frozenset({"arguments"}),
    typed={"base64": frozenset({"data"})},
    inside={"audio": frozenset({"voice"})},
    media=frozenset({"url"}),
    free=frozenset({"input"}),
)


def found(doc: Any) -> dict[str, str]:
    return {address(leaf.path): leaf.text for leaf in leaves(doc, MAP)}


def test_texts_stand_in_the_order_of_the_document() -> None:
    doc = {"a": "one", "b": [{"c": "two"}, "three", ["four"]], "d": ""}
    assert list(found(doc).items()) == [
        ("a", "one"),
        ("b.0.c", "two"),
        ("b.1", "three"),
        ("b.2.0", "four"),
    ]


@pytest.mark.parametrize(
    ("doc", "addresses"),
    [
        ({"type": "x", "id": "y", "text": "z"}, ["text"]),
        ({"type": "base64", "data": "AAAA"}, []),
        ({"type": "text", "data": "hello"}, ["data"]),
        ({"type": ["base64"], "data": "hello"}, ["data"]),
        ({"audio": {"voice": "alloy", "transcript": "hi"}}, ["audio.transcript"]),
        ({"voice": "alloy"}, ["voice"]),
        ({"url": "data:image/png;base64,AAAA"}, []),
        ({"url": "https://x.example/?q=hi"}, ["url"]),
        (
            {"input": {"id": "one", "type": "two", "deep": [{"id": "three"}]}},
            ["input.id", "input.type", "input.deep.0.id"],
        ),
        ({"n": None, "t": True, "f": 1.5, "i": 5}, []),
    ],
)
def test_what_is_a_text_and_what_a_word_of_the_protocol(doc: Any, addresses: list[str]) -> None:
    assert list(found(doc)) == addresses


def test_json_in_a_string_is_marked() -> None:
    (leaf,) = leaves({"arguments": '{"a":1}'}, MAP)
    assert leaf == Leaf(("arguments",), '{"a":1}', json_text=True)


@pytest.mark.parametrize(
    ("number", "read"),
    [
        (NUMBER_WORTH_READING, False),
        (NUMBER_WORTH_READING + 1, True),
        (4111111111111111, True),
        (4111111111111111.0, False),
        (True, False),
    ],
)
def test_long_numbers_are_read_as_text(number: Any, read: bool) -> None:
    wanted = [Leaf(("a", 0), str(number), number=True), Leaf(("b",), str(number), number=True)]
    assert leaves({"a": [number], "b": number}, MAP) == (wanted if read else [])


def test_nothing_is_skipped_for_a_map_that_names_nothing() -> None:
    assert len(leaves({"type": "a", "id": "b", "url": "data:c"}, TextMap(skip=frozenset()))) == 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["type", "id", "text", "a", "0"]), inner, max_size=4)
    ),
)


@given(st.dictionaries(st.text(max_size=3), JSON) | st.lists(JSON))
def test_an_address_leads_to_its_text(doc: Any) -> None:
    for leaf in leaves(doc, MAP):
        value = at(doc, leaf.path)
        assert (str(value) if leaf.number else value) == leaf.text
        assert leaf.text
        assert leaf.path[-1] not in MAP.skip
