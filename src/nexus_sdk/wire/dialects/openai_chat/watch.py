"""The texts of a chunk, for enforcement on a stream in this dialect.

Channels: `(choice, field)` for the strings of a delta, `(choice, "tool", n)` for a tool's
arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire import texts
from nexus_sdk.wire.dialect import Channel, Slot, event
from nexus_sdk.wire.dialects.openai_chat.words import TEXT
from nexus_sdk.wire.json import at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent

_HEAD = frozenset({
    "id", "object", "created", "model", "choices", "usage", "system_fingerprint", "service_tier",
    "obfuscation", "provider", "x_groq", "prompt_filter_results",
})  # fmt: skip
"""Members of a chunk that hold no text of the answer."""
_CHOICE = frozenset({"index", "delta", "finish_reason", "logprobs", "native_finish_reason"})
"""Members of a choice that are read by themselves, or hold no text."""


def slots(doc: Json, name: str) -> list[Slot]:  # noqa: ARG001  one signature for all dialects
    if not isinstance(doc, dict):
        return []
    found: list[Slot] = []
    for choice in doc.get("choices") or ():
        index = choice.get("index", 0)
        for key, value in (choice.get("delta") or {}).items():
            if value and key not in TEXT.skip:
                found += _member(choice["delta"], key, (index,))
        if not choice.keys() <= _CHOICE:
            found += _snapshot(choice, index)
        if choice.get("logprobs"):
            found.append(Slot((index, "content"), choice, "logprobs", "logprobs"))
    if not doc.keys() <= _HEAD:
        found += _beside(doc, _HEAD, ("chunk",))
    return found


def _beside(holder: Json, known: frozenset[str], channel: Channel) -> Iterator[Slot]:
    """The texts of an object's members but for those that are known."""
    rest = {key: value for key, value in holder.items() if key not in known}
    for slot in _leaves(rest, channel):
        yield slot if slot.holder is not rest else slot._replace(holder=holder)


def _snapshot(choice: Json, index: int) -> Iterator[Slot]:
    """What stands beside the delta. Perplexity repeats in `message` all that was said so far."""
    for slot in _beside(choice, _CHOICE, (index, "choice")):
        member, *path = slot.channel[2:]
        said = member == "message" and len(path) == 1
        yield slot._replace(channel=(index, *path)) if said else slot


def _member(delta: Json, key: str, channel: Channel) -> Iterator[Slot]:
    value = delta[key]
    if isinstance(value, str):
        yield Slot((*channel, key), delta, key, "text")
    elif key in _LISTS:
        for place, item in enumerate(value):
            yield from _LISTS[key](item, (*channel, key), place)
    elif key == "function_call":
        yield from _field(value, "arguments", (*channel, key), "json")
    elif key == "audio":
        yield from _field(value, "transcript", (*channel, key), "text")
    elif isinstance(value, (dict, list)):
        yield from _leaves(value, (*channel, key))


def _field(holder: Json, field: str, channel: Channel, kind: str) -> Iterator[Slot]:
    if isinstance(holder, dict) and isinstance(holder.get(field), str) and holder[field]:
        yield Slot(channel, holder, field, "json" if kind == "json" else "text")


def _tool(call: Json, channel: Channel, place: int) -> Iterator[Slot]:
    index = call.get("index", place)
    yield from _field(call.get("function"), "arguments", (channel[0], "tool", index), "json")
    yield from _field(call.get("custom"), "input", (channel[0], "custom", index), "text")


def _part(part: Json, channel: Channel, place: int) -> Iterator[Slot]:  # noqa: ARG001
    """A part of a delta's content list, as Mistral's reasoning models send them: `text`, or
    `thinking` with texts."""
    if isinstance(part.get("thinking"), list):
        for inner in part["thinking"]:
            yield from _field(inner, "text", (channel[0], "thinking"), "text")
    else:
        yield from _field(part, "text", channel, "text")


def _detail(detail: Json, channel: Channel, place: int) -> Iterator[Slot]:
    """An entry of OpenRouter's `reasoning_details`: pieces of the text of reasoning `index`."""
    for field in ("text", "summary"):
        yield from _field(detail, field, (*channel, detail.get("index", place), field), "text")


def _whole(item: Json, channel: Channel, place: int) -> Iterator[Slot]:
    """A block that comes all at once."""
    yield from _leaves(item, (*channel, item.get("index", place)))


_LISTS: dict[str, Callable[[Json, Channel, int], Iterator[Slot]]] = {
    "content": _part,
    "tool_calls": _tool,
    "reasoning_details": _detail,
    "reasoning_blocks": _whole,
    "provider_blocks": _whole,
    "annotations": _whole,
}


def _leaves(node: Json, channel: Channel) -> list[Slot]:
    """Every text below `node`, each a channel of its own."""
    return [
        Slot(
            (*channel, *leaf.path),
            at(node, leaf.path[:-1]),
            leaf.path[-1],
            "whole_json" if leaf.json_text else "whole",
        )
        for leaf in texts.leaves(node, TEXT)
        if not leaf.number
    ]


def closes(doc: Json, name: str) -> list[Channel]:  # noqa: ARG001
    """`[DONE]`, which has no document, ends all; a finish reason ends its choice."""
    if not isinstance(doc, dict):
        return [()]
    return [
        (choice.get("index", 0),)
        for choice in doc.get("choices") or ()
        if choice.get("finish_reason")  # some vendors write "" while it goes on
    ]


def delta(channel: Channel, text: str, like: Json) -> StreamEvent:
    """A chunk of one piece. `like` may be None at the stream's end: then it has no id of its own;
    clients take theirs from the first chunk."""
    index, key = channel[0], channel[1]
    head = {field: (like or {}).get(field, none) for field, none in _IDS.items()}
    piece: Json = {key: text}
    if key == "tool":
        piece = {"tool_calls": [{"index": channel[2], "function": {"arguments": text}}]}
    elif key == "custom":
        piece = {"tool_calls": [{"index": channel[2], "custom": {"input": text}}]}
    elif key == "reasoning_details":
        piece = {key: [{"index": channel[2], "type": _DETAILS[str(channel[3])], channel[3]: text}]}
    elif key in _WRAPPED:
        piece = _WRAPPED[str(key)](text)
    choice = {"index": index, "delta": piece, "finish_reason": None}
    return event("", head | {"object": "chat.completion.chunk", "choices": [choice]})


_IDS: dict[str, Json] = {"id": "", "created": 0, "model": ""}
_DETAILS = {"text": "reasoning.text", "summary": "reasoning.summary"}
_WRAPPED: dict[str, Callable[[str], Json]] = {
    "function_call": lambda text: {"function_call": {"arguments": text}},
    "audio": lambda text: {"audio": {"transcript": text}},
    "thinking": lambda text: {
        "content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]
    },
}
