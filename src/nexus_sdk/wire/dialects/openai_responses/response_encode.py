"""Canonical → whole answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.model import Usage
from nexus_sdk.wire import counts, natives
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialects.openai_responses import output
from nexus_sdk.wire.dialects.openai_responses.words import ECHO, NAME

if TYPE_CHECKING:
    from nexus_sdk.wire.dialect import Reply
    from nexus_sdk.wire.json import Json

_CANONICAL = natives.MARKS | {"id", "object", "created", "model", "choices", "usage"}
_ECHO_DEFAULTS: Json = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": None,
    "store": False,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def response(chat: Json, reply: Reply) -> Json:
    choice = chat["choices"][0]
    head = skeleton(chat, reply)
    items = output.answered(choice["message"], head["id"])
    _tell_logprobs(items, choice)
    ended = ending(choice)
    if ended["status"] == "incomplete" and items:
        items[-1] = items[-1] | {"status": "incomplete"}
    told = {"output": items, "usage": own_usage(chat.get("usage"))}
    own = natives.own_answer(chat, NAME)
    return head | ended | told | without(chat, _CANONICAL) | (own or {})


def _tell_logprobs(items: list[Json], choice: Json) -> None:
    """Probabilities are of the whole text: they are told with the first text, where there is
    one."""
    logprobs = (choice.get("logprobs") or {}).get("content")
    parts = [part for item in items if item["type"] == "message" for part in item["content"]]
    texts = [part for part in parts if part["type"] == "output_text"]
    if logprobs and texts:
        texts[0]["logprobs"] = logprobs


def skeleton(chat: Json, reply: Reply) -> Json:
    """An answer before it has content: what the request asked for, repeated, as this API does."""
    request = reply.request
    own = natives.own_answer(chat, NAME)
    asked = {key: request[key] for key in ECHO if request.get(key) is not None}
    echo = _ECHO_DEFAULTS | asked if own is None else own
    return {
        "id": reply.kept_as or chat.get("id") or reply.id,
        "object": "response",
        "created_at": chat.get("created") or reply.created,
        "model": chat.get("model") or reply.model,
        "status": echo.get("status", "in_progress"),
        "error": None,
        "incomplete_details": None,
        "output": [],
        "usage": None,
    } | without(echo, {"status"})


def ending(choice: Json) -> Json:
    """`status` and `incomplete_details`. An answer that ended without a reason is taken as
    complete: whether it was cut is judged before it comes here."""
    finish = choice.get("finish_reason")
    if finish not in _INCOMPLETE or choice.get("message", {}).get("refusal"):
        return {"status": "completed"}
    return {"status": "incomplete", "incomplete_details": {"reason": _INCOMPLETE[finish]}}


def own_usage(told: Json) -> Json:
    if not told:
        return None
    read = counts.read(told) or Usage()
    details = {"cached_tokens": read.cache_read, "cache_write_tokens": read.cache_write}
    out = {
        "input_tokens": read.input,
        "input_tokens_details": details,
        "output_tokens": read.output,
        "output_tokens_details": {"reasoning_tokens": read.reasoning},
        "total_tokens": read.input + read.output,
    }
    return out | counts.extras(told, counts.CANONICAL_NAMES)
