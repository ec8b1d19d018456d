"""A stream of Converse's events → canonical chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import orjson

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.wire.canonical import Head, Placing, entry, without
from nexus_sdk.wire.dialects.bedrock import answer_blocks, response
from nexus_sdk.wire.dialects.bedrock.words import NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent

_PADDING = "p"


class _Block:
    """A content block while it streams. `at`: characters of text before it. `index`: of its call,
    where it is one of the caller's tools."""

    __slots__ = ("at", "citations", "index", "input", "native", "reasoning", "text")

    def __init__(self, at: int) -> None:
        self.at = at
        self.text = ""
        self.input = ""
        self.index: int | None = None
        self.native: Json = {}
        self.reasoning: Json = {}
        self.citations: list[Json] = []


class Decoder:
    """Reasoning, server tools and citations are told when their block ends, since only then are
    they whole; all else goes through at once. Only a tool's block has a beginning."""

    def __init__(self) -> None:
        self._head = Head()
        self._blocks: dict[int, _Block] = {}
        self._length = 0
        self._placing = Placing()
        self._calls = 0
        self._citations = 0
        self._thought = False
        self._parted = False

    def feed(self, event: StreamEvent) -> list[Json]:
        doc = event.doc
        if not isinstance(doc, dict):
            return []
        if handler := self._EVENTS.get(event.name):
            return handler(self, doc)
        return [self._head.native(NAME, {"name": event.name, "doc": doc})]

    def close(self) -> list[Json]:
        return []

    def _start(self, doc: Json) -> list[Json]:
        return [self._head.chunk({"role": doc.get("role") or "assistant", "content": ""})]

    def _block(self, doc: Json) -> _Block:
        return self._blocks.setdefault(doc["contentBlockIndex"], _Block(self._length))

    def _open(self, doc: Json) -> list[Json]:
        block, start = self._block(doc), doc["start"]
        call = start.get("toolUse")
        if call is None or call.get("type"):
            block.native = {key: dict(value) for key, value in start.items()}
            return []
        block.index, self._calls = self._calls, self._calls + 1
        function = {"name": call["name"], "arguments": ""}
        head = {"index": block.index, "id": call["toolUseId"], "type": "function"}
        rest = without(call, {"toolUseId", "name", "input"})
        return [self._head.chunk({"tool_calls": [head | {"function": function} | rest]})]

    def _delta(self, doc: Json) -> list[Json]:
        block = self._block(doc)
        out: list[Json] = []
        for key, value in doc["delta"].items():
            take = self._DELTAS.get(key, Decoder._whole)
            out += take(self, block, key, value)
        return out

    def _text(self, block: _Block, key: str, text: str) -> list[Json]:  # noqa: ARG002
        if not text:
            return []
        # Two blocks of text without anything between them: the first ends, without citations.
        out = [self._head.chunk({"annotations": []})] if self._parted else []
        self._parted = False
        block.text += text
        self._length += len(text)
        return [*out, self._head.chunk({"content": text})]

    def _input(self, block: _Block, key: str, told: Json) -> list[Json]:  # noqa: ARG002
        fragment = told.get("input") or ""
        block.input += fragment
        if block.index is None or not fragment:
            return []
        return [self._arguments(block.index, fragment)]

    def _arguments(self, index: int, text: str) -> Json:
        piece = {"index": index, "function": {"arguments": text}}
        return self._head.chunk({"tool_calls": [piece]})

    def _think(self, block: _Block, key: str, told: Json) -> list[Json]:  # noqa: ARG002
        out: list[Json] = []
        for name, value in told.items():
            if name == "text" and value:
                lead = "\n\n" if self._thought and not block.reasoning.get("text") else ""
                self._thought = True
                out.append(self._head.chunk({"reasoning_content": lead + value}))
            known = block.reasoning.get(name)
            block.reasoning[name] = known + value if isinstance(known, str) else value
        return out

    def _cite(self, block: _Block, key: str, citation: Json) -> list[Json]:  # noqa: ARG002
        block.citations.append(citation)
        return []

    def _whole(self, block: _Block, key: str, value: Json) -> list[Json]:
        """A delta of a block of Bedrock's own: a server tool's result in pieces of a list, an image
        as it is."""
        known = block.native.setdefault(key, {})
        if isinstance(value, list):
            known["content"] = _joined([*(known.get("content") or ()), *value])
        elif isinstance(value, dict):
            known |= value
        return []

    def _stop(self, doc: Json) -> list[Json]:
        block = self._blocks.pop(doc["contentBlockIndex"], None)
        if block is None:
            return []
        out: list[Json] = []
        if block.index is not None and not block.input:
            out.append(self._arguments(block.index, "{}"))
        ends = (self._end_reasoning(block), self._end_native(block), self._end_text(block))
        out += [self._head.chunk(delta) for delta in ends if delta]
        self._parted = bool(block.text) and not block.citations
        return out

    def _end_reasoning(self, block: _Block) -> Json | None:
        told = block.reasoning
        if not told:
            return None
        if "redactedContent" not in told:
            told = {"reasoningText": {"text": ""} | told}
        found = answer_blocks.reasoning_entry(told)
        return self._put("reasoning_blocks", block, found) if found else None

    def _end_native(self, block: _Block) -> Json | None:
        if not block.native:
            return None
        if block.input and isinstance(block.native.get("toolUse"), dict):
            try:
                block.native["toolUse"]["input"] = orjson.loads(block.input)
            except orjson.JSONDecodeError:
                told = "a server tool's input in the upstream's stream is not JSON"
                raise UpstreamFailed(told) from None
        return self._put("provider_blocks", block, entry(NAME, block.native))

    def _end_text(self, block: _Block) -> Json | None:
        end = block.at + len(block.text)
        first, self._citations = self._citations, self._citations + len(block.citations)
        told = [
            {"index": first + i} | answer_blocks.annotation(citation, block.at, end)
            for i, citation in enumerate(block.citations)
        ]
        return {"annotations": told} if told else None

    def _put(self, field: str, block: _Block, told: Json) -> Json:
        index, placed = self._placing.put(field, told, block.at)
        return {field: [{"index": index} | placed]}

    def _finish(self, doc: Json) -> list[Json]:
        chunk = self._head.chunk({})
        chunk["choices"][0] |= response.finish(doc.get("stopReason"))
        return [chunk | without(doc, {"stopReason", _PADDING})]

    def _end(self, doc: Json) -> list[Json]:
        usage = response.canonical_usage(doc.get("usage") or {})
        rest = without(doc, {"usage", "serviceTier", _PADDING})
        return [self._head.usage(usage) | response.tier(doc) | rest]

    _EVENTS: ClassVar[dict[str, Callable[[Decoder, Json], list[Json]]]] = {
        "messageStart": _start,
        "contentBlockStart": _open,
        "contentBlockDelta": _delta,
        "contentBlockStop": _stop,
        "messageStop": _finish,
        "metadata": _end,
    }
    _DELTAS: ClassVar[dict[str, Callable[[Decoder, _Block, str, Json], list[Json]]]] = {
        "text": _text,
        "toolUse": _input,
        "reasoningContent": _think,
        "citation": _cite,
    }


def _joined(pieces: list[Json]) -> list[Json]:
    """A server tool's result: pieces of text that follow each other are one."""
    out: list[Json] = []
    for piece in pieces:
        both = [piece, *out[-1:]]
        if out and all(isinstance(one, dict) and one.keys() == {"text"} for one in both):
            out[-1] = {"text": out[-1]["text"] + piece["text"]}
        else:
            out.append(piece)
    return out
