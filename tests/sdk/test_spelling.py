from __future__ import annotations

import pytest

from nexus_sdk.spelling import did_you_mean


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("limts", "; did you mean 'limits'?"),
        ("LIMITS", "; did you mean 'limits'?"),
        ("Kil", "; did you mean 'Kill'?"),
        ("zebra", ""),
        ("", ""),
        ("limits" * 20, ""),
    ],
)
def test_a_near_miss_is_named(word: str, hint: str) -> None:
    assert did_you_mean(word, ["limits", "Kill"]) == hint
