"""One turn of Gemini's that another client's form has cut in two.

The Responses API has an item for each text, and its clients' histories begin a turn with each. A
signature that stands in one turn and belongs to a text or a call of the next shows the cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire.canonical import opaque, placed, text_of, tool_calls
from nexus_sdk.wire.dialects.gemini.words import NAME

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json

_LISTS = ("reasoning_blocks", "provider_blocks")


def rejoined(messages: list[Json]) -> list[Json]:
    """`messages` with such turns put together again."""
    out: list[Json] = []
    for message in messages:
        if out and message["role"] == "assistant" and _goes_on(out[-1]):
            out[-1] = _joined(out[-1], message)
        else:
            out.append(message)
    return out


def _goes_on(message: Json) -> bool:
    if message["role"] != "assistant" or not message.get("reasoning_blocks"):
        return False
    length = len(text_of(message.get("content")))
    ids = {call["id"] for call in tool_calls(message)}
    for (at, _), block in opaque(message, "reasoning_blocks", NAME):
        kind = block.get("type")
        beyond = kind == "text" and block.get("format") != "0" and at >= length
        if beyond or (kind == "call" and block.get("id") not in ids):
            return True
    return False


def _joined(first: Json, second: Json) -> Json:
    out = first | {key: value for key, value in second.items() if key not in first}
    out["content"] = [*_parts(first), *_parts(second)]
    if calls := [*tool_calls(first), *tool_calls(second)]:
        out["tool_calls"] = calls
    offset = len(text_of(first.get("content")))
    base = sum(len(first.get(field) or ()) for field in _LISTS)
    for field in _LISTS:
        later = [
            entry | {"at": at + offset, "order": order + base}
            for (at, order), entry in placed(second, field)
        ]
        if later or first.get(field):
            earlier = [entry | {"order": order} for (_, order), entry in placed(first, field)]
            out[field] = [*earlier, *later]
    return out


def _parts(message: Json) -> list[Json]:
    content = message.get("content") or []
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
