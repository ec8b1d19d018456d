"""Near misses: what a person may have meant by a word that we do not know."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 100
"""Characters. Comparing is quadratic, and nobody mistypes more than this."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'name'?`, or an empty text when nothing known is near."""
    if len(word) > _LONGEST:
        return ""
    names = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), names, n=1, cutoff=0.7)
    return f"; did you mean {names[near[0]]!r}?" if near else ""
