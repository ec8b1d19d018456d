"""A canonical assistant's message → items, for an answer and for a conversation sent back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire import carrier
from nexus_sdk.wire.canonical import (
    Place,
    foreign,
    interleave,
    opaque,
    pieces,
    placed,
    stranded,
    tool_calls,
    without,
)
from nexus_sdk.wire.dialects.openai_responses.words import NAME, OURS

if TYPE_CHECKING:
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json


def item_id(prefix: str, base: str, place: int) -> str:
    """An id for the item at `place` of the answer `base`."""
    return f"{prefix}{OURS}{base}_{place}"


def replayed(message: Json, path: str, report: Report) -> list[Json]:
    """The items of an assistant's message for OpenAI itself: other vendors' reasoning stays out."""
    if foreign(message, "reasoning_blocks", NAME):
        report.omitted(f"{path}.reasoning_blocks", "the reasoning of another vendor stays with it")
    if stranded(message, NAME):
        report.dropped(
            f"{path}.provider_blocks",
            "the items of another vendor's tools cannot be given to this one",
        )
    if message.get("reasoning_content") and not message.get("reasoning_blocks"):
        report.omitted(f"{path}.reasoning_content", "reasoning without its ciphertext is not taken")
    if message.get("audio"):
        report.dropped(f"{path}.audio", "earlier audio cannot be sent back")
    content = message.get("content")
    simple = (
        isinstance(content, str)
        and not message.get("provider_blocks")
        and not message.get("refusal")
    )
    if simple:
        reasoning = [block for _, block in opaque(message, "reasoning_blocks", NAME)]
        said = [{"role": "assistant", "content": content}] if content else []
        return [*reasoning, *said, *_calls(message)]
    return [*run(message, opaque(message, "reasoning_blocks", NAME)), *_calls(message)]


def answered(message: Json, base: str) -> list[Json]:
    """The items of an answer to one of OpenAI's clients. `base` makes the ids of those that have
    none."""
    out: list[Json] = []
    for item in [*run(message, all_reasoning(message)), *_calls(message)]:
        prefix = _PREFIXES.get(item["type"], "item")
        named = {"id": item_id(prefix, base, len(out)), "status": "completed"}
        whole = item["type"] in _WHOLE or (item["type"] not in _MADE and "id" in item)
        out.append(item if whole else named | item)
    return out


_PREFIXES = {"message": "msg", "reasoning": "rs", "function_call": "fc", "custom_tool_call": "ctc"}
_MADE = _PREFIXES.keys() - {"reasoning"}
"""Items whose status the canonical form does not keep."""
_WHOLE = frozenset({"mcp_list_tools", "compaction"})
"""Native items without a status; they come with their own id."""


def all_reasoning(message: Json) -> list[tuple[Place, Json]]:
    text = message.get("reasoning_content") or ""
    if not message.get("reasoning_blocks"):
        return [((0, 0), reasoning_item(text))] if text else []
    return [(place, reasoning(entry)) for place, entry in placed(message, "reasoning_blocks")]


def reasoning(entry: Json) -> Json:
    """The item of one entry of `reasoning_blocks`; another vendor's is packed."""
    if entry["origin"] == NAME:
        return dict(entry["block"])
    return reasoning_item(carrier.text_of(entry["block"])) | {
        "encrypted_content": carrier.pack(entry)
    }


def reasoning_item(text: str) -> Json:
    return {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": text}] if text else [],
    }


def run(message: Json, reasoning: list[tuple[Place, Json]]) -> list[Json]:
    """Reasoning, messages and native items in their order. Each name of a message
    (`items.Run.message`) begins one."""
    blocks = [*reasoning, *opaque(message, "provider_blocks", NAME)]
    texts = _texts(message, [at for (at, _), _ in blocks])
    out: list[Json] = []
    current: Json | None = None
    header: Json = {}
    for told in interleave(texts, blocks):
        if told["type"] == "message":
            header, current = told, None
        elif told["type"] == "call":
            out += [
                call_item(call) for call in tool_calls(message) if call["id"] == told["call_id"]
            ]
            current = None
        elif told["type"] not in {"output_text", "refusal"}:
            out.append(told)
            current = None
        elif current is None:
            current = {
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [told],
            } | header
            header = {}
            out.append(current)
        else:
            current["content"].append(told)
    return out


def _texts(message: Json, marks: list[int]) -> list[tuple[int, Json]]:
    content = message.get("content") or ""
    found: list[tuple[int, Json]] = []
    if isinstance(content, str):
        for start, text in pieces(content, marks):
            found.append((start, output_text(text, _annotations(message, start, len(text)))))
    else:
        place = 0
        for part in content:
            if part["type"] == "refusal":
                found.append((place, part))
                continue
            found.append((place, _part(part)))
            place += len(part.get("text") or "")
    if message.get("refusal"):
        found.append((len(content), {"type": "refusal", "refusal": message["refusal"]}))
    return found


def _part(part: Json) -> Json:
    gone = {"cache_control", "citations", "prompt_cache_breakpoint"}
    return {"annotations": []} | without(part, gone) | {"type": "output_text"}


def output_text(text: str, annotations: list[Json], logprobs: Json = ()) -> Json:
    return {
        "type": "output_text",
        "text": text,
        "annotations": annotations,
        "logprobs": list(logprobs),
    }


def _annotations(message: Json, start: int, length: int) -> list[Json]:
    """OpenAI's annotations within a piece of the text, flat, counted from the piece's start."""
    out: list[Json] = []
    for told in message.get("annotations") or ():
        flat = flat_annotation(told)
        if flat is None:
            continue
        first = flat.get("start_index", flat.get("index", 0))
        if start <= first < start + length or (first == 0 and start == 0):
            shifted = {
                key: flat[key] - start
                for key in ("start_index", "end_index", "index")
                if key in flat
            }
            out.append(flat | shifted)
    return out


def flat_annotation(told: Json) -> Json | None:
    """An annotation in this API's form; None for another vendor's citation of a document, which has
    none."""
    if "url_citation" in told:
        return {"type": "url_citation"} | told["url_citation"]
    return told["block"] if told.get("origin") == NAME else None


def _calls(message: Json) -> list[Json]:
    """Those that have no place among the other items."""
    blocks = [block for _, block in opaque(message, "provider_blocks", NAME)]
    placed_ids = {block["call_id"] for block in blocks if block.get("type") == "call"}
    return [call_item(call) for call in tool_calls(message) if call["id"] not in placed_ids]


def call_item(call: Json) -> Json:
    own = {"id": call["item_id"]} if call.get("item_id") else {}
    rest = without(call, {"id", "type", "index", "function", "custom", "item_id", "cache_control"})
    if "custom" in call:
        return {"type": "custom_tool_call", "call_id": call["id"]} | call["custom"] | own | rest
    return {"type": "function_call", "call_id": call["id"]} | call["function"] | own | rest
