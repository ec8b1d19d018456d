"""Whole answers, both ways, and token counts.

Cohere counts twice: `tokens` are those of the model, its own instructions included; `billed_units`
are those that are paid for. Clients of other APIs are told the former, as everywhere; what an
exchange costs is reckoned by the latter. Source: https://docs.cohere.com/reference/chat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.model import Usage
from nexus_sdk.wire import counts, failures, natives
from nexus_sdk.wire.canonical import text_of, without
from nexus_sdk.wire.dialects.cohere import citations, errors, messages, turns
from nexus_sdk.wire.dialects.cohere.words import FAILED, FINISH, FINISH_FINER, STOP

if TYPE_CHECKING:
    from nexus_sdk.wire.dialect import Reply
    from nexus_sdk.wire.json import Json

_OWN = frozenset({"id", "finish_reason", "message", "usage", "logprobs"})
_CANONICAL = natives.MARKS | {"id", "object", "created", "model", "choices", "usage"}
_MESSAGE = frozenset({"content", "tool_plan", "citations", "tool_calls"})
_COUNTED = frozenset({"tokens", "billed_units", "cached_tokens"})
UNTOLD = -9999.0
"""OpenAI's word for a probability that is not known."""


def decode(doc: Json) -> Json:
    """Raises UpstreamFailed for a document that is no answer, or one that failed."""
    if not isinstance(doc, dict) or not isinstance(doc.get("message"), dict):
        if isinstance(doc, dict) and isinstance(doc.get("message"), str):
            raise failures.failed(failures.facts(doc, 200))
        raise UpstreamFailed("the upstream's answer is no chat response: it has no message")
    if doc.get("finish_reason") == FAILED:
        raise errors.generation_failed(doc.get("error"))
    told = doc["message"]
    message = without(told, _MESSAGE) | messages.assistant(told, "message")
    message = {"role": "assistant"} | message | {"content": text_of(message["content"]) or None}
    if told.get("tool_calls"):
        message["tool_calls"] = told["tool_calls"]
    choice: Json = {"index": 0, "message": message} | finish(doc.get("finish_reason"))
    if doc.get("logprobs"):
        choice["logprobs"] = {"content": [probability(item) for item in doc["logprobs"]]}
    chat = {
        "id": doc.get("id", ""),
        "object": "chat.completion",
        "created": 0,
        "model": "",
        "choices": [choice],
    }
    return chat | {"usage": canonical_usage(doc.get("usage") or {})} | without(doc, _OWN)


def finish(reason: Json) -> Json:
    """The finish of a choice; Cohere's finer reason beside OpenAI's."""
    if reason is None:
        return {"finish_reason": None}
    out = {"finish_reason": FINISH.get(reason) or FINISH_FINER.get(reason, "stop")}
    return out if reason in FINISH else out | {"native_finish_reason": reason}


def stop(choice: Json, *, called: bool) -> str:
    """Cohere's reason. `called`: the answer calls tools, of which some providers say `stop`."""
    native = choice.get("native_finish_reason")
    if native in FINISH_FINER:
        return str(native)
    if choice.get("stop_sequence") is not None:
        return "STOP_SEQUENCE"
    told = STOP.get(choice.get("finish_reason") or "stop", "COMPLETE")
    return "TOOL_CALL" if called and told == "COMPLETE" else told


def probability(item: Json) -> Json:
    """A chunk of text with the probabilities of its tokens, as one token of OpenAI's; what only
    Cohere says stays beside it."""
    text, told = item.get("text") or "", item.get("logprobs")
    return {
        "token": text,
        "logprob": sum(told) if told else UNTOLD,
        "bytes": list(text.encode()),
        "top_logprobs": [],
        "token_ids": item.get("token_ids") or [],
        "logprobs": told,
    }


def chunk_of(tokens: list[Json]) -> Json:
    """Tokens of OpenAI's as one chunk of text with their probabilities."""
    out: Json = {"text": "".join(token.get("token") or "" for token in tokens), "token_ids": []}
    told: list[float] = []
    for token in tokens:
        out["token_ids"] += token.get("token_ids") or []
        if "token_ids" not in token:
            told.append(token.get("logprob") or 0.0)
        else:
            told += token.get("logprobs") or []
    return out | ({"logprobs": told} if told else {})


def encode(chat: Json, reply: Reply) -> Json:
    choice = chat["choices"][0]
    message = choice["message"]
    told = {"role": "assistant"} | turns.answered(message, turns.all_reasoning(message))
    content = told.get("content")
    if isinstance(content, str):
        told["content"] = [{"type": "text", "text": content}]
    if cited := _citations(message, told.get("content") or [], reply):
        told["citations"] = cited
    out: Json = {
        "id": chat.get("id") or reply.id,
        "finish_reason": stop(choice, called="tool_calls" in told),
        "message": told,
        "usage": own_usage(chat.get("usage") or {}),
    }
    tokens = (choice.get("logprobs") or {}).get("content")
    if tokens:
        out["logprobs"] = [chunk_of([token]) for token in tokens]
    return out | without(chat, _CANONICAL)


def _citations(message: Json, content: list[Json], reply: Reply) -> list[Json]:
    text = "".join(part["text"] for part in content if part["type"] == "text")
    told = [
        citations.of(told, text, _part_at(content, told), reply.request.get("documents") or ())
        for told in message.get("annotations") or ()
    ]
    return [citation for citation in told if citation is not None]


def _part_at(content: list[Json], told: Json) -> tuple[int, int]:
    """Index of the text part in which an annotation begins, and the characters before it."""
    start = (told.get("url_citation") or told).get("start_index") or 0
    found, before = (0, 0), 0
    for index, part in enumerate(content):
        if part["type"] == "text":
            if before <= start:
                found = (index, before)
            before += len(part["text"])
    return found


def usage(doc: Json) -> Usage | None:
    """The counts that are paid for."""
    return read_usage(doc.get("usage"))


def stream_usage(doc: Json) -> Usage | None:
    delta = doc.get("delta")
    return read_usage(delta.get("usage") if isinstance(delta, dict) else None)


def read_usage(told: Json) -> Usage | None:
    if not isinstance(told, dict) or not told.keys() & {"tokens", "billed_units"}:
        return None
    billed, tokens = told.get("billed_units") or {}, told.get("tokens") or {}
    read = {key: counts.count((billed or tokens).get(key)) for key in _TOKENS}
    cached = min(counts.count(told.get("cached_tokens")), read["input_tokens"])
    return Usage(input=read["input_tokens"], output=read["output_tokens"], cache_read=cached)


_TOKENS = ("input_tokens", "output_tokens")


def canonical_usage(told: Json) -> Json:
    tokens = told.get("tokens") or told.get("billed_units") or {}
    read = Usage(
        input=counts.count(tokens.get("input_tokens")),
        output=counts.count(tokens.get("output_tokens")),
        cache_read=counts.count(told.get("cached_tokens")),
    )
    out = without(counts.canonical(read), {"completion_tokens_details"})
    if "cached_tokens" not in told:
        del out["prompt_tokens_details"]
    kept = {"billed_units": told["billed_units"]} if "billed_units" in told else {}
    return out | kept | counts.extras(told, _COUNTED)


def own_usage(told: Json) -> Json:
    """Another vendor's tokens are all paid for."""
    read = counts.read(told) or Usage()
    tokens = {"input_tokens": read.input, "output_tokens": read.output}
    out: Json = {"billed_units": told.get("billed_units") or tokens, "tokens": tokens}
    if told.get("prompt_tokens_details") or read.cache_read:
        out["cached_tokens"] = read.cache_read
    gone = counts.CANONICAL_NAMES | {"billed_units"}
    return out | counts.extras(told, gone)
