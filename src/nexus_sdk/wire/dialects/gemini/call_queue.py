"""The calls of one streamed answer, which Gemini tells whole.

Other APIs send arguments in fragments, also those of parallel calls in turns. A call goes out as
soon as it is complete and those before it are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.wire.dialects.gemini.model_turn import MADE
from nexus_sdk.wire.dialects.gemini.words import SKIP_SIGNATURE

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json


class _Call:
    """A call while its arguments come."""

    __slots__ = ("custom", "id", "name", "text")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.custom = False
        self.text: list[str] = []

    def take(self, piece: Json) -> None:
        told = piece.get("function") or piece.get("custom") or {}
        self.custom = self.custom or "custom" in piece
        self.id = piece.get("id") or self.id
        self.name = self.name or told.get("name") or ""
        self.text.append(told.get("arguments") or told.get("input") or "")

    def part(self, *, last: bool) -> Json | None:
        """The call as a part, None while it is not complete. No arguments at all are complete when
        nothing more comes, and so is a custom tool's input."""
        text = "".join(self.text)
        if not last and (self.custom or not text.strip()):
            return None
        try:
            args = {"input": text} if self.custom else orjson.loads(text.strip() or "{}")
        except orjson.JSONDecodeError:
            return None
        if not isinstance(args, dict) or not self.name:
            return None
        told = {"name": self.name, "args": args}
        return {"functionCall": told if self.id.startswith(MADE) else {"id": self.id} | told}


class CallQueue:
    """Calls by their index, in the order in which they began. `signatures`: by the calls' ids."""

    def __init__(self) -> None:
        self._calls: dict[int, _Call] = {}
        self._last = -1
        self._any = False
        self.signatures: dict[str, str] = {}

    def take(self, piece: Json) -> list[Json]:
        """The parts that are complete now. Pieces without an index (some copies of OpenAI's API)
        belong to the last call, unless they bring a new id."""
        index = piece.get("index")
        if index is None:
            index = self._last + 1 if piece.get("id") or self._last < 0 else self._last
        out: list[Json] = []
        if index not in self._calls and index > self._last:
            out = self._ready(last=False)
            self._calls[index] = _Call()
            self._last = index
        if index in self._calls:
            self._calls[index].take(piece)
        return out

    def end(self) -> list[Json]:
        """The rest. Raises UpstreamFailed for a call that is not complete."""
        out = self._ready(last=True)
        if self._calls:
            raise UpstreamFailed("the arguments of a call in the upstream's stream are incomplete")
        return out

    def _ready(self, *, last: bool) -> list[Json]:
        out: list[Json] = []
        for index, call in list(self._calls.items()):
            part = call.part(last=last)
            if part is None:
                break
            del self._calls[index]
            out.append(part | self._signature(call))
        return out

    def _signature(self, call: _Call) -> Json:
        """A call's signature. Google's word for none stands at the first of another vendor's."""
        first, self._any = not self._any, True
        signature = self.signatures.get(call.id)
        if signature is None and first and not call.id.startswith(MADE):
            signature = SKIP_SIGNATURE
        return {"thoughtSignature": signature} if signature else {}
