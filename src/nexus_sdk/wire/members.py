"""Edits of a JSON object's members in its bytes: what `json.splice` does for values, for members
that go, come or get another name. Every other byte stays as it was.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import orjson

from nexus_sdk.wire.json import insert, splice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nexus_sdk.wire.json import Json, Path

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]|[^\s,:{}\[\]"]+', re.DOTALL)
_BLANK = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class Change:
    """One edit. `set` gives the value at `path` another one; `drop` takes the member away; `rename`
    makes `value` its key; `add` is a new member of the document itself."""

    action: Literal["set", "drop", "rename", "add"]
    path: Path
    value: Json = None


def changed(doc: Json, changes: Iterable[Change]) -> Json:
    """A copy of `doc` with the changes; what they do not touch is shared with it. Raises KeyError
    or IndexError for a path that is not there."""
    out = dict(doc)
    for change in changes:
        *above, last = change.path
        here = out
        for step in above:
            here[step] = here[step].copy()
            here = here[step]
        if change.action in ("set", "add"):
            here[last] = change.value
        elif change.action == "drop":
            del here[last]
        else:
            here[change.value] = here.pop(last)
    return out


def edited(raw: bytes, changes: Iterable[Change]) -> bytes:
    """`raw` with the changes, one after the other. `raw` must have gone through `json.parse`.
    Raises KeyError for a path that is not there."""
    for change in changes:
        if change.action == "add":
            raw = insert(raw, str(change.path[0]), change.value)
        elif change.action == "set":
            raw = splice(raw, {change.path: change.value})
        elif change.action == "rename":
            start, end, _ = _member(raw, change.path)
            raw = raw[:start] + orjson.dumps(change.value) + raw[end:]
        else:
            raw = _without(raw, change.path)
    return raw


def _without(raw: bytes, path: Path) -> bytes:
    start, _, end = _member(raw, path)
    after = len(raw) - len(raw[end:].lstrip(_BLANK))
    if raw[after : after + 1] == b",":
        rest = raw[after + 1 :].lstrip(_BLANK)
        return raw[:start] + rest
    before = raw[:start].rstrip(_BLANK)
    return before.removesuffix(b",") + raw[end:]


def _member(raw: bytes, path: Path) -> tuple[int, int, int]:
    """Where the member at `path` is: the start of its key, the key's end, the value's end. Raises
    KeyError."""
    key, at = (0, 0), raw.index(b"{")
    for step in path:
        key, at = _child(raw, at, step)
    return *key, _end(raw, at)


def _child(raw: bytes, at: int, step: str | int) -> tuple[tuple[int, int], int]:
    """In the container that opens at `at`: the span of the key (of an item, its own), and where its
    value begins."""
    tokens = _TOKEN.finditer(raw, at + 1)
    named = raw[at : at + 1] == b"{"
    for place, token in enumerate(tokens):
        if token.group() in (b"}", b"]"):
            break
        value = next(tokens) if named else token
        if (orjson.loads(token.group()) if named else place) == step:
            return token.span(), value.start()
        _skip(value, tokens)
    raise KeyError(step)


def _end(raw: bytes, at: int) -> int:
    """Where the value that begins at `at` ends."""
    tokens = _TOKEN.finditer(raw, at)
    return _skip(next(tokens), tokens)


def _skip(value: re.Match[bytes], tokens: Iterator[re.Match[bytes]]) -> int:
    """Past a value whose first token is `value`; gives its end."""
    depth = _DEPTH.get(value.group(), 0)
    while depth:
        value = next(tokens)
        depth += _DEPTH.get(value.group(), 0)
    return value.end()


_DEPTH = {b"{": 1, b"[": 1, b"}": -1, b"]": -1}
