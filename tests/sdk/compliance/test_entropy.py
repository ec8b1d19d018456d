"""Randomness, and what only stands for it."""

from __future__ import annotations

import random
import string
from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sdk.compliance.entropy import looks_like_filler, looks_like_placeholder, shannon


@given(st.text(max_size=100))
def test_entropy_is_between_nothing_and_its_alphabet(text: str) -> None:
    assert -1e-9 <= shannon(text) <= log2(max(len(set(text)), 1)) + 1e-9


@pytest.mark.parametrize(("text", "bits"), [("", 0), ("aaaa", 0), ("ab", 1), ("abcd" * 5, 2)])
def test_entropy_of_known_texts(text: str, bits: float) -> None:
    assert shannon(text) == pytest.approx(bits)


@pytest.mark.parametrize(
    "text",
    [
        "your_api_key_here", "YOUR-TOKEN-12ab", "xxxxxxxxxxxx", "AKIAIOSFODNN7EXAMPLE",
        "abcdef123456", "1234567890abcdef1234567890abcdef", "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345",
        "aaaaaaaaaaaaaaaa", "deadbeefdeadbeef", "q7Zq7Zq7Zq7Zq7Z", "changeme", "<token>",
        "${TOKEN}", "{{ token }}", "$TOKEN", "%(token)s", "[REDACTED]", "sk-....",
        "process.env.KEY", "my_secret", "fedcba987654", "abc", "",
    ],
)  # fmt: skip
def test_placeholders(text: str) -> None:
    assert looks_like_placeholder(text)


@pytest.mark.parametrize(
    "text",
    ["v8Kq2nXw7ZtR4mLp", "9f2c7e61b04da853ce17", "5eb63bbbe01eeed093cb22bb8f5acdc3", "tRa7-xLq"],
)
def test_values(text: str) -> None:
    assert not looks_like_placeholder(text)
    assert not looks_like_filler(text)


def test_a_password_may_hold_the_word() -> None:
    assert looks_like_placeholder("TheSecretOf7Seas")
    assert not looks_like_filler("TheSecretOf7Seas")
    assert looks_like_filler("your_password")


@pytest.mark.parametrize("alphabet", [string.hexdigits[:16], string.ascii_letters + string.digits])
@pytest.mark.parametrize("length", [16, 32, 64, 300])
def test_random_values_are_hardly_ever_taken_for_placeholders(alphabet: str, length: int) -> None:
    rng = random.Random(length)
    drawn = ("".join(rng.choices(alphabet, k=length)) for _ in range(2000))
    assert sum(map(looks_like_placeholder, drawn)) <= 2
