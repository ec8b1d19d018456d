"""Whole answers → canonical."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.model import Usage
from nexus_sdk.wire import counts, failures, natives
from nexus_sdk.wire.canonical import entry, text_of, without
from nexus_sdk.wire.dialects.openai_responses import items
from nexus_sdk.wire.dialects.openai_responses.words import ECHO, NAME

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json

_OWN = frozenset({
    "id", "object", "created_at", "model", "output", "output_text", "status", "error",
    "incomplete_details", "usage",
})  # fmt: skip
_COUNTED = frozenset({
    "input_tokens", "output_tokens", "total_tokens", "input_tokens_details",
    "output_tokens_details",
})  # fmt: skip
FINISH = {"max_output_tokens": "length", "content_filter": "content_filter"}
ENDED = frozenset({"completed", "complete", "incomplete", None})
"""DeepSeek says `complete`."""
_USUAL = frozenset({"completed", "incomplete", "in_progress", None})


def response(doc: Json) -> Json:
    """Raises UpstreamFailed for an answer that failed, is not finished, or is none."""
    if not isinstance(doc, dict) or not isinstance(doc.get("output"), list):
        raise UpstreamFailed("the upstream's answer is no response: it has no output")
    if doc.get("status") not in ENDED:
        told = failures.facts(doc, 200)
        message = (
            told.message if doc.get("error") else f"the upstream's answer is {doc['status']!r}"
        )
        raise UpstreamFailed(message, code=told.code or None)
    message, logprobs = _message(doc["output"])
    choice: Json = {"index": 0, "message": message} | finish(doc, called="tool_calls" in message)
    if logprobs:
        choice["logprobs"] = {"content": logprobs}
    chat = {
        "id": doc.get("id", ""),
        "object": "chat.completion",
        "created": int(doc.get("created_at") or 0),
        "model": doc.get("model", ""),
        "choices": [choice],
    }
    told = {"usage": usage(doc.get("usage") or {})} | own(doc)
    return chat | told | without(doc, _OWN | ECHO)


def own(doc: Json) -> Json:
    """What only this API tells with an answer: the request, repeated as the server took it, and
    whatever is newer than this table. Rarer words for the status too."""
    told = doc.get("status")
    status = {} if told in _USUAL else {"status": told}
    return natives.answer(NAME, without(doc, _OWN) | status)


def _message(output: list[Json]) -> tuple[Json, list[Json]]:
    run = items.Run()
    for item in output:
        kind = item.get("type")
        if kind in items.RUN:
            items.RUN[kind](run, item)
        else:
            # An item that is newer than this table: it is kept for its origin.
            run.native(item)
    members = (run.messages() or [{"role": "assistant", "content": None}])[0]
    texts = [part for part in run.texts if part["type"] == "text"]
    members["content"] = text_of(texts) if texts else None
    refusals = [part["refusal"] for part in run.texts if part["type"] == "refusal"]
    if refusals:
        members["refusal"] = "".join(refusals)
    if annotations := _annotations(texts):
        members["annotations"] = annotations
    return members, [one for part in texts for one in part.get("logprobs") or ()]


def _annotations(texts: list[Json]) -> list[Json]:
    out: list[Json] = []
    place = 0
    for part in texts:
        out += [annotation(told, place) for told in part.get("annotations") or ()]
        place += len(part["text"])
    return out


def annotation(told: Json, place: int) -> Json:
    """An annotation of a text that begins at `place` of the joined one, in the chat form."""
    moved = told | {
        key: told[key] + place for key in ("start_index", "end_index", "index") if key in told
    }
    if told["type"] == "url_citation":
        return {"type": "url_citation", "url_citation": without(moved, {"type"})}
    return {"type": told["type"]} | entry(NAME, moved)


def finish(doc: Json, *, called: bool) -> Json:
    if doc.get("status") != "incomplete":
        return {"finish_reason": "tool_calls" if called else "stop"}
    reason = (doc.get("incomplete_details") or {}).get("reason")
    native = {} if reason in FINISH else {"native_finish_reason": reason}
    return {"finish_reason": FINISH.get(reason or "", "length")} | native


def usage(told: Json) -> Json:
    return counts.canonical(counts.read(told) or Usage()) | counts.extras(told, _COUNTED)
