"""Streamed chat completions: unnamed events that carry chunks, and `[DONE]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire import failures
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
        delta = details.take(reasoning.canonical(choice.get("delta") or {}))
        self._sources.said(index, delta)
        if (delta.get("content") or delta.get("tool_calls")) and (blocks := details.signed()):
            delta = delta | {"reasoning_blocks": blocks}
        if choice.get("finish_reason"):
            if blocks := details.blocks():
                delta = delta | {"reasoning_blocks": [*delta.get("reasoning_blocks", ()), *blocks]}
            if notes := self._sources.notes(index):
                delta = delta | {"annotations": notes}
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


def error_events(err: NexusError, request_id: str) -> list[StreamEvent]:
    """One unnamed event and no `[DONE]` after it: openai-python raises for `{"error": ...}` alone,
    and ends a stream in peace for any other shape."""
    return [event("", failures.openai_error(err, request_id))]
