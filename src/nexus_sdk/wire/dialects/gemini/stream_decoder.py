"""A stream of partial answers → canonical chunks.

Each event is an answer in itself, with the next parts of each candidate; the counts are told anew
with each. There is no end marker: a candidate ends with its reason, which is told when the stream
has ended, since an older model gave one with every event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialects.gemini import grounding, logprobs, response, usage
from nexus_sdk.wire.dialects.gemini.model_turn import ModelTurn

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent

_HEAD = frozenset({"candidates", "usageMetadata", "modelVersion", "responseId", "createTime"})
_TOLD = frozenset({"candidates", "promptFeedback", "usageMetadata"})
_CANDIDATE = frozenset({"content", "finishReason", "index", "logprobsResult"})


class _Candidate:
    """One candidate while it streams. `extras`: what was told beside its parts, at its end."""

    def __init__(self, seed: str) -> None:
        self.turn = ModelTurn(seed, joins=True)
        self.text: list[str] = []
        self.extras: Json = {}
        self.reason: str | None = None

    def take(self, told: Json) -> list[Json]:
        """The deltas of an event."""
        parts = (told.get("content") or {}).get("parts") or ()
        out = [delta for part in parts for delta in self.turn.take(part)]
        self.text += [delta["content"] for delta in out if "content" in delta]
        if not told.keys() <= _CANDIDATE:
            self.extras |= without(told, _CANDIDATE)
        self.reason = told.get("finishReason") or self.reason
        return out


class Decoder:
    def __init__(self) -> None:
        self._candidates: dict[int, _Candidate] = {}
        self._head: Json = {}
        self._counted: Json = {}
        self._extras: Json = {}
        self._blocked: Json | None = None

    def feed(self, event: StreamEvent) -> list[Json]:
        doc = event.doc
        if not isinstance(doc, dict) or not doc.keys() & _TOLD:
            return []
        self._begin(doc)
        out: list[Json] = []
        for place, told in enumerate(doc.get("candidates") or ()):
            out += self._candidate(told.get("index", place), told)
        if not self._candidates and response.blocked(doc):
            self._blocked = response.refused(doc)
        return out

    def _begin(self, doc: Json) -> None:
        if not self._head:
            self._head = response.head(doc) | {"object": "chat.completion.chunk"}
        if doc.get("usageMetadata"):
            self._counted = doc
        if not doc.keys() <= _HEAD:
            self._extras |= without(doc, _HEAD)

    def _candidate(self, index: int, told: Json) -> list[Json]:
        known = self._candidates.get(index)
        out: list[Json] = []
        if known is None:
            known = self._candidates[index] = _Candidate(f"{self._head['id']}/{index}")
            out.append(self._chunk(index, {"role": "assistant", "content": ""}))
        out += [self._chunk(index, delta) for delta in known.take(told)]
        if tokens := logprobs.decode(told.get("logprobsResult") or {}):
            if not out:
                out.append(self._chunk(index, {}))
            out[-1]["choices"][0]["logprobs"] = {"content": tokens, "refusal": None}
        return out

    def _chunk(self, index: int, delta: Json) -> Json:
        choice = {"index": index, "delta": delta, "finish_reason": None}
        return self._head | {"choices": [choice]}

    def close(self) -> list[Json]:
        out: list[Json] = []
        for index, candidate in self._candidates.items():
            out += self._end(index, candidate)
        if self._blocked is not None:
            refused = without(self._blocked, {"message"}) | {"delta": {"role": "assistant"}}
            out.append(self._head | {"choices": [refused]} | self._extras)
        elif out:
            out[-1] |= self._extras
        counts = usage.canonical(self._counted)
        return [*out, self._head | {"choices": []} | counts] if counts else out

    def _end(self, index: int, candidate: _Candidate) -> list[Json]:
        deltas = candidate.turn.end()
        if found := grounding.notes(candidate.extras, "".join(candidate.text)):
            deltas.append({"annotations": [{"index": i} | note for i, note in enumerate(found)]})
        last = self._chunk(index, {})
        told = {"finishReason": candidate.reason}
        last["choices"][0] |= response.finish(told, called=candidate.turn.calls > 0)
        last["choices"][0] |= candidate.extras
        return [self._chunk(index, delta) for delta in deltas] + [last]
