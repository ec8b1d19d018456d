"""Canonical chunks → a stream of partial answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nexus_sdk.wire import carrier, natives
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialect import event
from nexus_sdk.wire.dialects.gemini import grounding, logprobs, response, turns, usage
from nexus_sdk.wire.dialects.gemini.call_queue import CallQueue
from nexus_sdk.wire.dialects.gemini.words import NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.dialect import Reply
    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent

_CHUNK = natives.MARKS | {
    "id", "object", "created", "model", "choices", "usage", "system_fingerprint", "service_tier",
    "obfuscation",
}  # fmt: skip
_CHOICE = frozenset({
    "index", "delta", "finish_reason", "native_finish_reason", "stop_sequence", "logprobs",
})  # fmt: skip


class _Choice:
    """One choice while it streams."""

    def __init__(self) -> None:
        self._calls = CallQueue()
        self._pending: Json = {}
        self._thoughts = ""
        self._thinking = False
        self._refused = False
        self._text: list[str] = []
        self._notes: list[Json] = []
        self.finish: Json = {}
        self.said = False

    def take(self, delta: Json) -> list[Json]:
        """The parts of a delta."""
        out: list[Json] = []
        for key, tell in self._MEMBERS.items():
            if value := delta.get(key):
                out += tell(self, value)
                self._thinking = key == "reasoning_content"
                self.said = True
        return out

    def end(self) -> Json:
        """The candidate that ends the choice: what waited, why it ended, what it rests on."""
        parts = [{"text": ""} | self._pending] if self._pending else []
        parts += self._calls.end()
        # Whoever gives no reason ends with a marker, or the stream would not be whole.
        stop = response.stop({"finish_reason": "stop"} | self.finish, refused=self._refused)
        told = {"content": {"parts": parts or [{"text": ""}], "role": "model"}} | stop
        extras = without(self.finish, _CHOICE)
        if "groundingMetadata" not in extras and "citationMetadata" not in extras:
            extras |= grounding.metadata({"annotations": self._notes}, "".join(self._text))
        return told | extras

    def _think(self, text: str) -> list[Json]:
        if not self._thinking and self._thoughts:
            # The canonical form parts thoughts by an empty line; here they are parts.
            text = text.removeprefix("\n\n")
        self._thoughts += text
        return [{"text": text, "thought": True}] if text else []

    def _reasoned(self, entries: list[Json]) -> list[Json]:
        return [part for entry in entries for part in self._block(entry)]

    def _block(self, entry: Json) -> list[Json]:
        block = entry["block"]
        if entry["origin"] != NAME:
            return [self._thought(response.thought(entry), block)]
        signed = turns.signed(block)
        kind = block.get("type")
        if kind == "call" and "thoughtSignature" in signed:
            self._calls.signatures[block["id"]] = signed["thoughtSignature"]
        elif kind == "text" and block.get("format") == "0":
            return [{"text": ""} | signed]
        elif kind == "text":
            self._pending = signed
        elif kind == "thought":
            part = {"text": block.get("text") or "", "thought": True} | signed
            told = self._thought(part, block)
            return [told] if signed or told["text"] else []
        return []

    def _thought(self, part: Json, block: Json) -> Json:
        """A whole thought. When its text has gone out in pieces, only the signature is left."""
        told = carrier.text_of(block) in self._thoughts
        return part | {"text": ""} if told else part

    def _native(self, entries: list[Json]) -> list[Json]:
        return [entry["block"] for entry in entries if entry["origin"] == NAME]

    def _say(self, text: str) -> list[Json]:
        self._text.append(text)
        signed, self._pending = self._pending, {}
        return [{"text": text} | signed]

    def _refuse(self, text: str) -> list[Json]:
        self._refused = True
        return self._say(text)

    def _annotate(self, entries: list[Json]) -> list[Json]:
        self._notes += entries
        return []

    def _called(self, pieces: list[Json]) -> list[Json]:
        return [part for piece in pieces for part in self._calls.take(piece)]

    _MEMBERS: ClassVar[dict[str, Callable[[_Choice, Json], list[Json]]]] = {
        "reasoning_content": _think,
        "reasoning_blocks": _reasoned,
        "provider_blocks": _native,
        "content": _say,
        "refusal": _refuse,
        "annotations": _annotate,
        "tool_calls": _called,
    }


class Encoder:
    """One stream's. Each choice ends in the last event, with the counts."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._choices: dict[int, _Choice] = {}
        self._names: Json = {}
        self._usage: Json = {}
        self._extras: Json = {}

    def feed(self, chunk: Json) -> list[StreamEvent]:
        if chunk.get("usage"):
            self._usage = usage.own(chunk["usage"]) or self._usage
        if not self._names:
            self._names = {
                "modelVersion": chunk.get("model") or self._reply.model,
                "responseId": chunk.get("id") or self._reply.id,
            }
        self._extras |= without(chunk, _CHUNK)
        return [
            self._event([told])
            for choice in chunk["choices"]
            if (told := self._candidate(choice)) is not None
        ]

    def _candidate(self, choice: Json) -> Json | None:
        index = choice.get("index", 0)
        known = self._choices.setdefault(index, _Choice())
        parts = known.take(choice.get("delta") or {})
        if choice.get("finish_reason") is not None:
            known.finish = choice
        told = logprobs.encode(choice)
        if not parts and not told:
            return None
        return {"content": {"parts": parts, "role": "model"}, "index": index} | told

    def _event(self, candidates: list[Json]) -> StreamEvent:
        return event("", {"candidates": candidates} | self._names)

    def close(self) -> list[StreamEvent]:
        said = any(choice.said for choice in self._choices.values())
        if response.blocked(self._extras) and not said:
            return [event("", self._usage | self._names | self._extras)]
        ended = [choice.end() | {"index": index} for index, choice in self._choices.items()]
        body = {"candidates": ended or [_Choice().end()]}
        return [event("", body | self._usage | self._names | self._extras)]
