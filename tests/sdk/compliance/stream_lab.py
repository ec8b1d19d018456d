"""Streams in each dialect, made of channels whose pieces come in any order; and what came of them.

`wrote` is what a model said: (channel, piece) in the order of arrival. `events` makes the events of
the upstream of it, `heard` reads the texts back out of the events that a caller gets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from nexus_sdk.compliance.streams import StreamEnforcer
from nexus_sdk.wire.dialect import event
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.sse import StreamEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from nexus_sdk.compliance.hooks import Effective
    from nexus_sdk.compliance.inspection import Inspector
    from nexus_sdk.wire.dialect import Channel
    from nexus_sdk.wire.json import Json

type Wrote = Sequence[tuple[Channel, str]]

CHAT: tuple[Channel, ...] = (
    (0, "content"),
    (0, "reasoning_content"),
    (0, "refusal"),
    (0, "tool", 0),
    (0, "tool", 1),
    (1, "content"),
)
RESPONSES: tuple[Channel, ...] = (
    (0, "summary", 0),
    (0, "reasoning", 0),
    (1, "text", 0),
    (1, "refusal", 1),
    (2, "arguments"),
    (3, "arguments"),
)
ANTHROPIC: tuple[Channel, ...] = ((0, "thinking"), (1, "text"), (2, "json"), (3, "json"))
BEDROCK: tuple[Channel, ...] = ((0, "reasoning"), (1, "text"), (2, "input"), (3, "input"))
COHERE: tuple[Channel, ...] = (
    ("content", 0, "thinking"),
    ("content", 1, "text"),
    ("tool", 0),
    ("tool", 1),
)
GEMINI: tuple[Channel, ...] = ((0, "thought"), (0, "text"), (1, "thought"), (1, "text"))
CHANNELS = {
    "openai_chat": CHAT,
    "openai_responses": RESPONSES,
    "anthropic": ANTHROPIC,
    "bedrock": BEDROCK,
    "cohere": COHERE,
    "gemini": GEMINI,
}
_JSON = {"tool", "arguments", "json", "input"}


def holds_json(channel: Channel) -> bool:
    return not _JSON.isdisjoint(channel)


def whole_texts(wrote: Wrote) -> dict[Channel, str]:
    texts: dict[Channel, str] = {}
    for channel, piece in wrote:
        texts[channel] = texts.get(channel, "") + piece
    return texts


def events(dialect: str, wrote: Wrote) -> list[StreamEvent]:
    """A whole stream, as the provider of that dialect sends it; each event's document its own."""
    made = _STREAMS[dialect](wrote)
    for told in made:
        told.doc = orjson.loads(told.data) if told.doc is not None else None
    return made


# ---- chat ----------------------------------------------------------------------------------------


def chunk(index: int, delta: Json, finish: str | None = None, **more: Json) -> StreamEvent:
    choice = {"index": index, "delta": delta, "finish_reason": finish, **more}
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return event("", {**head, "choices": [choice]})


def _chat(wrote: Wrote) -> list[StreamEvent]:
    out = [chunk(0, {"role": "assistant", "content": ""})]
    for channel, piece in wrote:
        index = int(channel[0])
        if channel[1] == "tool":
            call = {"index": channel[2], "function": {"arguments": piece}}
            out.append(chunk(index, {"tool_calls": [call]}))
        else:
            tokens = {"content": [{"token": piece, "logprob": -0.1, "top_logprobs": []}]}
            out.append(chunk(index, {channel[1]: piece}, logprobs=tokens))
    out += [chunk(index, {}, "stop") for index in sorted({int(c[0]) for c, _ in wrote})]
    counts = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    out.append(event("", {"id": "c1", "choices": [], "usage": counts}))
    return [*out, StreamEvent("", b"[DONE]")]


# ---- Responses -----------------------------------------------------------------------------------

_BASES = {
    "summary": ("response.reasoning_summary_text", "summary_index", "text"),
    "reasoning": ("response.reasoning_text", "content_index", "text"),
    "text": ("response.output_text", "content_index", "text"),
    "refusal": ("response.refusal", "content_index", "refusal"),
    "arguments": ("response.function_call_arguments", "", "arguments"),
}


def _responses(wrote: Wrote) -> list[StreamEvent]:
    texts = whole_texts(wrote)
    docs: list[Json] = [{"type": "response.created", "response": {"id": "r", "output": []}}]
    for index in range(4):
        item = _item(index, {})
        docs.append({"type": "response.output_item.added", "output_index": index, "item": item})
    for channel, piece in wrote:
        more = {"logprobs": [{"token": piece}]} if channel[1] == "text" else {}
        docs.append(_stream_doc(channel, "delta", "delta", piece) | more)
    for channel, text in texts.items():
        docs.append(_stream_doc(channel, "done", _BASES[str(channel[1])][2], text))
    output = [_item(index, texts) for index in range(4)]
    for index, item in enumerate(output):
        docs.append({"type": "response.output_item.done", "output_index": index, "item": item})
    docs.append({"type": "response.completed", "response": {"id": "r", "output": output}})
    return [event(doc["type"], {**doc, "sequence_number": n}) for n, doc in enumerate(docs)]


def _stream_doc(channel: Channel, step: str, member: str, text: str) -> Json:
    base, place, _ = _BASES[str(channel[1])]
    doc = {"type": f"{base}.{step}", "item_id": f"i{channel[0]}", "output_index": channel[0]}
    return doc | ({place: channel[2]} if place else {}) | {member: text}


def _item(index: int, texts: dict[Channel, str]) -> Json:
    if index == 0:
        summary = [{"type": "summary_text", "text": texts.get((0, "summary", 0), "")}]
        content = [{"type": "reasoning_text", "text": texts.get((0, "reasoning", 0), "")}]
        return {"id": "i0", "type": "reasoning", "summary": summary, "content": content}
    if index == 1:
        parts = [
            {"type": "output_text", "text": texts.get((1, "text", 0), ""), "annotations": []},
            {"type": "refusal", "refusal": texts.get((1, "refusal", 1), "")},
        ]
        return {"id": "i1", "type": "message", "role": "assistant", "content": parts}
    arguments = texts.get((index, "arguments"), "")
    call = {"id": f"i{index}", "type": "function_call", "call_id": "c", "name": "f"}
    return call | {"arguments": arguments}


# ---- Anthropic -----------------------------------------------------------------------------------

_CALL = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
_BLOCKS: dict[str, tuple[Json, str, str]] = {
    "thinking": ({"type": "thinking", "thinking": ""}, "thinking_delta", "thinking"),
    "text": ({"type": "text", "text": ""}, "text_delta", "text"),
    "json": (
        {"type": "tool_use", "id": "t", "name": "f", "input": {}},
        "input_json_delta",
        "partial_json",
    ),
}


def _anthropic(wrote: Wrote) -> list[StreamEvent]:
    message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": []}
    docs: list[Json] = [{"type": "message_start", "message": message}]
    for index, kind in ANTHROPIC:
        block = _BLOCKS[str(kind)][0]
        docs.append({"type": "content_block_start", "index": index, "content_block": block})
    for (index, kind), piece in wrote:
        _, step, member = _BLOCKS[str(kind)]
        delta = {"type": step, member: piece}
        docs.append({"type": "content_block_delta", "index": index, "delta": delta})
    docs += [{"type": "content_block_stop", "index": index} for index, _ in ANTHROPIC]
    docs.append({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}})
    docs.append({"type": "message_stop"})
    return [event(doc["type"], doc) for doc in docs]


# ---- Bedrock -------------------------------------------------------------------------------------


def _bedrock(wrote: Wrote) -> list[StreamEvent]:
    docs: list[tuple[str, Json]] = [("messageStart", {"role": "assistant"})]
    for call in (2, 3):
        start = {"toolUse": {"toolUseId": f"t{call}", "name": "f"}}
        docs.append(("contentBlockStart", {"contentBlockIndex": call, "start": start}))
    for (index, kind), piece in wrote:
        delta = {
            "reasoning": {"reasoningContent": {"text": piece}},
            "text": {"text": piece},
            "input": {"toolUse": {"input": piece}},
        }[str(kind)]
        docs.append(("contentBlockDelta", {"contentBlockIndex": index, "delta": delta, "p": "abc"}))
    docs += [("contentBlockStop", {"contentBlockIndex": index}) for index, _ in BEDROCK]
    docs.append(("messageStop", {"stopReason": "end_turn"}))
    counts = {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}
    docs.append(("metadata", {"usage": counts, "metrics": {"latencyMs": 1}}))
    return [event(name, doc) for name, doc in docs]


# ---- Cohere --------------------------------------------------------------------------------------


def _cohere(wrote: Wrote) -> list[StreamEvent]:
    docs: list[Json] = [{"type": "message-start", "id": "s", "delta": {"message": {}}}]
    for kind, *where in COHERE:
        docs.append(_cohere_start(str(kind), where))
    for (kind, *where), piece in wrote:
        told: Json = {"tool_calls": {"function": {"arguments": piece}}}
        more: Json = {}
        if kind == "content":
            told = {"content": {where[1]: piece}}
            more = {"logprobs": {"text": piece, "token_ids": [1]}} if where[1] == "text" else {}
        name = "content-delta" if kind == "content" else "tool-call-delta"
        docs.append({"type": name, "index": where[0], "delta": {"message": told}} | more)
    for kind, index, *_ in COHERE:
        name = "content-end" if kind == "content" else "tool-call-end"
        docs.append({"type": name, "index": index})
    docs.append({"type": "message-end", "delta": {"finish_reason": "COMPLETE"}})
    return [event(doc["type"], doc) for doc in docs]


def _cohere_start(kind: str, where: list[Any]) -> Json:
    if kind == "content":
        told: Json = {"content": {"type": where[1], where[1]: ""}}
        return {"type": "content-start", "index": where[0], "delta": {"message": told}}
    call = {"id": "t", "type": "function", "function": {"name": "f", "arguments": ""}}
    return {
        "type": "tool-call-start",
        "index": where[0],
        "delta": {"message": {"tool_calls": call}},
    }


# ---- Gemini --------------------------------------------------------------------------------------


def _gemini(wrote: Wrote) -> list[StreamEvent]:
    head = {"modelVersion": "m", "responseId": "r"}
    docs: list[Json] = []
    for channel, piece in wrote:
        part = {"text": piece} | ({"thought": True} if channel[1] == "thought" else {})
        tokens = {"chosenCandidates": [{"token": piece, "logProbability": -0.1}]}
        told = {"content": {"parts": [part], "role": "model"}, "index": channel[0]}
        docs.append({"candidates": [told | {"logprobsResult": tokens}], **head})
    last = [
        {"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": "STOP", "index": i}
        for i in sorted({int(channel[0]) for channel, _ in wrote})
    ]
    counts = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
    docs.append({"candidates": last, "usageMetadata": counts, **head})
    return [event("", doc) for doc in docs]


_STREAMS: dict[str, Callable[[Wrote], list[StreamEvent]]] = {
    "openai_chat": _chat,
    "openai_responses": _responses,
    "anthropic": _anthropic,
    "bedrock": _bedrock,
    "cohere": _cohere,
    "gemini": _gemini,
}


# ---- what came of it -----------------------------------------------------------------------------


@dataclass
class Heard:
    """`texts`: what the pieces of each channel put together say. `repeats`: every whole text told
    of a channel. `tokens`: what logprobs spell. `ended`: channels that an event has closed."""

    texts: dict[Channel, str] = field(default_factory=dict)
    repeats: list[tuple[Channel, str]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    wire: bytes = b""


def heard(dialect: str, given: Iterable[StreamEvent]) -> Heard:
    """Reads the bytes, not the documents at hand: a client has nothing else."""
    spoken, found, closed = DIALECTS[dialect], Heard(), list[Any]()
    for told in given:
        found.wire += told.wire()
        doc = orjson.loads(told.data) if told.data[:1] == b"{" else None
        assert doc is None or doc == told.doc, "an event's data and document are the same"
        assert told.data in told.wire()
        for slot in spoken.slots(doc, told.name):
            value = slot.holder[slot.field]
            if slot.kind in ("text", "json"):
                assert not any(slot.channel[: len(prefix)] == prefix for prefix in closed), slot
                found.texts[slot.channel] = found.texts.get(slot.channel, "") + value
            elif slot.kind == "logprobs":
                found.tokens.append(orjson.dumps(value).decode())
            else:
                found.repeats.append((slot.channel, value))
        closed += spoken.closes(doc, told.name)
    return found


def enforced(
    dialect: str, given: Iterable[StreamEvent], inspector: Inspector, rules: Effective, **more: Any
) -> list[StreamEvent]:
    """The events a caller gets, numbered anew where the dialect numbers them."""
    spoken = DIALECTS[dialect]
    enforcer = StreamEnforcer(spoken, inspector, rules, restoring=more.get("restoring", False))
    renumber = spoken.resequencer()
    out = [renumber(event) for told in given for event in enforcer.feed(told)]
    assert enforcer.held == 0, "nothing is held behind the end"
    assert enforcer.close() == []
    enforcer.record()
    return out
