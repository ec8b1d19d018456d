"""The texts of a Responses event, for enforcement on a stream in this dialect.

Channels: `(output index, kind, index in the item)`, kind being `text`, `refusal`, `summary` or
`reasoning`; `(output index, "arguments" | "input" | "code")`; below `(output index, "item")` for
what an item brings all at once. This API repeats every text three times over (`.done`, the item,
the answer): those are `whole` slots of the same channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire import texts
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialect import Channel, Slot, event
from nexus_sdk.wire.dialects.openai_responses.stream import ENDS
from nexus_sdk.wire.dialects.openai_responses.words import TEXT
from nexus_sdk.wire.json import at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nexus_sdk.wire.dialect import SlotKind
    from nexus_sdk.wire.json import Json, Path
    from nexus_sdk.wire.sse import StreamEvent

_STREAMS: dict[str, tuple[str, str, str]] = {
    "response.output_text": ("text", "text", "content_index"),
    "response.refusal": ("refusal", "refusal", "content_index"),
    "response.reasoning_summary_text": ("summary", "text", "summary_index"),
    "response.reasoning_text": ("reasoning", "text", "content_index"),
    "response.function_call_arguments": ("arguments", "arguments", ""),
    "response.mcp_call_arguments": ("mcp_arguments", "arguments", ""),
    "response.custom_tool_call_input": ("input", "input", ""),
    "response.code_interpreter_call_code": ("code", "code", ""),
}
"""What has `.delta` and `.done` → its channel, the field of `.done`, the member with its index in
the item."""
_BY_CHANNEL = {channel: (base, place) for base, (channel, _, place) in _STREAMS.items()}
_JSON = frozenset({"arguments", "mcp_arguments"})
_PARTS = {
    "output_text": "text",
    "refusal": "refusal",
    "reasoning_text": "reasoning",
    "summary_text": "summary",
}
_IN_ITEM: dict[tuple[str, str], str] = {
    ("message", "content"): "",
    ("reasoning", "summary"): "summary",
    ("reasoning", "content"): "reasoning",
}
_FLAT: dict[tuple[str, str], str] = {
    ("function_call", "arguments"): "arguments",
    ("mcp_call", "arguments"): "mcp_arguments",
    ("custom_tool_call", "input"): "input",
    ("code_interpreter_call", "code"): "code",
}
_HEAD = frozenset({
    "type", "sequence_number", "item_id", "output_index", "content_index", "summary_index",
    "annotation_index", "obfuscation",
})  # fmt: skip


def slots(doc: Json, name: str) -> list[Slot]:  # noqa: ARG001  one signature for all dialects
    if not isinstance(doc, dict):
        return []
    kind = doc.get("type", "")
    base, _, step = kind.rpartition(".")
    if base in _STREAMS and step in {"delta", "done"}:
        return list(_piece(doc, base, step))
    find = _EVENTS.get(kind)
    if find is not None:
        return list(find(doc))
    if isinstance(doc.get("response"), dict):
        return list(_answer(doc["response"]))
    return list(_unknown(doc, base, step))


def _channel(doc: Json, base: str) -> Channel:
    channel, _, place = _STREAMS[base]
    return (doc.get("output_index", 0), channel, *((doc.get(place, 0),) if place else ()))


def _piece(doc: Json, base: str, step: str) -> Iterator[Slot]:
    channel = _channel(doc, base)
    json = channel[1] in _JSON
    field = "delta" if step == "delta" else _STREAMS[base][1]
    kind: SlotKind = ("json" if json else "text") if step == "delta" else _whole(json=json)
    if doc.get(field):
        yield Slot(channel, doc, field, kind)
    if doc.get("logprobs"):
        yield Slot(channel, doc, "logprobs", "logprobs")


def _whole(*, json: bool) -> SlotKind:
    return "whole_json" if json else "whole"


def _unknown(doc: Json, base: str, step: str) -> Iterator[Slot]:
    """An event of a kind that is newer than the tables: a string `delta` streams, all else is
    whole."""
    index = doc.get("output_index", 0)
    rest = without(doc, _HEAD)
    if step == "delta" and isinstance(doc.get("delta"), str):
        if "delta" not in TEXT.typed.get(doc["type"], ()):
            yield Slot((index, base), doc, "delta", "text")
        rest.pop("delta")
    for slot in _leaves(rest, (index, base)):
        yield slot if slot.holder is not rest else slot._replace(holder=doc)


def _item(doc: Json) -> Iterator[Slot]:
    return _item_slots(doc.get("item") or {}, doc.get("output_index", 0))


def _item_slots(item: Json, index: int) -> Iterator[Slot]:
    for leaf in texts.leaves(item, TEXT):
        if leaf.number:
            continue
        channel = _place(item, leaf.path, index)
        json = leaf.json_text or channel[1] in _JSON
        yield Slot(channel, at(item, leaf.path[:-1]), leaf.path[-1], _whole(json=json))
    if item.get("type") == "message":
        for place, part in enumerate(item.get("content") or ()):
            if part.get("logprobs"):
                yield Slot((index, "text", place), part, "logprobs", "logprobs")


def _place(item: Json, path: Path, index: int) -> Channel:
    """The channel of a text in an item: that of its stream, where it has one."""
    kind = (str(item.get("type")), str(path[0]))
    if len(path) == 1 and kind in _FLAT:
        return (index, _FLAT[kind])
    if len(path) == 3 and kind in _IN_ITEM and path[2] in {"text", "refusal"}:
        return (index, _IN_ITEM[kind] or str(path[2]), path[1])
    return (index, "item", *path)


def _part(doc: Json) -> Iterator[Slot]:
    part, index = doc.get("part") or {}, doc.get("output_index", 0)
    place = _within(doc)
    channel = _PARTS.get(part.get("type", ""), "part")
    for slot in _leaves(part, (index, "part", place)):
        told = slot.holder is part and slot.field in {"text", "refusal"}
        yield slot._replace(channel=(index, channel, place)) if told else slot
    if part.get("logprobs"):
        yield Slot((index, "text", place), part, "logprobs", "logprobs")


def _within(doc: Json) -> int:
    return int(doc.get("content_index", doc.get("summary_index", 0)))


def _annotation(doc: Json) -> Iterator[Slot]:
    place = ("annotation", doc.get("content_index", 0), doc.get("annotation_index", 0))
    yield from _leaves(doc.get("annotation") or {}, (doc.get("output_index", 0), *place))


def _answer(response: Json) -> Iterator[Slot]:
    for index, item in enumerate(response.get("output") or ()):
        yield from _item_slots(item, index)
    rest = without(response, {"output"})
    for slot in _leaves(rest, ("response",)):
        yield slot if slot.holder is not rest else slot._replace(holder=response)


def _leaves(node: Json, channel: Channel) -> list[Slot]:
    """Every text below `node`, each a channel of its own."""
    return [
        Slot(
            (*channel, *leaf.path),
            at(node, leaf.path[:-1]),
            leaf.path[-1],
            _whole(json=leaf.json_text),
        )
        for leaf in texts.leaves(node, TEXT)
        if not leaf.number
    ]


_EVENTS: dict[str, Callable[[Json], Iterator[Slot]]] = {
    "response.output_item.added": _item,
    "response.output_item.done": _item,
    "response.content_part.added": _part,
    "response.content_part.done": _part,
    "response.reasoning_summary_part.added": _part,
    "response.reasoning_summary_part.done": _part,
    "response.output_text.annotation.added": _annotation,
}


def closes(doc: Json, name: str) -> list[Channel]:  # noqa: ARG001
    if not isinstance(doc, dict):
        return []
    kind = doc.get("type", "")
    base, _, step = kind.rpartition(".")
    if kind in ENDS:
        return [()]
    if kind == "response.output_item.done":
        return [(doc.get("output_index", 0),)]
    if step == "done" and base in _STREAMS:
        return [_channel(doc, base)]
    if step == "done" and base in {"response.content_part", "response.reasoning_summary_part"}:
        channel = _PARTS.get((doc.get("part") or {}).get("type", ""))
        place = _within(doc)
        return [(doc.get("output_index", 0), channel, place)] if channel else []
    return [(doc.get("output_index", 0), base)] if step == "done" else []


def delta(channel: Channel, text: str, like: Json) -> StreamEvent:
    """Its number is that of `like`: `resequencer` puts the stream right."""
    index, kind = channel[0], str(channel[1])
    base, place = _BY_CHANNEL.get(kind, (kind, ""))
    doc = {
        "type": f"{base}.delta",
        "sequence_number": like.get("sequence_number", 0),
        "item_id": _item_id(like, index),
        "output_index": index,
        "delta": text,
    }
    if place:
        doc[place] = channel[2]
    if kind == "text":
        doc["logprobs"] = []
    return event(doc["type"], doc)


def _item_id(like: Json, index: str | int) -> Json:
    if "item_id" in like:
        return like["item_id"]
    if isinstance(like.get("item"), dict):
        return like["item"].get("id", "")
    output = (like.get("response") or {}).get("output") or []
    return output[index].get("id", "") if isinstance(index, int) and index < len(output) else ""
