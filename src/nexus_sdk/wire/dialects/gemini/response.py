"""Whole answers, both ways."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.wire import carrier, natives
from nexus_sdk.wire.canonical import placed, text_of, without
from nexus_sdk.wire.dialects.gemini import (
    errors,
    grounding,
    logprobs,
    model_turn,
    sealing,
    turns,
    usage,
)
from nexus_sdk.wire.dialects.gemini.words import FINISH, FINISH_FINER, NAME, STOP

if TYPE_CHECKING:
    from nexus_sdk.wire.dialect import Reply
    from nexus_sdk.wire.json import Json

_OWN = frozenset({"candidates", "usageMetadata", "modelVersion", "responseId"})
_CANDIDATE = frozenset({"content", "finishReason", "index", "logprobsResult"})
_CANONICAL = natives.MARKS | {
    "id", "object", "created", "model", "choices", "usage", "system_fingerprint", "service_tier",
}  # fmt: skip
_CHOICE = frozenset({
    "index", "message", "delta", "finish_reason", "native_finish_reason", "stop_sequence",
    "logprobs",
})  # fmt: skip


def decode(doc: Json) -> Json:
    """Raises UpstreamFailed for a document that is no answer."""
    if not isinstance(doc, dict) or not (doc.get("candidates") or blocked(doc)):
        if isinstance(doc, (dict, list)) and (told := errors.told(doc)):
            raise told
        raise UpstreamFailed("the upstream's answer has no candidates")
    seed = str(doc.get("responseId") or "")
    choices = [_choice(told, place, seed) for place, told in enumerate(doc.get("candidates") or ())]
    chat = head(doc) | {"choices": choices or [refused(doc)]}
    return chat | usage.canonical(doc) | without(doc, _OWN)


def head(doc: Json) -> Json:
    """What an answer and each of its chunks begin with."""
    return {
        "id": doc.get("responseId") or "",
        "object": "chat.completion",
        "created": _seconds(doc.get("createTime")),
        "model": doc.get("modelVersion") or "",
    }


def _seconds(told: Json) -> int:
    """A time of RFC 3339 as seconds since the epoch, 0 for none."""
    try:
        moment = datetime.fromisoformat(told) if isinstance(told, str) else None
    except ValueError:
        moment = None
    return 0 if moment is None else int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())


def blocked(doc: Json) -> str:
    """Why the prompt was not answered at all, empty when it was."""
    feedback = doc.get("promptFeedback")
    return str(feedback.get("blockReason") or "") if isinstance(feedback, dict) else ""


def refused(doc: Json) -> Json:
    """The choice of an answer to a prompt that was blocked."""
    stop = {"finish_reason": "content_filter", "native_finish_reason": blocked(doc)}
    return {"index": 0, "message": {"role": "assistant", "content": None}} | stop


def _choice(candidate: Json, place: int, seed: str) -> Json:
    index = candidate.get("index", place)
    parts = (candidate.get("content") or {}).get("parts") or []
    message = {"role": "assistant"} | model_turn.message(parts, f"{seed}/{index}")
    text = text_of(message["content"])
    message["content"] = text or None
    if found := grounding.notes(candidate, text):
        message["annotations"] = found
    told = {"index": index, "message": message}
    told |= finish(candidate, called=bool(message.get("tool_calls")))
    if tokens := logprobs.decode(candidate.get("logprobsResult") or {}):
        told["logprobs"] = {"content": tokens, "refusal": None}
    return told | without(candidate, _CANDIDATE)


def finish(candidate: Json, *, called: bool) -> Json:
    """The finish of a choice; Gemini's finer reason beside OpenAI's."""
    reason = candidate.get("finishReason")
    if reason is None:
        return {"finish_reason": None}
    word = FINISH.get(reason) or FINISH_FINER.get(reason, "stop")
    told = {"finish_reason": "tool_calls" if called and word == "stop" else word}
    return told if reason in FINISH else told | {"native_finish_reason": reason}


def stop(choice: Json, *, refused: bool) -> Json:
    """`finishReason`. `refused`: the answer holds OpenAI's `refusal`, which has no reason of its
    own."""
    native, reason = choice.get("native_finish_reason"), choice.get("finish_reason")
    if native in FINISH_FINER:
        return {"finishReason": native}
    if reason is None:
        return {}
    return {"finishReason": "SAFETY" if refused else STOP.get(reason, "OTHER")}


def encode(chat: Json, reply: Reply) -> Json:
    candidates = [_candidate(choice) for choice in chat["choices"]]
    if blocked(chat) and all(not told["content"]["parts"] for told in candidates):
        candidates = []
    body = {"candidates": candidates} if candidates else {}
    body |= usage.own(chat.get("usage") or {})
    named = {
        "modelVersion": chat.get("model") or reply.model,
        "responseId": chat.get("id") or reply.id,
    }
    return body | named | without(chat, _CANONICAL)


def _candidate(choice: Json) -> Json:
    message = choice["message"]
    parts = turns.model_parts(message, "message", foreign_thoughts(message))
    if turns.unsigned(parts, message):
        parts = turns.with_word_for_none(parts)
    told = {"content": {"parts": parts, "role": "model"}, "index": choice.get("index", 0)}
    told |= stop(choice, refused=bool(message.get("refusal"))) | logprobs.encode(choice)
    extras = without(choice, _CHOICE)
    if "groundingMetadata" not in extras and "citationMetadata" not in extras:
        extras |= grounding.metadata(message, text_of(message.get("content")))
    return told | extras


def foreign_thoughts(message: Json) -> turns.Placed:
    """Other vendors' reasoning as thoughts, its opaque part in the place of the signature."""
    text = message.get("reasoning_content") or ""
    if not message.get("reasoning_blocks"):
        return [((0, 0), {"text": text, "thought": True})] if text else []
    return [
        (place, thought(entry))
        for place, entry in placed(message, "reasoning_blocks")
        if entry["origin"] != NAME
    ]


def thought(entry: Json) -> Json:
    """The part of an entry of another vendor."""
    text = carrier.text_of(entry["block"])
    return {"text": text, "thought": True, "thoughtSignature": sealing.seal(entry)}
