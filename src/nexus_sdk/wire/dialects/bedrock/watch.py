"""The texts of a stream's events, for enforcement on a stream in this dialect.

Channels: `(index, "text")`, `(index, "reasoning")` and `(index, "input")` for what streams in a
block; below `(index, "block")` for what a block brings all at once. An event is known by its
members, not by its name, which stands outside of what was judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire import texts
from nexus_sdk.wire.dialect import Channel, Slot, event
from nexus_sdk.wire.dialects.bedrock import errors
from nexus_sdk.wire.dialects.bedrock.words import TEXT
from nexus_sdk.wire.json import at

if TYPE_CHECKING:
    from nexus_sdk.wire.dialect import SlotKind
    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent

PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
"""Every event bears `p`, the beginning of this text in a random length, which hides how long the
event is. It says nothing."""

_STREAMED: dict[str, tuple[tuple[str, ...], SlotKind]] = {
    "text": (("text",), "text"),
    "reasoning": (("reasoningContent", "text"), "text"),
    "input": (("toolUse", "input"), "json"),
}
"""Channel → where its text stands in a delta, and its kind."""


def slots(doc: Json, name: str) -> list[Slot]:  # noqa: ARG001  one signature for all dialects
    if not isinstance(doc, dict):
        return []
    index = doc.get("contentBlockIndex")
    found: list[Slot] = []
    streamed: set[tuple[str, ...]] = set()
    if isinstance(index, int) and isinstance(doc.get("delta"), dict):
        for channel, (path, kind) in _STREAMED.items():
            holder = _holder(doc["delta"], path)
            if holder is not None and holder[path[-1]]:
                found.append(Slot((index, channel), holder, path[-1], kind))
                streamed.add(("delta", *path))
    base: Channel = ("message",) if index is None else (index, "block")
    for leaf in texts.leaves(doc, TEXT):
        padding = leaf.path == ("p",) and PADDING.startswith(leaf.text)
        if not (leaf.number or padding or leaf.path in streamed):
            holder = at(doc, leaf.path[:-1])
            found.append(Slot((*base, *leaf.path), holder, leaf.path[-1], "whole"))
    return found


def _holder(delta: Json, path: tuple[str, ...]) -> Json | None:
    """The object that holds the string at `path`, where there is one."""
    node = delta
    for step in path[:-1]:
        node = node.get(step) if isinstance(node, dict) else None
    fits = isinstance(node, dict) and isinstance(node.get(path[-1]), str)
    return node if fits else None


def closes(doc: Json, name: str) -> list[Channel]:
    if not isinstance(doc, dict):
        return []
    if name == "contentBlockStop" and "contentBlockIndex" in doc:
        return [(doc["contentBlockIndex"],)]
    return [()] if name in {"messageStop", "metadata"} else []


def delta(channel: Channel, text: str, like: Json) -> StreamEvent:  # noqa: ARG001  the channel says all
    piece: Json = text
    for step in reversed(_STREAMED[str(channel[1])][0]):
        piece = {step: piece}
    return event("contentBlockDelta", {"contentBlockIndex": channel[0], "delta": piece})


def terminal(event: StreamEvent) -> bool:
    """A stream is whole with `messageStop`; `metadata`, with the counts, comes after it."""
    return event.name in {"messageStop", "metadata"} or errors.in_stream(event) is not None
