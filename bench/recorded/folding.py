"""Streams whose events may be cut in more than one way, in their common form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from nexus_sdk.wire.canonical import without

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json

_PIECEWISE = frozenset({"text_delta", "thinking_delta"})
"""Anthropic's deltas that are compared one by one; those of a call's arguments too."""


def anthropic_events(events: Json) -> Json:
    """What a block is told beside its text counts as told at its start."""
    out: list[Json] = []
    begun: Json = {}
    for name, doc in events:
        if name == "content_block_start":
            begun = dict(doc["content_block"])
            out.append([name, doc | {"content_block": begun}])
        elif name == "content_block_delta":
            delta = doc["delta"]
            called = begun["type"] == "tool_use" and delta["type"] == "input_json_delta"
            if not called and delta["type"] not in _PIECEWISE:
                _take(begun, delta)
            elif any(value not in {"", "{}"} for key, value in delta.items() if key != "type"):
                out.append([name, doc])
        elif name != "ping":
            out.append([name, doc])
    return [_whole(entry) for entry in out]


def _take(block: Json, delta: Json) -> None:
    for key, value in without(delta, {"type"}).items():
        known = block.get(key)
        if key == "citation":
            block["citations"] = [*(block.get("citations") or ()), value]
        else:
            block[key] = known + value if isinstance(known, str) and value else value or known


def _whole(entry: Json) -> Json:
    block = entry[1].get("content_block") or {}
    if block.get("partial_json"):
        block["input"] = orjson.loads(block["partial_json"])
    block.pop("partial_json", None)
    return entry


def bedrock_events(events: Json) -> Json:
    """The pieces of a tool's input joined; a call without arguments may be told as `{}`."""
    out: list[Json] = []
    for name, doc in events:
        told = ((doc.get("delta") or {}).get("toolUse") or {}).get("input")
        if told is None:
            out.append([name, doc])
        elif out[-1][0] == "input":
            out[-1][1] += told
        else:
            out.append(["input", told])
    return [one for one in out if one[1] not in ("", "{}")]


def gemini_events(events: Json) -> Json:
    """Every part of every candidate by itself, and what was told last."""
    last: Json = {}
    parts: list[Json] = []
    for _, doc in events:
        last |= without(doc, {"candidates"})
        for candidate in doc.get("candidates") or ():
            index = candidate.get("index", 0)
            told = (candidate.get("content") or {}).get("parts") or ()
            parts += [["part", {"index": index} | part] for part in told if part != {"text": ""}]
            known = last.setdefault(f"candidate {index}", {})
            known |= without(candidate, {"content", "index"})
    counts = last.get("usageMetadata") or {}
    told = {key: value for key, value in counts.items() if value}
    return [*parts, ["end", last | {"usageMetadata": told}]]
