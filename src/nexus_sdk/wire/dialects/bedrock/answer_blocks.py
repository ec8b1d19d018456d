"""The blocks of an assistant's turn → the members of a canonical message.

Reasoning is kept flat, so that `wire/carrier.py` can pack it: `{"type": "reasoningText", "text",
"signature"}` and `{"type": "redactedContent", "data"}`.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed
from nexus_sdk.wire import carrier
from nexus_sdk.wire.canonical import Placing, entry, without
from nexus_sdk.wire.dialects.bedrock import blocks
from nexus_sdk.wire.dialects.bedrock.words import NAME
from nexus_sdk.wire.json import dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nexus_sdk.wire.json import Json


def message(content: list[Json], path: str) -> Json:
    """`content` is a list of text parts, or None. Raises Unsupported, and Malformed for a block
    without its members."""
    turn = _Turn()
    for place, block in enumerate(content):
        here = f"{path}.{place}"
        kind = blocks.kind_of(block, here)
        try:
            _BLOCKS.get(kind, _Turn.native)(turn, block)
        except KeyError as err:
            missing = f"{here}.{kind}.{err.args[0]}"
            raise Malformed(f"{missing} is missing", param=missing) from None
    return turn.message()


def annotation(citation: Json, start: int, end: int) -> Json:
    """A citation as OpenAI's annotation, of a range of the text."""
    span = {"start_index": start, "end_index": end}
    own = {"origin": NAME, "block": citation}
    url = ((citation.get("location") or {}).get("web") or {}).get("url")
    if url is None:
        return {"type": "citation"} | span | own
    told = span | {"url": url, "title": citation.get("title") or ""}
    return {"type": "url_citation", "url_citation": told} | own


def reasoning_entry(told: Json) -> Json | None:
    """The entry of `reasoning_blocks` for a `reasoningContent`: Bedrock's own, or another vendor's
    that was packed into it."""
    if "redactedContent" in told:
        data = told["redactedContent"]
        return carrier.unpack(opened(data), "") or entry(
            NAME, {"type": "redactedContent", "data": data}
        )
    if "reasoningText" not in told:
        return entry(NAME, {"type": "reasoningContent"} | told)
    block = told["reasoningText"]
    text = block["text"]
    back = carrier.unpack(block.get("signature") or "", text)
    return back or entry(NAME, {"type": "reasoningText"} | block)


def opened(data: Json) -> str:
    """The text in a blob; empty for one that holds none."""
    try:
        return base64.b64decode(data, validate=True).decode("ascii")
    except (binascii.Error, TypeError, ValueError):
        return ""


def is_foreign(told: Json) -> bool:
    """Is this `reasoningContent` another vendor's, packed for this one's client?"""
    signature = (told.get("reasoningText") or {}).get("signature")
    return carrier.is_packed(signature) or carrier.is_packed(opened(told.get("redactedContent")))


class _Turn:
    """An assistant's turn while its blocks are read."""

    def __init__(self) -> None:
        self.texts: list[Json] = []
        self.length = 0
        self.calls: list[Json] = []
        self.thoughts: list[str] = []
        self.placing = Placing()
        self.reasoning: list[Json] = []
        self.provider: list[Json] = []
        self.annotations: list[Json] = []
        self.last: Json | None = None

    def text(self, block: Json) -> None:
        self._say(block["text"])

    def _say(self, text: str) -> None:
        self.last = {"type": "text", "text": text}
        self.texts.append(self.last)
        self.length += len(text)

    def cited(self, block: Json) -> None:
        told, start = block["citationsContent"], self.length
        self._say("".join(one.get("text") or "" for one in told.get("content") or ()))
        self.annotations += [
            annotation(citation, start, self.length) for citation in told.get("citations") or ()
        ]

    def tool_use(self, block: Json) -> None:
        told = block["toolUse"]
        if told.get("type"):
            self.native(block)
            return
        function = {"name": told["name"], "arguments": dumps(told["input"]).decode()}
        self.last = {"id": told["toolUseId"], "type": "function", "function": function}
        self.last |= without(told, {"type", "toolUseId", "name", "input"})
        self.calls.append(self.last)

    def think(self, block: Json) -> None:
        told = block["reasoningContent"]
        text = (told.get("reasoningText") or {}).get("text")
        if text:
            self.thoughts.append(text)
        if found := reasoning_entry(told):
            put = self.placing.put("reasoning_blocks", found, self.length)
            self.reasoning.append(put[1])

    def cache(self, block: Json) -> None:
        if self.last is None:
            self._say("")
        assert self.last is not None
        self.last["cache_control"] = blocks.marker(block["cachePoint"])

    def native(self, block: Json) -> None:
        put = self.placing.put("provider_blocks", entry(NAME, block), self.length)
        self.provider.append(put[1])

    def message(self) -> Json:
        told = {
            "tool_calls": self.calls,
            "reasoning_content": "\n\n".join(self.thoughts),
            "reasoning_blocks": self.reasoning,
            "provider_blocks": self.provider,
            "annotations": self.annotations,
        }
        return {"content": self.texts or None} | {
            key: value for key, value in told.items() if value
        }


_BLOCKS: Mapping[str, Callable[[_Turn, Json], None]] = {
    "text": _Turn.text,
    "citationsContent": _Turn.cited,
    "toolUse": _Turn.tool_use,
    "reasoningContent": _Turn.think,
    "cachePoint": _Turn.cache,
}
"""All other blocks are Bedrock's own."""
