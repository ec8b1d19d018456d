"""Errors inside a stream of Cohere's chat, https://docs.cohere.com/reference/chat-stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.wire import envelopes, failures
from nexus_sdk.wire.dialect import event as new_event
from nexus_sdk.wire.dialects.cohere.words import FAILED

if TYPE_CHECKING:
    from nexus_sdk.errors import NexusError
    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent

END = "message-end"


def events(err: NexusError, request_id: str) -> list[StreamEvent]:
    """The last event, which has a place for an error. Cohere's clients raise for none, so that
    `finish_reason` is what an application sees."""
    ended = {"finish_reason": FAILED, "error": err.message}
    body = {
        "type": END,
        "id": request_id,
        "delta": ended,
        "error": envelopes.cohere_error(err, request_id),
    }
    return [new_event(END, body)]


def in_stream(event: StreamEvent) -> UpstreamFailed | None:
    """An error in any vendor's shape; a last event that says that the generation failed; or a bare
    `{"message"}`, as errors are outside of streams."""
    if (error := failures.in_stream(event)) is not None:
        return error
    doc = event.doc
    if not isinstance(doc, dict):
        return None
    delta = doc.get("delta")
    if doc.get("type") == END and isinstance(delta, dict):
        failed = delta.get("finish_reason") == FAILED or delta.get("error")
        return generation_failed(delta.get("error")) if failed else None
    bare = "type" not in doc and isinstance(doc.get("message"), str)
    return failures.failed(failures.facts(doc, 200)) if bare else None


def generation_failed(said: Json) -> UpstreamFailed:
    told = said if isinstance(said, str) and said else "the generation failed"
    return UpstreamFailed(f"the upstream gave no whole answer: {told}")
