from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nexus_sdk.demo import metering
from nexus_sdk.demo.metering import Prefixes, pieces, tokens


@given(st.text(max_size=200))
def test_a_text_has_as_many_tokens_as_pieces(text: str) -> None:
    assert "".join(pieces(text)) == text
    assert len(pieces(text)) == tokens(text)


def test_a_short_prompt_is_never_cached() -> None:
    prefixes = Prefixes()
    short = "x" * (1024 * 4 - 1)
    assert [prefixes.cached("m", short), prefixes.cached("m", short)] == [(0, 0), (0, 0)]


def test_the_longest_common_prefix_is_cached_in_steps_of_128_tokens() -> None:
    prefixes = Prefixes()
    common = "system " * 1000
    assert prefixes.cached("m", common + "a") == (0, 1664)
    assert prefixes.cached("m", common + "b" * 2000) == (1664, 2176)
    assert prefixes.cached("other model", common) == (0, 1664)
    assert prefixes.cached("m", "y" + common) == (0, 1664)
    prefixes.clear()
    assert prefixes.cached("m", common) == (0, 1664)


def test_the_oldest_prefixes_are_forgotten() -> None:
    prefixes = Prefixes()
    first = "a" * 4096
    prefixes.cached("m", first)
    for number in range(metering.MAX_PREFIXES):
        prefixes.cached("m", f"{number:04096d}")
    assert prefixes.cached("m", first) == (0, 1024)
