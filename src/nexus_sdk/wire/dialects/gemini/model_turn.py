"""A model's parts → the canonical message, piece by piece, so that a stream and a whole answer read
the same.

Entries of `reasoning_blocks` with the origin `gemini`:

- `{"type": "thought", "text", "signature"?}`: a part that is a thought;
- `{"type": "text", "signature", "format"}`: the signature of the text that begins at `at` and has
  `format` characters;
- `{"type": "call", "id", "signature"?}`: the signature of a call, and its place among the texts;
  calls without an entry come last.

All other parts are `provider_blocks`, as they came.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.wire.canonical import Placing, entry, without
from nexus_sdk.wire.dialects.gemini import sealing
from nexus_sdk.wire.dialects.gemini.words import NAME, UNSIGNED
from nexus_sdk.wire.json import dumps

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json

MADE = "gemini_"
"""How the id of a call begins that Gemini gave none."""


def made_id(seed: str, place: int, call: Json) -> str:
    """An id for a call without one: the same for the same call of the same answer."""
    told = dumps([seed, place, call.get("name"), call.get("args")])
    return MADE + hashlib.sha256(told).hexdigest()[:24]


class ModelTurn:
    """Takes parts, gives deltas. `seed` tells this turn from others. `joins`: thoughts that follow
    each other are pieces of one, as on a stream. `sent_back`: unsigned ones read on without an
    empty line, since a client sends the pieces of a stream back as parts."""

    def __init__(self, seed: str, *, joins: bool = False, sent_back: bool = False) -> None:
        self._seed = seed
        self._joins = joins
        self._sent_back = sent_back
        self._placing = Placing()
        self._thought = ""
        self._thinking = False
        self._thoughts = 0
        self._unplaced: list[str] = []
        self.length = 0
        self.calls = 0

    def take(self, part: Json) -> list[Json]:
        if part.get("thought") and "text" in part:
            return self._think(part)
        out = self._end_thought(None)
        if "functionCall" in part:
            return out + self._call(part)
        if isinstance(part.get("text"), str):
            return out + self._text(part)
        return out + ([self._put("provider_blocks", entry(NAME, part))] if part else [])

    def end(self) -> list[Json]:
        """What was still held when the turn ended."""
        return self._end_thought(None)

    # ---- thoughts

    def _think(self, part: Json) -> list[Json]:
        text, signature = part["text"], part.get("thoughtSignature") or ""
        out: list[Json] = []
        follows = self._thinking and self._sent_back
        if self._thinking and not self._joins:
            out += self._end_thought(None)
        if text:
            lead = "\n\n" if self._thoughts and not self._thought and not follows else ""
            out.append({"reasoning_content": lead + text})
        self._thinking = True
        self._thought += text
        return out + (self._end_thought(signature) if signature else [])

    def _end_thought(self, signature: str | None) -> list[Json]:
        if not self._thinking:
            return []
        text, self._thought, self._thinking = self._thought, "", False
        self._thoughts += bool(text)
        back = sealing.unseal(signature, text) if signature else None
        signed = {"signature": signature} if signature else {}
        told = back or entry(NAME, {"type": "thought", "text": text} | signed)
        return [self._put("reasoning_blocks", told)]

    # ---- texts and calls

    def _text(self, part: Json) -> list[Json]:
        text, signature = part["text"], _signature(part)
        out: list[Json] = []
        if text:
            # A call before a text needs its place told; those after the last text do not.
            calls = [entry(NAME, {"type": "call", "id": name}) for name in self._unplaced]
            out += [self._put("reasoning_blocks", told) for told in calls]
            self._unplaced = []
        extra = without(part, {"text", "thought", "thoughtSignature"})
        if signature or extra:
            block = {"type": "text", "format": str(len(text))} | extra
            signed = {"signature": signature} if signature else {}
            out.append(self._put("reasoning_blocks", entry(NAME, block | signed)))
        self.length += len(text)
        return [*out, {"content": text}] if text else out

    def _call(self, part: Json) -> list[Json]:
        told, signature = part["functionCall"], _signature(part)
        if not told.get("name"):
            raise UpstreamFailed("a call in the upstream's answer has no name")
        name = told.get("id") or made_id(self._seed, self.calls, told)
        out: list[Json] = []
        if signature:
            block = {"type": "call", "id": name, "signature": signature}
            out.append(self._put("reasoning_blocks", entry(NAME, block)))
        else:
            self._unplaced.append(name)
        function = {"name": told["name"], "arguments": dumps(told.get("args") or {}).decode()}
        call = {"index": self.calls, "id": name, "type": "function", "function": function}
        self.calls += 1
        return [*out, {"tool_calls": [call]}]

    def _put(self, field: str, told: Json) -> Json:
        index, placed = self._placing.put(field, told, self.length)
        return {field: [{"index": index} | placed]}


def _signature(part: Json) -> str:
    """Gemini's own signature of a text or a call; Google's word for none is none."""
    told = part.get("thoughtSignature") or ""
    return "" if told in UNSIGNED or sealing.is_sealed(told) else told


def joined(parts: list[Json]) -> list[Json]:
    """`parts` with the pieces of a thought put together that ends in another vendor's signature: a
    client keeps the pieces of a stream as they came."""
    out: list[Json] = []
    run: list[Json] = []
    for part in parts:
        if not part.get("thought") or "text" not in part:
            out += [*run, part]
            run = []
        elif sealing.is_sealed(part.get("thoughtSignature")):
            text = "".join(piece["text"] for piece in (*run, part))
            out.append(part | {"text": text})
            run = []
        else:
            run.append(part)
    return out + run


def message(parts: list[Json], seed: str, *, sent_back: bool = False) -> Json:
    """A whole turn as the members of a canonical message, `content` a list of text parts or
    None. `sent_back`: a client's, not the upstream's."""
    turn = ModelTurn(seed, sent_back=sent_back)
    told: Json = {"content": []}
    for part in joined(parts):
        for delta in turn.take(part):
            _add(told, delta)
    for delta in turn.end():
        _add(told, delta)
    told["content"] = told["content"] or None
    return told


def _add(told: Json, delta: Json) -> None:
    for key, value in delta.items():
        if key == "content":
            told["content"].append({"type": "text", "text": value})
        elif isinstance(value, str):
            told[key] = told.get(key, "") + value
        else:
            told.setdefault(key, []).extend(without(item, {"index"}) for item in value)
