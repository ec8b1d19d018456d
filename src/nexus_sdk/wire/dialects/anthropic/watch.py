"""The texts of a message event, for enforcement on a stream in this dialect.

Channels: `(index, "text")`, `(index, "thinking")` and `(index, "json")` for what streams in a
block; below `(index, "block")` for what a block brings all at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire import failures, texts
from nexus_sdk.wire.dialect import Channel, Slot, event
from nexus_sdk.wire.dialects.anthropic.words import TEXT
from nexus_sdk.wire.json import at

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.dialect import SlotKind
    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent

_DELTAS: dict[str, tuple[str, str, SlotKind]] = {
    "text_delta": ("text", "text", "text"),
    "thinking_delta": ("thinking", "thinking", "text"),
    "input_json_delta": ("partial_json", "json", "json"),
}
"""Delta type → its field, its channel, its kind."""
_FIELDS: dict[str, tuple[str, str]] = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "json": ("input_json_delta", "partial_json"),
}


def slots(doc: Json, name: str) -> list[Slot]:  # noqa: ARG001  one signature for all dialects
    if not isinstance(doc, dict):
        return []
    kind = doc.get("type")
    if kind == "content_block_delta":
        return _delta(doc)
    if kind == "content_block_start":
        return _start(doc)
    return _leaves(doc, ("message",))


def _delta(doc: Json) -> list[Slot]:
    index, delta = doc["index"], doc["delta"]
    known = _DELTAS.get(delta.get("type", ""))
    if known is None:
        return _leaves(delta, (index, "block", delta.get("type", "")))
    field, channel, kind = known
    return [Slot((index, channel), delta, field, kind)] if delta.get(field) else []


def _start(doc: Json) -> list[Slot]:
    """A block's beginning. The text that a text or thinking block begins with is a first piece of
    what follows."""
    index, block = doc["index"], doc["content_block"]
    kind = block.get("type")
    if kind in {"text", "thinking"}:
        first = [Slot((index, kind), block, kind, "text")] if block.get(kind) else []
        told = (index, "block", kind)
        return first + [slot for slot in _leaves(block, (index, "block")) if slot.channel != told]
    return _leaves(block, (index, "block"))


def _leaves(node: Json, channel: Channel) -> list[Slot]:
    """Every text below `node`, each a channel of its own."""
    return [
        Slot((*channel, *leaf.path), at(node, leaf.path[:-1]), leaf.path[-1], "whole")
        for leaf in texts.leaves(node, TEXT)
        if not leaf.number
    ]


def closes(doc: Json, name: str) -> list[Channel]:  # noqa: ARG001
    closing = _CLOSES.get(doc.get("type", "")) if isinstance(doc, dict) else None
    return closing(doc) if closing else []


def _all(doc: Json) -> list[Channel]:  # noqa: ARG001
    return [()]


_CLOSES: dict[str, Callable[[Json], list[Channel]]] = {
    "content_block_stop": lambda doc: [(doc["index"],)],
    "message_delta": _all,
    "message_stop": _all,
}


def delta(channel: Channel, text: str, like: Json) -> StreamEvent:  # noqa: ARG001  the channel says all
    kind, field = _FIELDS[str(channel[1])]
    piece = {"type": kind, field: text}
    doc = {"type": "content_block_delta", "index": channel[0], "delta": piece}
    return event("content_block_delta", doc)


def terminal(event: StreamEvent) -> bool:
    doc = event.doc
    stopped = isinstance(doc, dict) and doc.get("type") == "message_stop"
    return stopped or failures.in_stream(event) is not None
