"""A prediction's stream → canonical chunks.

Events: `output` (plain text), `error` (JSON), and `done` (JSON; `reason` says `canceled` or `error`
where it did not succeed). Source: https://replicate.com/docs/topics/predictions/streaming. Tokens
are not counted in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from nexus_sdk.errors import Unsupported
from nexus_sdk.wire import failures
from nexus_sdk.wire.canonical import Head
from nexus_sdk.wire.dialect import event as made
from nexus_sdk.wire.dialects.replicate.response import decode, failed
from nexus_sdk.wire.sse import StreamEvent

if TYPE_CHECKING:
    from nexus_sdk.errors import NexusError, UpstreamFailed
    from nexus_sdk.wire.json import Json

PLAIN = frozenset({"output"})


class Decoder:
    """A multi-line text comes as several `data` lines, which the event joins."""

    def __init__(self) -> None:
        self._head = Head()
        self._begun = False

    def feed(self, event: StreamEvent) -> list[Json]:
        out = []
        if event.name in {"output", "done"} and not self._begun:
            self._begun = True
            out.append(self._head.chunk({"role": "assistant", "content": ""}))
        if event.name == "output":
            out.append(self._head.chunk({"content": event.data.decode("utf-8", "replace")}))
        elif event.name == "done":
            out.append(self._head.chunk({}, finish="stop"))
        return out

    def close(self) -> list[Json]:
        return []


def terminal(event: StreamEvent) -> bool:
    return event.name == "done" or error(event) is not None


def error(event: StreamEvent) -> UpstreamFailed | None:
    """The error of an `error` event, or of a `done` with a reason. A text that looks like one is a
    text."""
    if event.name == "error":
        return failures.in_stream(event)
    reason = (
        event.doc.get("reason") if event.name == "done" and isinstance(event.doc, dict) else None
    )
    if not reason:
        return None
    return failed("failed" if reason == "error" else str(reason)[:64], None)


def written(doc: Json) -> bytes:
    """An ended prediction as the stream that it might have been. Its lines end in a line feed, as
    in any stream of this form. Raises UpstreamFailed for one that did not succeed."""
    text: str = decode(doc)["choices"][0]["message"]["content"]
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    said = StreamEvent("output", lines.encode("utf-8", "replace"))
    return said.wire() + StreamEvent("done", b"{}").wire()


def error_events(err: NexusError, request_id: str) -> list[StreamEvent]:
    return [made("error", failures.openai_error(err, request_id))]


def no_door(*_: object) -> NoReturn:
    raise Unsupported("a prediction's stream has an address of its own", param="stream")
