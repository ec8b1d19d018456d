"""A stream of chat events → canonical chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nexus_sdk.wire.canonical import Head, Placing, entry, without
from nexus_sdk.wire.dialects.cohere import citations, messages, response
from nexus_sdk.wire.dialects.cohere.words import NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent


_SILENT = frozenset({"", "tool-call-end", "citation-end"})
"""Events that say nothing which others do not."""


class _Part:
    """A content part while it streams. `at`: characters of text before it."""

    __slots__ = ("at", "doc")

    def __init__(self, doc: Json, at: int) -> None:
        self.doc = doc
        self.at = at


class Decoder:
    """Text, thinking and arguments go through at once; thinking and the plan of the tools are told
    once more as blocks when they end, since only then are they whole."""

    def __init__(self) -> None:
        self._head = Head()
        self._parts: dict[int, _Part] = {}
        self._starts: dict[int, int] = {}
        self._length = 0
        self._placing = Placing()
        self._plan = ""
        self._thought = False
        self._citations = 0

    def feed(self, event: StreamEvent) -> list[Json]:
        doc = event.doc
        if not isinstance(doc, dict):
            return []
        kind = doc.get("type", "")
        if handler := self._EVENTS.get(kind):
            return handler(self, doc)
        return [] if kind in _SILENT else [self._head.native(NAME, doc)]

    def close(self) -> list[Json]:
        return []

    def _start(self, doc: Json) -> list[Json]:
        self._head = Head(doc.get("id") or "")
        return [self._head.chunk({"role": "assistant", "content": ""})]

    def _open(self, doc: Json) -> list[Json]:
        out = self._end_plan()
        self._begin(doc["index"], _content(doc))
        return out + self._pieces(doc)

    def _begin(self, index: int, content: Json) -> _Part:
        kind = content.get("type") or ("thinking" if "thinking" in content else "text")
        part = self._parts[index] = _Part({"type": kind}, self._length)
        self._starts[index] = self._length
        return part

    def _pieces(self, doc: Json) -> list[Json]:
        """What an event brings of a part. A part that was not opened opens with its first piece."""
        content = _content(doc)
        part = self._parts.get(doc["index"]) or self._begin(doc["index"], content)
        out: list[Json] = []
        for key, value in without(content, {"type"}).items():
            if not isinstance(value, str):
                part.doc[key] = value
                continue
            first = key not in part.doc
            part.doc[key] = part.doc.get(key, "") + value
            if tell := self._TELL.get((part.doc["type"], key)) if value else None:
                out.append(tell(self, value, first=first or part.doc[key] == value))
        if out and doc.get("logprobs"):
            told = {"content": [response.probability(doc["logprobs"])]}
            out[-1]["choices"][0]["logprobs"] = told
        return out

    def _text(self, text: str, *, first: bool) -> Json:  # noqa: ARG002
        self._length += len(text)
        return self._head.chunk({"content": text})

    def _think(self, text: str, *, first: bool) -> Json:
        lead = "\n\n" if self._thought and first else ""
        self._thought = True
        return self._head.chunk({"reasoning_content": lead + text})

    def _close_part(self, doc: Json) -> list[Json]:
        out = self._pieces(doc) if _content(doc) else []
        part = self._parts.pop(doc["index"], None)
        if part is None or part.doc["type"] == "text":
            return out
        if part.doc["type"] != "thinking":
            return [*out, self._put("provider_blocks", entry(NAME, part.doc), part.at)]
        whole = {"type": "thinking", "thinking": ""} | part.doc
        if not whole["thinking"] and not whole.get("signature"):
            return out
        return [*out, self._put("reasoning_blocks", messages.thought(whole), part.at)]

    def _put(self, field: str, told: Json, at: int) -> Json:
        index, placed = self._placing.put(field, told, at)
        return self._head.chunk({field: [{"index": index} | placed]})

    def _planned(self, doc: Json) -> list[Json]:
        text = _message(doc).get("tool_plan") or ""
        if not text:
            return []
        chunk = self._think(text, first=not self._plan)
        self._plan += text
        chunk["choices"][0]["tool_plan"] = True
        return [chunk]

    def _end_plan(self) -> list[Json]:
        plan, self._plan = self._plan, ""
        return [self._put("reasoning_blocks", messages.plan(plan), self._length)] if plan else []

    def _call(self, doc: Json) -> list[Json]:
        call = _message(doc)["tool_calls"]
        function = {"arguments": ""} | (call.get("function") or {})
        told = {"index": doc["index"], "type": "function"} | call | {"function": function}
        return [*self._end_plan(), self._head.chunk({"tool_calls": [told]})]

    def _arguments(self, doc: Json) -> list[Json]:
        function = _message(doc)["tool_calls"].get("function") or {}
        if not function.get("arguments"):
            return []
        told = {"index": doc["index"], "function": {"arguments": function["arguments"]}}
        return [self._head.chunk({"tool_calls": [told]})]

    def _cite(self, doc: Json) -> list[Json]:
        told = _message(doc).get("citations") or []
        out: list[Json] = []
        for citation in told if isinstance(told, list) else [told]:
            start = self._starts.get(citation.get("content_index") or 0, 0)
            out.append({"index": self._citations} | citations.annotation(citation, start))
            self._citations += 1
        return [self._head.chunk({"annotations": out})] if out else []

    def _end(self, doc: Json) -> list[Json]:
        left = [part for index in list(self._parts) for part in self._close_part({"index": index})]
        delta = doc.get("delta") or {}
        chunk = self._head.chunk({})
        chunk["choices"][0] |= response.finish(delta.get("finish_reason") or "COMPLETE")
        out = [*self._end_plan(), *left, chunk | without(delta, {"finish_reason", "usage"})]
        if delta.get("usage") is not None:
            out.append(self._head.usage(response.canonical_usage(delta["usage"])))
        return out

    _EVENTS: ClassVar[dict[str, Callable[[Decoder, Json], list[Json]]]] = {
        "message-start": _start,
        "content-start": _open,
        "content-delta": _pieces,
        "content-end": _close_part,
        "tool-plan-delta": _planned,
        "tool-call-start": _call,
        "tool-call-delta": _arguments,
        "citation-start": _cite,
        "message-end": _end,
    }
    _TELL: ClassVar[dict[tuple[str, str], Callable[..., Json]]] = {
        ("text", "text"): _text,
        ("thinking", "thinking"): _think,
    }


def _message(doc: Json) -> Json:
    return (doc.get("delta") or {}).get("message") or {}


def _content(doc: Json) -> Json:
    return _message(doc).get("content") or {}
