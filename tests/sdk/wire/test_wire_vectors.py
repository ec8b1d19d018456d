from __future__ import annotations

import base64
import struct
import sys
from typing import Any

import pytest

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.wire import estimates, vectors


def test_base64_is_of_little_endian_binary32() -> None:
    text = base64.b64encode(struct.pack("<3f", 0.5, -0.25, 3.0)).decode()
    assert vectors.base64_text([0.5, -0.25, 3]) == text
    assert vectors.numbers(text) == [0.5, -0.25, 3.0]


def test_what_is_in_the_wanted_form_already_stays_as_it_is() -> None:
    vector = [0.1, 0.2]
    assert vectors.numbers(vector) is vector
    assert vectors.base64_text("AAAAPw==") == "AAAAPw=="


def test_the_order_of_bytes_is_the_same_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sys.byteorder == "little"
    monkeypatch.setattr(vectors, "_SWAPPED", True)
    swapped = base64.b64encode(struct.pack(">1f", 0.5)).decode()
    assert vectors.base64_text([0.5]) == swapped
    assert vectors.numbers(swapped) == [0.5]


@pytest.mark.parametrize("vector", ["!!!!", "AAA", "AAAA", "ä", None, 4, {}])
def test_what_is_no_vector_is_no_answer(vector: Any) -> None:
    with pytest.raises(UpstreamFailed, match="neither"):
        vectors.numbers(vector)


@pytest.mark.parametrize("vector", [["x"], [None], [[0.5]], [10**400]])
def test_a_list_of_anything_else_has_no_base64(vector: Any) -> None:
    with pytest.raises(UpstreamFailed, match="numbers"):
        vectors.base64_text(vector)


def test_quantised_vectors_are_whole_numbers() -> None:
    assert vectors.are_floats([0.0, 1])
    assert vectors.are_floats("AAAAPw==")
    assert not vectors.are_floats([1, -2])


@pytest.mark.parametrize(("chars", "tokens"), [(0, 0), (1, 1), (4, 1), (5, 2), (400, 100)])
def test_a_token_is_four_characters_rounded_up(chars: int, tokens: int) -> None:
    assert estimates.tokens(chars) == tokens
