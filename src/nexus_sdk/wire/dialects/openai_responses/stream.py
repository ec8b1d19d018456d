"""What events of a Responses stream have in common: their numbers, their end, errors, counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire import counts, failures
from nexus_sdk.wire.dialect import event as new_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.errors import NexusError, UpstreamFailed
    from nexus_sdk.model import Usage
    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent

ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})


def terminal(event: StreamEvent) -> bool:
    """OpenRouter also sends `[DONE]` after the last event."""
    doc = event.doc
    if isinstance(doc, dict) and doc.get("type") in ENDS:
        return True
    return event.data.startswith(b"[DONE]") or error(event) is not None


def error(event: StreamEvent) -> UpstreamFailed | None:
    doc = event.doc
    if isinstance(doc, dict) and doc.get("type") == "response.failed":
        return failures.failed(failures.facts(doc.get("response") or {}, 200))
    return failures.in_stream(event)


def error_events(err: NexusError, request_id: str) -> list[StreamEvent]:
    """OpenAI's own event is flat, and openai-python passes that over in silence; it raises for a
    member `error`. So the event has both. `resequencer` gives it its number."""
    told = failures.openai_error(err, request_id)
    flat = {key: told["error"][key] for key in ("code", "message", "param")}
    return [new_event("error", {"type": "error", "sequence_number": 0} | flat | told)]


def usage(doc: Json) -> Usage | None:
    """The counts of an answer, or of the event that brings one."""
    answer = doc.get("response")
    return counts.read((answer if isinstance(answer, dict) else doc).get("usage"))


def resequencer() -> Callable[[StreamEvent], StreamEvent]:
    """Numbers events one after the other, from the first one's number. An event that has the right
    one is not touched, so that its bytes stay as they came."""
    following: list[int] = []

    def renumber(event: StreamEvent) -> StreamEvent:
        doc = event.doc
        told = doc.get("sequence_number") if isinstance(doc, dict) else None
        if told is None:
            return event
        number = following.pop() if following else told
        following.append(number + 1)
        return event if number == told else new_event(event.name, doc | {"sequence_number": number})

    return renumber
