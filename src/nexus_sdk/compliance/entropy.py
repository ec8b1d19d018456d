"""How random is a text, and is it only a stand-in for a secret?

A real key is drawn evenly from its alphabet. What people write in its place is not: words, runs of
the keyboard, counting, one block again and again.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from math import log2

LOOKED_AT = 256
"""Characters that decide; a longer value is judged by its beginning."""
MAX_BITS = 8.0
"""No threshold of entropy is higher: one bit for each bit of a byte."""

_FILLER = (
    "example", "sample", "placeholder", "changeme", "change_me", "change-me", "redacted", "removed",
    "dummy", "insert", "replace", "fixme", "foobar", "foo_bar", "lorem", "xxxx", "undefined",
    "goeshere", "goes_here", "goes-here", "process.env", "environ", "getenv", "....", "****",
    "____", "----",
)  # fmt: skip
_CHOSEN = (
    "qwerty", "asdfgh", "deadbeef", "cafebabe", "hunter2", "password", "passwd", "secret",
    "notreal", "not_real", "not-real", "someone", "something", "default", "123456", "abcdef",
    "1234-1234",
)  # fmt: skip
"""People do choose passwords that hold these; no machine makes a key of them."""
_TEMPLATE = (
    r"(?:^|[^a-z])(?:my|your|our|the|some)[_. -]?"
    r"(?:own|api|app|access|auth|client|key|token|value|account|pass)"
    r"|(?:^|[^a-z0-9])(?:api|access|auth|client|app)[_. -]?(?:key|token|id)(?:[^a-z0-9]|$)"
    r"|[$%#]\{|\{\{|<%|^<|^\$[a-z(]|^%[a-z(]|^\[|\(\)$"
)
_IS_FILLER = re.compile("|".join([*map(re.escape, _FILLER), _TEMPLATE]))
_IS_STAND_IN = re.compile(
    "|".join(
        [
            *map(re.escape, _FILLER + _CHOSEN),
            _TEMPLATE,
            r"^(?:my|your|the|some|any|an?|test|fake|mock|demo|temp|new|old)[^a-z0-9]",
        ]
    )
)
_LONG = 24
"""From this length on, a value of four different characters or fewer is drawn, not made."""
_ORDERED = 0.5
"""From this share of neighbours that follow each other (or repeat), a text is counting, not random.
"""


def shannon(text: str) -> float:
    """Bits per character of `text` by its own frequencies; 0 for the empty text."""
    if not text:
        return 0.0
    length = len(text)
    return -sum(n / length * log2(n / length) for n in Counter(text).values())


def looks_like_placeholder(text: str) -> bool:
    """Is `text` a stand-in (`your_api_key_here`, `xxxx`, `abcdef123456`, one block repeated), not a
    value?"""
    low = text[:LOOKED_AT].lower()
    return _IS_STAND_IN.search(low) is not None or _patterned(low)


def looks_like_filler(text: str) -> bool:
    """As `looks_like_placeholder`, for what people choose: a password may well hold "secret"."""
    low = text[:LOOKED_AT].lower()
    return _IS_FILLER.search(low) is not None or _patterned(low)


def _patterned(text: str) -> bool:
    if len(text) < 4 or len(set(text)) <= (2 if len(text) < _LONG else 4):
        return True
    return _ordered(text) >= _ORDERED or _period(text) * 3 <= len(text)


def _ordered(text: str) -> float:
    """The share of neighbours whose code points differ by at most one."""
    steps = sum(-1 <= ord(b) - ord(a) <= 1 for a, b in pairwise(text))
    return steps / (len(text) - 1)


def _period(text: str) -> int:
    """The length of the shortest block that `text` is made of, a cut last block included (Knuth,
    Morris, Pratt)."""
    border = [0] * len(text)
    known = 0
    for at in range(1, len(text)):
        while known and text[at] != text[known]:
            known = border[known - 1]
        if text[at] == text[known]:
            known += 1
        border[at] = known
    return len(text) - border[-1]
