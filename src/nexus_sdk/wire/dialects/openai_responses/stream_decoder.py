"""A stream of Responses events → canonical chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nexus_sdk.wire.canonical import Head, Placing, entry, without
from nexus_sdk.wire.dialects.openai_responses import items, response_decode
from nexus_sdk.wire.dialects.openai_responses.words import NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent

type _Key = tuple[int, str, int]
"""Output index, kind of text, index within the item."""


class Decoder:
    """What streams goes through at once; reasoning and native items are told whole when they end.
    Providers that send only the end of a text (`.done`, or the whole item) are heard too."""

    def __init__(self) -> None:
        self._head = Head()
        self._placing = Placing()
        self._length = 0
        self._starts: dict[_Key, int] = {}
        self._told: set[_Key] = set()
        self._thought = False
        self._raw = False
        self._calls: dict[int, int] = {}
        self._annotations = 0
        self._unplaced: list[str] = []

    def feed(self, event: StreamEvent) -> list[Json]:
        doc = event.doc
        if not isinstance(doc, dict):
            return []
        kind = doc.get("type", "")
        if kind in self._LIFE:
            return self._LIFE[kind](self, doc)
        if kind in _TEXTS:
            return self._text(doc, *_TEXTS[kind])
        return [] if kind in _STRUCTURE else [self._head.native(NAME, doc)]

    def close(self) -> list[Json]:
        return []

    def _start(self, doc: Json) -> list[Json]:
        told = doc["response"]
        self._head = Head(
            told.get("id", ""), told.get("model", ""), int(told.get("created_at") or 0)
        )
        own = response_decode.own(told)
        return [self._head.chunk({"role": "assistant", "content": ""}) | own]

    def _text(self, doc: Json, kind: str, field: str, place: str) -> list[Json]:
        """A delta of a text, or its end, which counts when nothing was told before."""
        key = (doc["output_index"], kind, doc.get(place, 0))
        if field != "delta" and key in self._told:
            return []
        self._raw = kind == "reasoning" and place == "content_index"
        return self._tell(key, doc.get(field) or "", doc.get("logprobs"))

    def _tell(self, key: _Key, text: str, logprobs: Json = None) -> list[Json]:
        if not text:
            return []
        first = key not in self._told
        self._told.add(key)
        output_index, kind, _ = key
        if kind in _CALLED:
            index = self._calls.get(output_index)
            return [] if index is None else [self._head.chunk(_CALLED[kind](index, text))]
        if kind == "reasoning":
            lead = "\n\n" if first and self._thought else ""
            self._thought = True
            raw = _RAW if self._raw else {}
            told = self._head.chunk({"reasoning_content": lead + text} | raw)
            begins = first and key[2]
            return [self._head.native(NAME, {"type": _SUMMARY_PART}), told] if begins else [told]
        if kind == "text":
            self._starts.setdefault(key, self._length)
            self._length += len(text)
        chunk = self._head.chunk({"content" if kind == "text" else "refusal": text})
        if logprobs:
            chunk["choices"][0]["logprobs"] = {"content": logprobs}
        return [chunk]

    def _added(self, doc: Json) -> list[Json]:
        item = doc.get("item") or {}
        kind = item.get("type")
        if kind == "message":
            name = items.header(item)
            return self._put("provider_blocks", name) if name else []
        if kind in _CALL_BODIES:
            return self._call(doc["output_index"], item)
        return [self._head.native(NAME, doc)]

    def _call(self, output_index: int, item: Json) -> list[Json]:
        index = self._calls[output_index] = len(self._calls)
        self._unplaced.append(item["call_id"])
        kind, body = _CALL_BODIES[item["type"]]
        own = items.call_id(item)
        rest = without(item, {"type", "id", "call_id", "status", "name", "arguments", "input"})
        head = {
            "index": index,
            "id": item["call_id"],
            "type": kind,
            kind: {"name": item["name"], body: ""},
        }
        return [self._head.chunk({"tool_calls": [head | own | rest]})]

    def _put(self, field: str, told: Json) -> list[Json]:
        """The chunk of an entry, after those that keep the places of the calls before it."""
        calls = [entry(NAME, {"type": "call", "call_id": name}) for name in self._unplaced]
        self._unplaced = []
        out: list[Json] = []
        for name, one in [*(("provider_blocks", call) for call in calls), (field, told)]:
            index, placed = self._placing.put(name, one, self._length)
            out.append(self._head.chunk({name: [{"index": index} | placed]}))
        return out

    def _done(self, doc: Json) -> list[Json]:
        item, output_index = doc["item"], doc["output_index"]
        kind = item.get("type")
        if kind in _CALL_BODIES:
            out = [] if output_index in self._calls else self._call(output_index, item)
            _, body = _CALL_BODIES[kind]
            return [*out, *self._late((output_index, body, 0), item.get(body)), self._ended(item)]
        if kind == "message":
            return [*self._late_message(output_index, item), self._ended(item)]
        if kind == "reasoning":
            told = items.thought(item)
            late = self._late_thoughts(output_index, item)
            return late + (self._put("reasoning_blocks", told) if told else [])
        return self._put("provider_blocks", entry(NAME, item))

    def _ended(self, item: Json) -> Json:
        """Whether a message or a call has ended tells nobody anything, but for the order of the
        events."""
        return self._head.native(NAME, {"type": "response.output_item.done", "item": item})

    def _late(self, key: _Key, text: Json) -> list[Json]:
        return [] if key in self._told or not isinstance(text, str) else self._tell(key, text)

    def _late_message(self, output_index: int, item: Json) -> list[Json]:
        out: list[Json] = []
        for place, part in enumerate(item.get("content") or ()):
            kind = "text" if part["type"] == "output_text" else "refusal"
            out += self._late((output_index, kind, place), part.get("text") or part.get("refusal"))
        return out

    def _late_thoughts(self, output_index: int, item: Json) -> list[Json]:
        if any(key[0] == output_index for key in self._told):
            return []
        texts = [*(item.get("summary") or ()), *(item.get("content") or ())]
        return [
            chunk
            for place, part in enumerate(texts)
            for chunk in self._late((output_index, "reasoning", place), part.get("text"))
        ]

    def _annotated(self, doc: Json) -> list[Json]:
        key = (doc["output_index"], "text", doc.get("content_index", 0))
        told = response_decode.annotation(doc["annotation"], self._starts.get(key, self._length))
        index, self._annotations = self._annotations, self._annotations + 1
        return [self._head.chunk({"annotations": [{"index": index} | told]})]

    def _end(self, doc: Json) -> list[Json]:
        told = doc["response"]
        last = self._head.chunk({})
        last["choices"][0] |= response_decode.finish(told, called=bool(self._calls))
        tier = told.get("service_tier")
        last |= response_decode.own(told) | ({} if tier is None else {"service_tier": tier})
        return [last, self._head.usage(response_decode.usage(told.get("usage") or {}))]

    _LIFE: ClassVar[dict[str, Callable[[Decoder, Json], list[Json]]]] = {
        "response.created": _start,
        "response.output_item.added": _added,
        "response.output_item.done": _done,
        "response.output_text.annotation.added": _annotated,
        "response.completed": _end,
        "response.incomplete": _end,
    }


_RAW: Json = {"native": {"origin": NAME, "form": {"raw": True}}}
"""Marks reasoning that is told itself, not its summary."""
_SUMMARY_PART = "response.reasoning_summary_part.added"
_STRUCTURE = frozenset({
    "", "response.content_part.added", "response.content_part.done",
    _SUMMARY_PART, "response.reasoning_summary_part.done", "response.failed", "error",
})  # fmt: skip
"""Events that say nothing which others do not."""
_TEXTS: dict[str, tuple[str, str, str]] = {
    "response.output_text.delta": ("text", "delta", "content_index"),
    "response.output_text.done": ("text", "text", "content_index"),
    "response.refusal.delta": ("refusal", "delta", "content_index"),
    "response.refusal.done": ("refusal", "refusal", "content_index"),
    "response.reasoning_summary_text.delta": ("reasoning", "delta", "summary_index"),
    "response.reasoning_summary_text.done": ("reasoning", "text", "summary_index"),
    "response.reasoning_text.delta": ("reasoning", "delta", "content_index"),
    "response.reasoning_text.done": ("reasoning", "text", "content_index"),
    "response.function_call_arguments.delta": ("arguments", "delta", ""),
    "response.function_call_arguments.done": ("arguments", "arguments", ""),
    "response.custom_tool_call_input.delta": ("input", "delta", ""),
    "response.custom_tool_call_input.done": ("input", "input", ""),
}
"""Event → kind of text, its field, the member that holds its index in the item."""
_CALL_BODIES = {"function_call": ("function", "arguments"), "custom_tool_call": ("custom", "input")}
_CALLED: dict[str, Callable[[int, str], Json]] = {
    "arguments": lambda index, text: {
        "tool_calls": [{"index": index, "function": {"arguments": text}}]
    },
    "input": lambda index, text: {"tool_calls": [{"index": index, "custom": {"input": text}}]},
}
