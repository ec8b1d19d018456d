"""Streamed completions: unnamed events that carry choices of text, and `[DONE]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire import failures
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialect import event
from nexus_sdk.wire.dialects.openai_completions import response
from nexus_sdk.wire.dialects.openai_completions.words import STREAMED
from nexus_sdk.wire.sse import StreamEvent

if TYPE_CHECKING:
    from nexus_sdk.errors import NexusError
    from nexus_sdk.wire.dialect import Reply
    from nexus_sdk.wire.json import Json

DONE = b"[DONE]"


def terminal(event: StreamEvent) -> bool:
    return event.data.strip().startswith(DONE) or failures.in_stream(event) is not None


class Decoder:
    """Each event as a chunk."""

    def feed(self, event: StreamEvent) -> list[Json]:
        doc = event.doc
        if not isinstance(doc, dict) or not isinstance(doc.get("choices"), list):
            return []
        choices = [_choice(choice) for choice in doc["choices"]]
        return [doc | {"object": "chat.completion.chunk", "choices": choices}]

    def close(self) -> list[Json]:
        return []


def _choice(choice: Json) -> Json:
    text = choice.get("text")
    said = ({"content": text} if text else {}) | response.reasoning(choice)
    out = without(choice, {*STREAMED, "logprobs"}) | {"delta": said}
    told = choice.get("logprobs")
    return out | ({"logprobs": response.probabilities(told)} if told else {})


class Encoder:
    """Chunks as events. Calls of tools, which no prompt can ask for, have no place in a completion.
    The counts are told only to a caller who asked for them (`stream_options.include_usage`)."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._usage = bool((reply.request.get("stream_options") or {}).get("include_usage"))
        self._offsets: dict[int, response.Offsets] = {}

    def feed(self, chunk: Json) -> list[StreamEvent]:
        counted = not chunk["choices"] and "usage" in chunk
        choices = [told for choice in chunk["choices"] if (told := self._told(choice)) is not None]
        if not choices and not (counted and self._usage):
            return []
        told = response.head(chunk, self._reply) | {"choices": choices}
        return [event("", told | ({"usage": chunk["usage"]} if "usage" in chunk else {}))]

    def _told(self, choice: Json) -> Json | None:
        delta, reason = choice.get("delta") or {}, choice.get("finish_reason")
        text = (delta.get("content") or "") + (delta.get("refusal") or "")
        index = choice.get("index", 0)
        tokens = (choice.get("logprobs") or {}).get("content")
        thought = response.reasoning(delta)
        if not (text or reason or tokens or thought):
            return None
        offsets = self._offsets.setdefault(index, response.Offsets())
        return {
            "text": text,
            "index": index,
            "logprobs": offsets.columns(tokens) if tokens else None,
            "finish_reason": response.finish(reason) if reason else None,
        } | thought

    def close(self) -> list[StreamEvent]:
        return [StreamEvent("", DONE)]


def error_events(err: NexusError, request_id: str) -> list[StreamEvent]:
    """One unnamed event and no `[DONE]` after it: openai-python raises for `{"error": ...}`
    alone."""
    return [event("", failures.openai_error(err, request_id))]
