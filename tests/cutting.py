"""The same whole in other pieces: what a parser of streams must not notice."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PLACES = st.lists(st.integers(0, 10_000), max_size=12)
"""Where to cut, for `cut`: any number goes."""


def cut[S: (str, bytes)](whole: S, places: Sequence[int]) -> list[S]:
    """`whole` in pieces that meet at `places`, counted around its length."""
    marks = sorted({0, len(whole), *(place % (len(whole) + 1) for place in places)})
    return [whole[low:high] for low, high in pairwise(marks)]


def cuts[S: (str, bytes)](whole: S) -> Iterator[Sequence[S]]:
    """`whole` in one piece, in two pieces at every place, and one element at a time."""
    yield [whole]
    yield from ([whole[:place], whole[place:]] for place in range(1, len(whole)))
    yield [whole[place : place + 1] for place in range(len(whole))]
