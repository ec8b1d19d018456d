"""The texts of a chat event, for enforcement on a stream in this dialect.

Channels: `("content", n, "text")` and `("content", n, "thinking")` for what streams in a content
part, `("plan",)` for the plan of the tools, `("tool", n)` for a call's arguments; below
`("citation", n)` and `("message", ...)` for what comes all at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire import texts
from nexus_sdk.wire.dialect import Channel, Slot, event
from nexus_sdk.wire.dialects.cohere import errors
from nexus_sdk.wire.dialects.cohere.words import TEXT
from nexus_sdk.wire.json import at

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent

_STREAMED = ("text", "thinking")


def slots(doc: Json, name: str) -> list[Slot]:  # noqa: ARG001  one signature for all dialects
    if not isinstance(doc, dict):
        return []
    return _SLOTS.get(doc.get("type", ""), _whole)(doc)


def _whole(doc: Json) -> list[Slot]:
    return _leaves(doc, ("message", str(doc.get("type", ""))))


def _content(doc: Json) -> list[Slot]:
    """Pieces of a content part, and the probabilities of their tokens."""
    found: list[Slot] = []
    index, content = doc["index"], _message(doc).get("content")
    known: set[Channel] = set()
    for key in _STREAMED if isinstance(content, dict) else ():
        if isinstance(content.get(key), str):
            known.add(("content", index, "part", "delta", "message", "content", key))
            if content[key]:
                found.append(Slot(("content", index, key), content, key, "text"))
    rest = _leaves(doc, ("content", index, "part"))
    found += [slot for slot in rest if slot.channel not in known]
    if doc.get("logprobs"):
        found.append(Slot(("content", index, "text"), doc, "logprobs", "logprobs"))
    return found


def _plan(doc: Json) -> list[Slot]:
    return _streamed(doc, _message(doc), "tool_plan", ("plan",))


def _call(doc: Json) -> list[Slot]:
    call = _message(doc).get("tool_calls")
    function = call.get("function") if isinstance(call, dict) else None
    return _streamed(doc, function, "arguments", ("tool", doc["index"]))


def _streamed(doc: Json, holder: Json, field: str, channel: Channel) -> list[Slot]:
    """The piece `holder[field]`, and every other text of the event."""
    kind = "json" if field == "arguments" else "text"
    found: list[Slot] = []
    if isinstance(holder, dict) and isinstance(holder.get(field), str) and holder[field]:
        found.append(Slot(channel, holder, field, "json" if kind == "json" else "text"))
    rest = _leaves(doc, (*channel, "rest"))
    return found + [slot for slot in rest if slot.holder is not holder or slot.field != field]


def _citation(doc: Json) -> list[Slot]:
    return _leaves(doc, ("citation", doc.get("index", 0)))


_SLOTS: dict[str, Callable[[Json], list[Slot]]] = {
    "content-start": _content,
    "content-delta": _content,
    "tool-plan-delta": _plan,
    "tool-call-start": _call,
    "tool-call-delta": _call,
    "citation-start": _citation,
}


def _message(doc: Json) -> Json:
    delta = doc.get("delta")
    message = delta.get("message") if isinstance(delta, dict) else None
    return message if isinstance(message, dict) else {}


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
    """The plan of the tools has no end of its own: the first call, or a text, ends it."""
    closing = _CLOSES.get(doc.get("type", "")) if isinstance(doc, dict) else None
    return closing(doc) if closing else []


_CLOSES: dict[str, Callable[[Json], list[Channel]]] = {
    "content-end": lambda doc: [("content", doc["index"])],
    "tool-call-start": lambda _: [("plan",)],
    "tool-call-end": lambda doc: [("tool", doc["index"])],
    "message-end": lambda _: [()],
}


def delta(channel: Channel, text: str, like: Json) -> StreamEvent:  # noqa: ARG001  the channel says all
    kind, *where = channel
    if kind == "plan":
        return _event("tool-plan-delta", {}, {"tool_plan": text})
    index = {"index": where[0]}
    if kind == "tool":
        told = {"tool_calls": {"function": {"arguments": text}}}
        return _event("tool-call-delta", index, told)
    return _event("content-delta", index, {"content": {where[1]: text}})


def _event(name: str, index: Json, message: Json) -> StreamEvent:
    return event(name, {"type": name} | index | {"delta": {"message": message}})


def terminal(event: StreamEvent) -> bool:
    doc = event.doc
    ended = isinstance(doc, dict) and doc.get("type") == errors.END
    return ended or event.data.startswith(b"[DONE]") or errors.in_stream(event) is not None
