"""Prompts of an exact size, no two alike: prose with figures, code and punctuation, as people send
it.

The words are made up, so that no text repeats and no rule of the default policy finds anything; but
for `SENSITIVE`, which holds three values that it redacts.
"""

from __future__ import annotations

import random
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 20261122
VARIETY = 64
"""Texts of a size. What is unique in a prompt is its first word; caches of an engine see this
many texts."""
WORDS = 4000
SERIAL_LETTERS = 6

ONSETS = (
    "b",
    "br",
    "c",
    "cl",
    "d",
    "dr",
    "f",
    "g",
    "gr",
    "h",
    "l",
    "m",
    "n",
    "p",
    "pl",
    "r",
    "s",
    "st",
    "t",
    "tr",
    "v",
    "w",
)
VOWELS = ("a", "e", "i", "o", "u", "ea", "io", "ou")
CODAS = ("", "", "", "n", "r", "s", "t", "l", "nd", "st", "ck", "m")
CODE = (
    "def {0}({1}, {2}=None):\n    return [{1} for {1} in {2} if {1} > {n}]\n",
    "for (int {0} = 0; {0} < {n}; ++{0}) {{ {1} += {2}[{0}]; }}\n",
    'if ({0}.{1} !== "{2}") {{ throw new Error("{0}: {n}"); }}\n',
    "SELECT {0}, count(*) FROM {1} WHERE {2} >= {n} GROUP BY {0};\n",
    '{{"{0}": {n}, "{1}": ["{2}", true, null]}}\n',
)
ENDS = (". ", ". ", ". ", "? ", "! ", ".\n\n", ": ")
SENSITIVE = (
    "Write to jane.miller@corp-mail.com, card 4111 1111 1111 1111, SSN 536-22-8145, and say why. "
)


_serials = count()
"""Of the whole process: two measurements that send the same prompts would read each other's answers
from the cache."""


def prompts(size: int, *, holding: str = "", seed: int = SEED) -> Iterator[str]:
    """Endless prompts of exactly `size` bytes (ASCII), each of them unique; `holding` stands in
    every one."""
    chance = random.Random(f"{seed} {size}")
    words = _words(chance)
    room = size - SERIAL_LETTERS - 1 - len(holding)
    if room < 0:
        raise ValueError(f"a prompt of {size} bytes has no room for its first word and {holding!r}")
    texts = [holding + _text(chance, words, room) for _ in range(VARIETY)]
    for turn in count():
        yield f"{_letters(next(_serials))} {texts[turn % VARIETY]}"


def _letters(number: int) -> str:
    """The number as a word, least letter first: a counter in figures would look like a personal
    number."""
    out = ""
    for _ in range(SERIAL_LETTERS):
        number, place = divmod(number, 26)
        out += chr(97 + place)
    return out


def _words(chance: random.Random) -> list[str]:
    def syllable() -> str:
        return chance.choice(ONSETS) + chance.choice(VOWELS) + chance.choice(CODAS)

    return [
        "".join(syllable() for _ in range(chance.choice((1, 1, 2, 2, 2, 3)))) for _ in range(WORDS)
    ]


def _text(chance: random.Random, words: list[str], size: int) -> str:
    parts: list[str] = []
    length = 0
    while length < size:
        part = _code(chance, words) if chance.random() < 0.08 else _sentence(chance, words)
        parts.append(part)
        length += len(part)
    return "".join(parts)[:size]


def _sentence(chance: random.Random, words: list[str]) -> str:
    chosen = [_word(chance, words) for _ in range(chance.randint(4, 16))]
    return " ".join(chosen).capitalize() + chance.choice(ENDS)


def _word(chance: random.Random, words: list[str]) -> str:
    kind = chance.random()
    if kind < 0.03:
        return str(chance.randint(1, 2030))
    if kind < 0.04:
        return f"{chance.randint(1, 99)}.{chance.randint(1, 9)}%"
    if kind < 0.06:
        return f"({chance.choice(words)})"
    return chance.choice(words) + ("," if kind > 0.93 else "")


def _code(chance: random.Random, words: list[str]) -> str:
    names = chance.sample(words, 3)
    return chance.choice(CODE).format(*names, n=chance.randint(0, 500))
