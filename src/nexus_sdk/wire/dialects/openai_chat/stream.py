"""Streamed chat completions: unnamed events that carry chunks, and `[DONE]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire import failures, natives
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialect import event
from nexus_sdk.wire.dialects.openai_chat import reasoning
from nexus_sdk.wire.dialects.openai_chat.sources import Sources
from nexus_sdk.wire.sse import StreamEvent

if TYPE_CHECKING:
    from nexus_sdk.errors import NexusError
    from nexus_sdk.wire.dialect import Reply
    from nexus_sdk.wire.json import Json

DONE = b"[DONE]"


def terminal(event: StreamEvent) -> bool:
    return event.data.strip().startswith(DONE) or failures.in_stream(event) is not None


class Decoder:
    """Chunks are canonical as they come, but for the names of reasoning and of sources."""

    def __init__(self) -> None:
        self._details: dict[int, reasoning.Details] = {}
        self._sources = Sources()

    def feed(self, event: StreamEvent) -> list[Json]:
        doc = event.doc
        if not isinstance(doc, dict) or not isinstance(doc.get("choices"), list):
            return []
        self._sources.take(doc)
        return [doc | {"choices": [self._choice(choice) for choice in doc["choices"]]}]

    def _choice(self, choice: Json) -> Json:
        index = choice.get("index", 0)
        details = self._details.setdefault(index, reasoning.Details())
        told = choice.get("delta") or {}
        delta = details.take(reasoning.canonical(told))
        if delta is not told:
            delta = reasoning.spelled(delta, told)
        self._sources.said(index, delta)
        blocks: list[Json] = []
        if delta.get("content") or delta.get("tool_calls"):
            blocks += details.signed()
        if choice.get("finish_reason"):
            blocks += details.blocks()
            if notes := self._sources.notes(index):
                delta = delta | {"annotations": notes}
        if blocks:
            own = {"native": {"origin": "openai_chat", "form": {}}}
            delta = own | delta | {"reasoning_blocks": blocks}
        return choice | {"delta": delta}

    def close(self) -> list[Json]:
        return []


class Encoder:
    """Chunks as events. The counts are told only to a caller who asked for them
    (`stream_options.include_usage`)."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._usage = bool((reply.request.get("stream_options") or {}).get("include_usage"))

    def feed(self, chunk: Json) -> list[StreamEvent]:
        chunk = _own(chunk)
        if natives.EVENT in chunk:
            return []
        if not chunk["choices"] and "usage" in chunk and not self._usage:
            return []
        filled = chunk | {
            "id": chunk.get("id") or self._reply.id,
            "created": chunk.get("created") or self._reply.created,
            "model": chunk.get("model") or self._reply.model,
        }
        return [event("", filled)]

    def close(self) -> list[StreamEvent]:
        return [StreamEvent("", DONE)]


def _own(chunk: Json) -> Json:
    """The chunk as a client of this API reads it: the same object, but for marks of ours."""
    if natives.ANSWER in chunk:
        chunk = without(chunk, {natives.ANSWER})
    if not any("native" in (choice.get("delta") or {}) for choice in chunk["choices"]):
        return chunk
    told = [choice | {"delta": reasoning.respelled(choice["delta"])} for choice in chunk["choices"]]
    return chunk | {"choices": told}


def error_events(err: NexusError, request_id: str) -> list[StreamEvent]:
    """One unnamed event and no `[DONE]` after it: openai-python raises for `{"error": ...}` alone,
    and ends a stream in peace for any other shape."""
    return [event("", failures.openai_error(err, request_id))]
