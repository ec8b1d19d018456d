"""Whole messages, both ways, and token counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.model import Usage
from nexus_sdk.wire import counts, failures, natives
from nexus_sdk.wire.canonical import text_of, without
from nexus_sdk.wire.dialects.anthropic import blocks, turns
from nexus_sdk.wire.dialects.anthropic.words import FINISH, FINISH_FINER, NAME, STOP

if TYPE_CHECKING:
    from nexus_sdk.wire.dialect import Reply
    from nexus_sdk.wire.json import Json

_OWN = frozenset(
    {"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"}
)
_CANONICAL = natives.MARKS | {"id", "object", "created", "model", "choices", "usage"}
_COUNTED = frozenset({
    "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
    "output_tokens_details",
})  # fmt: skip


def decode(doc: Json) -> Json:
    """Raises UpstreamFailed for a document that is no message."""
    if not isinstance(doc, dict) or not isinstance(doc.get("content"), list):
        if isinstance(doc, dict) and doc.get("type") == "error":
            raise failures.failed(failures.facts(doc, 200))
        raise UpstreamFailed("the upstream's answer is no Anthropic message: it has no content")
    message = {"role": "assistant"} | blocks.assistant(doc["content"], "")
    parts = message["content"] or []
    message["content"] = text_of(parts) if parts else None
    if annotations := annotate(parts):
        message["annotations"] = annotations
    choice = {"index": 0, "message": message} | finish(doc)
    chat = {
        "id": doc.get("id", ""),
        "object": "chat.completion",
        "created": 0,
        "model": doc.get("model", ""),
        "choices": [choice],
    }
    newer = doc.get("stop_reason") not in {None, *FINISH, *FINISH_FINER}
    own = natives.answer(NAME, {"stop_reason": doc["stop_reason"]}) if newer else {}
    return chat | {"usage": canonical_usage(doc.get("usage") or {})} | without(doc, _OWN) | own


def annotate(parts: list[Json], place: int = 0) -> list[Json]:
    """The citations of text blocks as OpenAI's annotations: ranges of the joined text, from `place`
    on."""
    out: list[Json] = []
    for part in parts:
        end = place + len(part["text"])
        out += [annotation(citation, place, end) for citation in part.get("citations") or ()]
        place = end
    return out


def annotation(citation: Json, start: int, end: int) -> Json:
    span = {"start_index": start, "end_index": end}
    own = {"origin": NAME, "block": citation}
    if citation.get("url") is None:
        return {"type": "citation"} | span | own
    told = span | {"url": citation["url"], "title": citation.get("title") or ""}
    return {"type": "url_citation", "url_citation": told} | own


def finish(doc: Json) -> Json:
    """The finish of a choice; Anthropic's finer reason beside OpenAI's."""
    reason = doc.get("stop_reason")
    if reason is None:
        return {"finish_reason": None}
    out = {"finish_reason": FINISH.get(reason) or FINISH_FINER.get(reason, "stop")}
    if reason not in FINISH:
        out["native_finish_reason"] = reason
    if doc.get("stop_sequence") is not None:
        out["stop_sequence"] = doc["stop_sequence"]
    return out


def stop(choice: Json, *, called: bool, refused: bool) -> Json:
    """Anthropic's `stop_reason` and `stop_sequence`. `called`: the answer calls tools, of which
    some providers say `stop`. `refused`: it holds OpenAI's `refusal`, which has no finish reason of
    its own."""
    native, reason = choice.get("native_finish_reason"), choice.get("finish_reason")
    if native not in FINISH_FINER:
        native = STOP.get(reason or "stop", "end_turn")
        if native == "end_turn" and (called or refused):
            native = "tool_use" if called else "refusal"
    return {"stop_reason": native, "stop_sequence": choice.get("stop_sequence")}


def encode(chat: Json, reply: Reply) -> Json:
    choice = chat["choices"][0]
    message = choice["message"]
    content = turns.answer_blocks(message, "message", reasoning=turns.all_reasoning(message))
    head = {
        "id": chat.get("id") or reply.id,
        "type": "message",
        "role": "assistant",
        "model": chat.get("model") or reply.model,
        "content": content,
    }
    called = any(block["type"] == "tool_use" for block in content)
    counted = {"usage": own_usage(chat.get("usage") or {})}
    stopped = stop(choice, called=called, refused=bool(message.get("refusal")))
    own = natives.own_answer(chat, NAME) or {}
    return head | stopped | counted | without(chat, _CANONICAL) | own


def usage(doc: Json) -> Usage | None:
    return read_usage(doc.get("usage"))


def stream_usage(doc: Json) -> Usage | None:
    """The counts of an event. Those of `message_start` hold until `message_delta` tells them
    anew."""
    message = doc.get("message")
    return read_usage(message.get("usage") if isinstance(message, dict) else doc.get("usage"))


def read_usage(told: Json) -> Usage | None:
    if not isinstance(told, dict) or "output_tokens" not in told:
        return None
    read = counts.count(told.get("cache_read_input_tokens"))
    written = counts.count(told.get("cache_creation_input_tokens"))
    return Usage(
        input=counts.count(told.get("input_tokens")) + read + written,
        output=counts.count(told["output_tokens"]),
        cache_read=read,
        cache_write=written,
        reasoning=counts.first(told, counts.REASONING),
    )


def canonical_usage(told: Json) -> Json:
    out = counts.canonical(read_usage(told) or Usage())
    if not told.get("output_tokens_details"):
        del out["completion_tokens_details"]
    return out | counts.extras(told, _COUNTED)


def own_usage(told: Json) -> Json:
    read = counts.read(told) or Usage()
    uncached = max(read.input - read.cache_read, 0)
    # OpenRouter may count the same tokens as read and as written.
    written = min(read.cache_write, uncached)
    out: Json = {
        "input_tokens": uncached - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read.cache_read,
        "output_tokens": read.output,
    }
    if told.get("completion_tokens_details"):
        out["output_tokens_details"] = {"thinking_tokens": read.reasoning}
    return out | counts.extras(told, counts.CANONICAL_NAMES)
