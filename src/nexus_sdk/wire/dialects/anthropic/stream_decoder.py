"""A stream of message events → canonical chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import orjson

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.wire import carrier, natives
from nexus_sdk.wire.canonical import Head, Placing, entry, without
from nexus_sdk.wire.dialects.anthropic import response
from nexus_sdk.wire.dialects.anthropic.words import NAME
from nexus_sdk.wire.json import dumps

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent


_SILENT = frozenset({"", "ping", "error"})
"""Events that have no place in an answer."""
_PLAIN = frozenset({"type", "text"})


class _Block:
    """A content block while it streams. `at`: characters of text before it."""

    __slots__ = ("at", "citations", "doc", "json", "text")

    def __init__(self, doc: Json, at: int) -> None:
        self.doc = doc
        self.at = at
        self.text = ""
        self.json = ""
        self.citations: list[Json] = []


class Decoder:
    """Thinking, server tools and citations are told when their block ends, since only then are they
    whole; all else goes through at once."""

    def __init__(self) -> None:
        self._head = Head()
        self._blocks: dict[int, _Block] = {}
        self._length = 0
        self._placing = Placing()
        self._calls = 0
        self._citations = 0
        self._thought = False
        self._before = ""
        self._usage: Json = {}
        self._ended = False

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
        message = doc["message"]
        self._head = Head(message.get("id", ""), message.get("model", ""))
        self._usage = message.get("usage") or {}
        own = natives.answer(NAME, {"message": message})
        return [self._head.chunk({"role": "assistant", "content": ""}) | own]

    def _open(self, doc: Json) -> list[Json]:
        block = self._blocks[doc["index"]] = _Block(dict(doc["content_block"]), self._length)
        kind, before = block.doc["type"], self._before
        self._before = kind
        if kind == "tool_use":
            return [self._call(block)]
        if kind == "text":
            # Where one text follows another, or is cited, it matters that it begins anew.
            begins = before == "text" or not block.doc.keys() <= _PLAIN
            own = [self._head.native(NAME, doc)] if begins else []
            return own + self._text(block, block.doc.get("text") or "")
        if kind == "thinking" and block.doc.get("thinking"):
            return self._think(block, block.doc["thinking"])
        return []

    def _call(self, block: _Block) -> Json:
        doc = block.doc
        index, self._calls = self._calls, self._calls + 1
        function = {"name": doc["name"], "arguments": ""}
        call = {"index": index, "id": doc["id"], "type": "function", "function": function}
        doc["index"] = index
        rest = without(doc, {"type", "id", "name", "input", "index"})
        return self._head.chunk({"tool_calls": [call | rest]})

    def _delta(self, doc: Json) -> list[Json]:
        block = self._blocks.get(doc["index"])
        if block is None:
            return []
        handler = self._DELTAS.get(doc["delta"].get("type"))
        if handler is None:
            return self._other(block, doc)
        field, take = handler
        return take(self, block, doc["delta"][field])

    def _other(self, block: _Block, doc: Json) -> list[Json]:
        """A delta that is newer than these tables: a native block takes it in, text goes on text;
        beside other blocks it is an event of its own."""
        if block.doc["type"] in self._STOPS:
            return [self._head.native(NAME, doc)]
        for key, value in without(doc["delta"], {"type"}).items():
            known = block.doc.get(key)
            joins = isinstance(known, str) and isinstance(value, str)
            block.doc[key] = known + value if joins else value
        return []

    def _text(self, block: _Block, text: str) -> list[Json]:
        block.text += text
        self._length += len(text)
        return [self._head.chunk({"content": text})] if text else []

    def _think(self, block: _Block, text: str) -> list[Json]:
        if not text:
            return []
        lead = "\n\n" if self._thought and not block.text else ""
        self._thought = True
        block.text += text
        return [self._head.chunk({"reasoning_content": lead + text})]

    def _sign(self, block: _Block, signature: str) -> list[Json]:
        block.doc["signature"] = signature
        return []

    def _cite(self, block: _Block, citation: Json) -> list[Json]:
        block.citations.append(citation)
        return []

    def _json(self, block: _Block, fragment: str) -> list[Json]:
        block.json += fragment
        if block.doc["type"] != "tool_use" or not fragment:
            return []
        return [self._head.chunk(self._arguments(block, fragment))]

    @staticmethod
    def _arguments(block: _Block, text: str) -> Json:
        return {"tool_calls": [{"index": block.doc["index"], "function": {"arguments": text}}]}

    def _stop(self, doc: Json) -> list[Json]:
        block = self._blocks.pop(doc["index"], None)
        if block is None:
            return []
        delta = self._STOPS.get(block.doc["type"], Decoder._native)(self, block)
        return [self._head.chunk(delta)] if delta else []

    def _end_call(self, block: _Block) -> Json | None:
        """A call that streamed no arguments had them at its start, or has none."""
        return (
            None
            if block.json
            else self._arguments(block, dumps(block.doc.get("input") or {}).decode())
        )

    def _end_text(self, block: _Block) -> Json | None:
        citations = [*(block.doc.get("citations") or ()), *block.citations]
        end = block.at + len(block.text)
        first, self._citations = self._citations, self._citations + len(citations)
        told = [
            {"index": first + i} | response.annotation(citation, block.at, end)
            for i, citation in enumerate(citations)
        ]
        return {"annotations": told} if told else None

    def _end_thinking(self, block: _Block) -> Json | None:
        whole = block.doc | {"thinking": block.text}
        signature = whole.get("signature") or ""
        back = carrier.unpack(signature, block.text)
        return (
            self._put("reasoning_blocks", block, back or entry(NAME, whole))
            if back or signature
            else None
        )

    def _end_redacted(self, block: _Block) -> Json | None:
        back = carrier.unpack(block.doc["data"], "")
        return self._put("reasoning_blocks", block, back or entry(NAME, block.doc))

    def _native(self, block: _Block) -> Json | None:
        if block.json:
            try:
                block.doc["input"] = orjson.loads(block.json)
            except orjson.JSONDecodeError:
                raise UpstreamFailed(
                    "a server tool's input in the upstream's stream is not JSON"
                ) from None
        return self._put("provider_blocks", block, entry(NAME, block.doc))

    def _put(self, field: str, block: _Block, told: Json) -> Json:
        index, placed = self._placing.put(field, told, block.at)
        return {field: [{"index": index} | placed]}

    def _finish(self, doc: Json) -> list[Json]:
        self._usage = self._usage | {
            key: value for key, value in (doc.get("usage") or {}).items() if value is not None
        }
        delta = doc.get("delta") or {}
        chunk = self._head.chunk({})
        chunk["choices"][0] |= response.finish(delta)
        own = natives.answer(NAME, {"usage": doc["usage"]}) if doc.get("usage") else {}
        return [chunk | without(delta, {"stop_reason", "stop_sequence"}) | own]

    def _end(self, doc: Json) -> list[Json]:  # noqa: ARG002
        return [self._head.usage(response.canonical_usage(self._usage))]

    _EVENTS: ClassVar[dict[str, Callable[[Decoder, Json], list[Json]]]] = {
        "message_start": _start,
        "content_block_start": _open,
        "content_block_delta": _delta,
        "content_block_stop": _stop,
        "message_delta": _finish,
        "message_stop": _end,
    }
    _DELTAS: ClassVar[dict[str, tuple[str, Callable[[Decoder, _Block, Json], list[Json]]]]] = {
        "text_delta": ("text", _text),
        "thinking_delta": ("thinking", _think),
        "signature_delta": ("signature", _sign),
        "input_json_delta": ("partial_json", _json),
        "citations_delta": ("citation", _cite),
    }
    _STOPS: ClassVar[dict[str, Callable[[Decoder, _Block], Json | None]]] = {
        "tool_use": _end_call,
        "text": _end_text,
        "thinking": _end_thinking,
        "redacted_thinking": _end_redacted,
    }
