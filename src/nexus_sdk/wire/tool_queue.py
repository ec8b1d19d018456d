"""The calls of one streamed answer one after the other, as Anthropic and Cohere tell them.

Other APIs may send the arguments of parallel calls in turns. Here a call must end before the next
begins, and cannot be opened again. So a call streams live as soon as those before it are complete
JSON, and waits until then.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.json import dumps

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json

CANONICAL_ONLY = frozenset(
    {"type", "function", "custom", "index", "item_id", "status", "namespace"}
)
"""Members of a canonical call that belong to its form, or to the origin of the call."""

_MARK = re.compile(r'["\\{}\[\]]')


class Braces:
    """Tells when a JSON object that comes in fragments is complete, without reading its values."""

    def __init__(self) -> None:
        self._depth = 0
        self._quoted = False
        self._escape_at = -1
        self._length = 0
        self._begun = False

    @property
    def complete(self) -> bool:
        return self._begun and self._depth == 0

    def feed(self, text: str) -> None:
        for mark in _MARK.finditer(text):
            self._take(mark.group(), self._length + mark.start())
        self._length += len(text)

    def _take(self, mark: str, place: int) -> None:
        if self._quoted:
            if place == self._escape_at:
                return
            if mark == "\\":
                self._escape_at = place + 1
            elif mark == '"':
                self._quoted = False
        elif mark == '"':
            self._quoted = True
        elif mark in "{[":
            self._begun = True
            self._depth += 1
        elif mark in "}]":
            self._depth -= 1


class Call:
    """One tool call: its head, and the fragments that have not gone out yet."""

    __slots__ = ("braces", "custom", "done", "head", "waiting")

    def __init__(self) -> None:
        self.head: Json = {}
        self.custom = False
        self.waiting: list[str] = []
        self.braces = Braces()
        self.done = False

    def take(self, piece: Json) -> None:
        function = piece.get("function") or piece.get("custom") or {}
        if piece.get("id"):
            self.head["id"] = piece["id"]
        if function.get("name"):
            self.head.setdefault("name", function["name"])
        self.head |= without(piece, {"id", *CANONICAL_ONLY})
        if "custom" in piece:
            self._take_input(function.get("input") or "")
        elif text := function.get("arguments"):
            self.waiting.append(text)
            self.braces.feed(text)

    def _take_input(self, text: str) -> None:
        """A piece of a custom tool's input, as the text of the one member of an object."""
        if not self.custom:
            self.custom = True
            self.waiting.append('{"input":"')
        if text:
            self.waiting.append(dumps(text)[1:-1].decode())

    def finish(self) -> None:
        """No piece comes after this."""
        if self.custom:
            self.waiting.append('"}')


class ToolQueue:
    """Calls by their index, in the order in which they began."""

    def __init__(self) -> None:
        self._calls: dict[int, Call] = {}

    def take(self, piece: Json) -> None:
        """A piece of a call. Pieces without an index (some copies of OpenAI's API) belong to the
        last call, unless they bring a new id."""
        index = piece.get("index")
        if index is None:
            index = len(self._calls) if piece.get("id") else max(len(self._calls) - 1, 0)
        self._calls.setdefault(index, Call()).take(piece)

    def current(self) -> Call | None:
        """The first call that has not ended."""
        return next((call for call in self._calls.values() if not call.done), None)

    def finish(self) -> None:
        """The answer ends."""
        for call in self._calls.values():
            call.finish()

    @property
    def any(self) -> bool:
        return bool(self._calls)
