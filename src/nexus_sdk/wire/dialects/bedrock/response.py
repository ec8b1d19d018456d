"""Whole answers, both ways, and token counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.model import Usage
from nexus_sdk.wire import counts, failures, natives
from nexus_sdk.wire.canonical import text_of, without
from nexus_sdk.wire.dialects.bedrock import answer_blocks, errors, turns
from nexus_sdk.wire.dialects.bedrock.words import FINISH, FINISH_FINER, STOP, TIERS

if TYPE_CHECKING:
    from nexus_sdk.wire.dialect import Reply
    from nexus_sdk.wire.json import Json

_OWN = frozenset({"output", "stopReason", "usage", "serviceTier"})
_CANONICAL = natives.MARKS | {
    "id", "object", "created", "model", "choices", "usage", "service_tier", "system_fingerprint",
}  # fmt: skip
_TOLD_HERE = frozenset({
    "metrics", "trace", "additionalModelResponseFields", "performanceConfig", "serviceTier",
})  # fmt: skip
"""What Converse tells beside its answer, and clients of others may ignore."""
_COUNTED = frozenset({
    "inputTokens", "outputTokens", "totalTokens", "cacheReadInputTokens", "cacheWriteInputTokens",
})  # fmt: skip


def decode(doc: Json) -> Json:
    """Raises UpstreamFailed for a document that is no answer of Converse."""
    content = _content(doc)
    if content is None:
        if isinstance(doc, dict) and (doc.get("__type") or doc.get("message")):
            raise failures.failed(errors.facts(doc, 200))
        raise UpstreamFailed("the upstream's answer is none of Converse: it has no output.message")
    message = {"role": "assistant"} | answer_blocks.message(content, "output.message.content")
    parts = message["content"]
    message["content"] = text_of(parts) if parts else None
    chat = {
        "id": "",
        "object": "chat.completion",
        "created": 0,
        "model": "",
        "choices": [{"index": 0, "message": message} | finish(doc.get("stopReason"))],
        "usage": canonical_usage(doc.get("usage") or {}),
    }
    return chat | tier(doc) | without(doc, _OWN)


def _content(doc: Json) -> Json | None:
    output = doc.get("output") if isinstance(doc, dict) else None
    message = output.get("message") if isinstance(output, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, list) else None


def tier(doc: Json) -> Json:
    """The tier that served the request, in OpenAI's place where it is one of OpenAI's."""
    told = doc.get("serviceTier")
    if not told:
        return {}
    if told.get("type") in TIERS:
        return {"service_tier": told["type"]}
    return {"serviceTier": told}


def finish(reason: Json) -> Json:
    """The finish of a choice; Bedrock's finer reason beside OpenAI's."""
    if reason is None:
        return {"finish_reason": None}
    out = {"finish_reason": FINISH.get(reason) or FINISH_FINER.get(reason, "stop")}
    if reason not in FINISH:
        out["native_finish_reason"] = reason
    return out


def stop(choice: Json, *, called: bool, refused: bool) -> str:
    """Bedrock's `stopReason`. `called`: the answer calls tools, of which some providers say `stop`.
    `refused`: it holds OpenAI's `refusal`, which has no finish reason of its own."""
    native, reason = choice.get("native_finish_reason"), choice.get("finish_reason")
    if native in FINISH_FINER:
        return str(native)
    if choice.get("stop_sequence") is not None and reason == "stop":
        return "stop_sequence"
    told = STOP.get(reason or "stop", "end_turn")
    if told == "end_turn" and (called or refused):
        return "tool_use" if called else "content_filtered"
    return told


def encode(chat: Json, reply: Reply) -> Json:  # noqa: ARG001  the answer has neither id nor model
    choice = chat["choices"][0]
    message = choice["message"]
    content = turns.answer_blocks(message, "message")
    called = any("toolUse" in block for block in content)
    reason = stop(choice, called=called, refused=bool(message.get("refusal")))
    told = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": reason,
        "usage": own_usage(chat.get("usage") or {}),
    }
    return told | beside(chat) | without(chat, _CANONICAL | _TOLD_HERE)


def beside(chat: Json) -> Json:
    """What stands beside an answer or ends a stream. `metrics` is required: where the upstream is
    another vendor, nobody measured."""
    out = {key: chat[key] for key in _TOLD_HERE if key in chat}
    out.setdefault("metrics", {"latencyMs": 0})
    if chat.get("service_tier") in TIERS:
        out["serviceTier"] = {"type": chat["service_tier"]}
    return out


def usage(doc: Json) -> Usage | None:
    return read_usage(doc.get("usage"))


def read_usage(told: Json) -> Usage | None:
    """The input is counted less its cached parts."""
    if not isinstance(told, dict) or not told.keys() & {"inputTokens", "outputTokens"}:
        return None
    read = counts.count(told.get("cacheReadInputTokens"))
    written = counts.count(told.get("cacheWriteInputTokens"))
    return Usage(
        input=counts.count(told.get("inputTokens")) + read + written,
        output=counts.count(told.get("outputTokens")),
        cache_read=read,
        cache_write=written,
    )


def canonical_usage(told: Json) -> Json:
    out = counts.canonical(read_usage(told) or Usage())
    del out["completion_tokens_details"]
    if not told.keys() & {"cacheReadInputTokens", "cacheWriteInputTokens"}:
        del out["prompt_tokens_details"]
    elif told.get("cacheWriteInputTokens") is not None:
        out["prompt_tokens_details"]["cache_write_tokens"] = counts.count(
            told["cacheWriteInputTokens"]
        )
    return out | counts.extras(told, _COUNTED)


def own_usage(told: Json) -> Json:
    read = counts.read(told) or Usage()
    uncached = max(read.input - read.cache_read, 0)
    # OpenRouter may count the same tokens as read and as written.
    written = min(read.cache_write, uncached)
    out: Json = {
        "inputTokens": uncached - written,
        "outputTokens": read.output,
        "totalTokens": read.input + read.output,
    }
    details = told.get("prompt_tokens_details") or {}
    if details or read.cache_read or read.cache_write:
        out["cacheReadInputTokens"] = read.cache_read
        if read.cache_write or "cache_write_tokens" in details:
            out["cacheWriteInputTokens"] = written
    return out | counts.extras(told, counts.CANONICAL_NAMES)
