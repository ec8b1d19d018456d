"""Token counts in a stream that the caller did not ask for: we asked, to know the cost, and we take
them out again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire.json import dumps

if TYPE_CHECKING:
    from nexus_sdk.wire.sse import StreamEvent


def hide_usage(event: StreamEvent) -> StreamEvent | None:
    """An OpenAI chat event as it would have been without `include_usage`: the chunk that only
    counts is gone, and the others lose their empty `usage` (OpenAI API reference, chat.completions,
    `stream_options`)."""
    doc = event.doc
    if type(doc) is not dict or "usage" not in doc:
        return event
    if not doc.get("choices") and doc["usage"] is not None:
        return None
    if doc["usage"] is None:
        del doc["usage"]
        raw = event.raw
        if raw is not None and _EMPTY in raw and raw.count(_NAME) == 1:
            event.raw = raw.replace(_EMPTY, b"")
            event.data = event.data.replace(_EMPTY, b"")
        else:
            event.data, event.raw = dumps(doc), None
    return event


_NAME, _EMPTY = b'"usage"', b',"usage":null'
