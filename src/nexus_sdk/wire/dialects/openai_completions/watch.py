"""The texts of an event, for enforcement on a stream in this dialect.

Channels: `(choice, field)` for what streams; below `(choice, "rest")` and `("event", ...)` what
comes all at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire import texts
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialect import Channel, Slot, event
from nexus_sdk.wire.dialects.openai_completions.words import STREAMED, TEXT
from nexus_sdk.wire.json import at

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent


def slots(doc: Json, name: str) -> list[Slot]:  # noqa: ARG001  one signature for all dialects
    if not isinstance(doc, dict):
        return []
    found: list[Slot] = []
    for choice in doc.get("choices") or ():
        index = choice.get("index", 0)
        found += [
            Slot((index, key), choice, key, "text")
            for key in STREAMED
            if isinstance(choice.get(key), str) and choice[key]
        ]
        found += _beside(choice, STREAMED, (index, "rest"))
        if choice.get("logprobs"):
            found.append(Slot((index, "text"), choice, "logprobs", "logprobs"))
    return found + _beside(doc, ("choices",), ("event",))


def _beside(holder: Json, known: tuple[str, ...], channel: Channel) -> list[Slot]:
    """The texts of an object but for its members `known`, each a channel of its own."""
    rest = without(holder, known)
    return [
        Slot(
            (*channel, *leaf.path),
            at(holder, leaf.path[:-1]),
            leaf.path[-1],
            "whole_json" if leaf.json_text else "whole",
        )
        for leaf in texts.leaves(rest, TEXT)
        if not leaf.number
    ]


def closes(doc: Json, name: str) -> list[Channel]:  # noqa: ARG001
    """`[DONE]`, which has no document, ends all; a finish reason ends its choice."""
    if not isinstance(doc, dict):
        return [()]
    choices = doc.get("choices") or ()
    return [(choice.get("index", 0),) for choice in choices if choice.get("finish_reason")]


def delta(channel: Channel, text: str, like: Json) -> StreamEvent:
    """An event of one piece. `like` may be None at the stream's end: then it has no id of its
    own."""
    head = {key: (like or {}).get(key, none) for key, none in _IDS.items()}
    choice: Json = {"text": "", "index": channel[0], "logprobs": None, "finish_reason": None}
    choice[channel[1]] = text
    return event("", head | {"object": "text_completion", "choices": [choice]})


_IDS: dict[str, Json] = {"id": "", "created": 0, "model": ""}
