r"""JSON inside a string, a piece at a time: the arguments of a tool call as a model writes them.

The text of the arguments is scanned decoded (`\u0040` is an at sign), value by value, and put back
encoded. The tokenizer never asks whether the JSON is valid, since a model may not finish it: what
is between quotes is a string, what is not is structure and atoms. So it gives the same values for a
whole text as for its fragments. An atom goes on over white space: in valid JSON only more of it can
follow, and in what a model takes for JSON (`{'card': '4111 1111 1111 1111'}`) the words of one
value stay together.
"""

from __future__ import annotations

import json
import re
from typing import Literal

type Kind = Literal["string", "atom", "structure"]

_STRUCTURE = re.compile(r'[\s{}\[\],:"]')
_ATOM_END = re.compile(r'[{}\[\],:"]')
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_PLAIN = re.compile(r'[^"\\]+')


class Piece:
    """A run of one value's text: `text` decoded, `raw[i]` how its i-th character was written, and
    whether the value ends with it. Structure has its raw text in `raw` alone."""

    __slots__ = ("ends", "kind", "raw", "text")

    def __init__(self, kind: Kind, text: str, raw: list[str], *, ends: bool) -> None:
        self.kind = kind
        self.text = text
        self.raw = raw
        self.ends = ends


class Tokenizer:
    """Fragments of JSON text in, pieces out."""

    def __init__(self) -> None:
        self._inside: Kind = "structure"
        self._rest = ""

    @property
    def held(self) -> int:
        """Characters of an escape that wait for its other part."""
        return len(self._rest)

    def feed(self, fragment: str) -> list[Piece]:
        """The pieces that are certain so far. An escape that is cut waits for its other part."""
        text = self._rest + fragment
        self._rest = ""
        pieces: list[Piece] = []
        place = 0
        while place < len(text):
            step = {"string": self._string, "atom": self._atom, "structure": self._structure}[
                self._inside
            ]
            place = step(text, place, pieces)
        return pieces

    def close(self) -> list[Piece]:
        """The end of the text: whatever value is open ends here."""
        rest, self._rest = self._rest, ""
        kind, self._inside = self._inside, "structure"
        if kind == "structure":
            return []
        return [Piece(kind, rest, list(rest), ends=True)]

    def _structure(self, text: str, place: int, pieces: list[Piece]) -> int:
        start = place
        while place < len(text) and _STRUCTURE.match(text, place):
            place += 1
            if text[place - 1] == '"':
                self._inside = "string"
                break
        else:
            if place < len(text):
                self._inside = "atom"
        if place > start:
            pieces.append(Piece("structure", "", [text[start:place]], ends=False))
        return place

    def _atom(self, text: str, place: int, pieces: list[Piece]) -> int:
        end = _ATOM_END.search(text, place)
        stop = end.start() if end else len(text)
        if end:
            self._inside = "structure"
        pieces.append(Piece("atom", text[place:stop], list(text[place:stop]), ends=end is not None))
        return stop

    def _string(self, text: str, place: int, pieces: list[Piece]) -> int:
        chars: list[str] = []
        raw: list[str] = []
        ends = False
        while place < len(text):
            if plain := _PLAIN.match(text, place):
                chars += plain.group()
                raw += plain.group()
                place = plain.end()
            elif text[place] == '"':
                ends = True
                break
            else:
                written = _escape(text, place)
                if not written:
                    self._rest = text[place:]
                    place = len(text)
                    break
                raw.append(written)
                chars.append(_decoded(written))
                place += len(written)
        if ends:
            self._inside = "structure"
        if chars or ends:
            pieces.append(Piece("string", "".join(chars), raw, ends=ends))
        if ends:
            pieces.append(Piece("structure", "", ['"'], ends=False))
            place += 1
        return place


_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[^u]|u)",
    re.DOTALL,
)
_CUT = re.compile(
    r"\\(?:|u[0-9a-fA-F]{0,3}|u[dD][89abAB][0-9a-fA-F]{2}(?:|\\|\\u|\\u[dD][c-fC-F]?[0-9a-fA-F]{0,1}))\Z"
)


def _escape(text: str, place: int) -> str:
    """The escape that begins at `place`, or nothing while more text could lengthen it."""
    if _CUT.match(text, place):
        return ""
    found = _ESCAPE.match(text, place)
    assert found is not None, "a backslash always begins an escape"
    return found.group()


def _decoded(written: str) -> str:
    """One character for the scanner; an escape that means nothing stands for its letter."""
    if len(written) == 2:
        return _ESCAPES.get(written[1], written[1])
    char = str(json.loads(f'"{written}"'))
    return char if len(char) == 1 and not "\ud800" <= char <= "\udfff" else "\ufffd"


def values(text: str) -> list[Piece]:
    """The pieces of a whole text: every value is one."""
    tokenizer = Tokenizer()
    pieces = tokenizer.feed(text)
    for last in tokenizer.close():
        if pieces and pieces[-1].kind == last.kind:
            pieces[-1].text += last.text
            pieces[-1].raw += last.raw
            pieces[-1].ends = True
        else:
            pieces.append(last)
    return pieces


def quoted(text: str, atom: str) -> str:
    """`text` in place of `atom`, as a JSON string. White space behind the atom stays behind it."""
    behind = atom[len(atom.rstrip()) :]
    return f'"{escaped(text.removesuffix(behind))}"{behind}'


def escaped(text: str) -> str:
    """`text` as it stands between the quotes of a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1]
