"""Strict JSON: one reading for everybody, and edits that leave every other byte as it was.

What a policy judged and what an upstream reads must be the same document. So a body that two
parsers could read differently (duplicate keys, NaN, numbers without a value, depth without end) is
refused, and the bytes that were judged are the bytes that are sent, less the values that policy
replaced.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import orjson

from nexus_sdk.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Mapping

type Json = Any
"""A JSON value as Python's plain types. This alias and `effects.Flow` are the two homes of
`Any`."""
type Path = tuple[str | int, ...]
"""Keys and indexes from the document's root to a value."""

MAX_DEPTH = 64
MAX_KEYS = 10_000
MAX_DIGITS = 100
"""Digits of one whole number; parsers differ on longer ones, and some take quadratic time."""

_BLANKS = b" \t\r\n"
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]|[^\s,:{}\[\]"]+', re.DOTALL)


def parse(raw: bytes, *, own_encoding: bool = False) -> Json:
    """The document. `own_encoding` says that `orjson.dumps` made `raw`, which cannot repeat a key.

    Raises Malformed: not JSON, invalid UTF-8, a byte order mark, repeated keys, NaN or Infinity,
    numbers beyond a double, over `MAX_DEPTH` levels, over `MAX_KEYS` keys.
    """
    if not raw:
        raise Malformed("the body is empty; a JSON object is expected")
    try:
        doc = orjson.loads(raw)
    except orjson.JSONDecodeError as err:
        raise Malformed(f"the body is not valid JSON: {err}") from None
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _deeper_than(doc, MAX_DEPTH):
        raise Malformed(f"the body is nested over {MAX_DEPTH} levels deep")
    if raw.count(b":") > MAX_KEYS and _count_keys(doc) > MAX_KEYS:
        raise Malformed(f"the body has over {MAX_KEYS} keys")
    if not own_encoding and not _is_plain(doc, raw):
        _refuse_ambiguous(raw)
    return doc


def _is_plain(doc: Json, raw: bytes) -> bool:
    """Is `raw` what orjson writes for `doc`, but for blanks?

    What orjson writes holds each key once, so equality proves that nothing was repeated. Leaving
    out the blanks inside strings too keeps every token a token. Other spellings (escaped letters,
    `1e2`) pay for the slow reading.
    """
    written = orjson.dumps(doc)
    return written == raw or written.translate(None, _BLANKS) == raw.translate(None, _BLANKS)


def _refuse_ambiguous(raw: bytes) -> None:
    """What orjson takes and others may read differently. NaN and numbers out of range it has
    refused itself."""
    json.loads(raw, object_pairs_hook=_unique_keys, parse_int=_bounded_int)


def _unique_keys(pairs: list[tuple[str, Json]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise Malformed(f"the key {key[:64]!r} stands twice in one object", param=key[:64])
        seen.add(key)


def _bounded_int(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise Malformed(f"a number has over {MAX_DIGITS} digits")
    return 0


def _deeper_than(doc: Json, limit: int) -> bool:
    level = [doc]
    for _ in range(limit):
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return False
    return True


def _count_keys(doc: Json) -> int:
    total, todo = 0, [doc]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            total += len(node)
            todo.extend(node.values())
        elif isinstance(node, list):
            todo.extend(node)
    return total


def dumps(doc: Json) -> bytes:
    """Compact UTF-8 JSON."""
    return orjson.dumps(doc)


def at(doc: Json, path: Path) -> Json:
    """The value at `path`. Raises KeyError or IndexError."""
    for step in path:
        doc = doc[step]
    return doc


def splice(raw: bytes, edits: Mapping[Path, Json]) -> bytes:
    """`raw` with the values at these paths replaced, and every other byte as it was.

    `raw` must have gone through `parse`. Raises KeyError when a path is not in the document: an
    edit that finds no place must never be lost.
    """
    if not edits:
        return raw
    spans = _locate(raw, edits)
    if len(spans) != len(edits):
        missing = next(path for path in edits if path not in spans)
        raise KeyError(f"no value at {'.'.join(map(str, missing))}")
    out: list[bytes] = []
    done = 0
    for path, (start, end) in sorted(spans.items(), key=lambda item: item[1]):
        out += (raw[done:start], orjson.dumps(edits[path]))
        done = end
    out.append(raw[done:])
    return b"".join(out)


def insert(raw: bytes, key: str, value: Json) -> bytes:
    """`raw`, an object, with a first member that it does not have yet."""
    brace = raw.index(b"{") + 1
    comma = b"" if raw[brace:].lstrip().startswith(b"}") else b","
    return raw[:brace] + orjson.dumps(key) + b":" + orjson.dumps(value) + comma + raw[brace:]


class _Frame:
    """An open container on the way down: its place among the wanted paths, and which member comes
    next."""

    __slots__ = ("is_object", "path", "step", "wanted")

    def __init__(self, wanted: dict[str | int, Any], path: Path, *, is_object: bool) -> None:
        self.wanted = wanted
        self.path = path
        self.is_object = is_object
        self.step: str | int | None = None if is_object else 0


def _locate(raw: bytes, paths: Mapping[Path, Json]) -> dict[Path, tuple[int, int]]:
    """Byte spans of the values at `paths`."""
    locator = _Locator(_trie(paths))
    for token in _TOKEN.finditer(raw):
        locator.feed(raw[token.start()], token)
        if len(locator.spans) == len(paths):
            break
    return locator.spans


class _Locator:
    """Follows the tokens of a document, and notes where the wanted values begin and end."""

    def __init__(self, wanted: dict[str | int, Any]) -> None:
        self.spans: dict[Path, tuple[int, int]] = {}
        self._wanted = wanted
        self._stack: list[_Frame] = []
        self._skipping = 0
        self._opened: tuple[Path, int] | None = None

    def feed(self, first: int, token: re.Match[bytes]) -> None:
        """`first` is the token's first byte."""
        if self._skipping:
            self._skip(first, token)
        elif first in b"}]":
            self._stack.pop()
            self._next()
        elif self._stack and self._stack[-1].is_object and self._stack[-1].step is None:
            self._stack[-1].step = orjson.loads(token.group())
        else:
            self._value(first, token)

    def _value(self, first: int, token: re.Match[bytes]) -> None:
        path, node = self._place()
        if first not in b"{[":
            if node is not None:
                self.spans[path] = token.span()
            self._next()
        elif node:
            self._stack.append(_Frame(node, path, is_object=first == _BRACE))
        else:
            self._skipping = 1
            self._opened = (path, token.start()) if node is not None else None

    def _skip(self, first: int, token: re.Match[bytes]) -> None:
        """Inside a container in which nothing is wanted, or all of it."""
        self._skipping += (first in b"{[") - (first in b"}]")
        if self._skipping:
            return
        if self._opened is not None:
            self.spans[self._opened[0]] = (self._opened[1], token.end())
            self._opened = None
        self._next()

    def _place(self) -> tuple[Path, dict[str | int, Any] | None]:
        """Where the value that begins now stands, and what is wanted there or below."""
        if not self._stack:
            return (), self._wanted
        frame = self._stack[-1]
        assert frame.step is not None
        node = frame.wanted.get(frame.step)
        return (() if node is None else (*frame.path, frame.step)), node

    def _next(self) -> None:
        if self._stack:
            frame = self._stack[-1]
            frame.step = None if frame.is_object else int(frame.step or 0) + 1


_BRACE = ord("{")


def _trie(paths: Mapping[Path, Json]) -> dict[str | int, Any]:
    """Nested dicts by step; an empty dict marks a wanted value."""
    root: dict[str | int, Any] = {}
    for path in paths:
        node = root
        for step in path:
            node = node.setdefault(step, {})
    return root
