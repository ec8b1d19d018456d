"""Whole completions, both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.wire import counts, natives
from nexus_sdk.wire.canonical import text_of, without
from nexus_sdk.wire.dialects.openai_completions.words import FINISH, STREAMED

if TYPE_CHECKING:
    from nexus_sdk.model import Usage
    from nexus_sdk.wire.dialect import Reply
    from nexus_sdk.wire.json import Json

_HEAD = frozenset({"id", "object", "created", "model", "choices"})
UNTOLD = -9999.0
"""OpenAI's word for a probability that is not known."""


def decode(doc: Json) -> Json:
    """Raises UpstreamFailed for a document that has no choices of text."""
    choices = doc.get("choices") if isinstance(doc, dict) else None
    if not isinstance(choices, list) or not all("text" in choice for choice in choices):
        raise UpstreamFailed("the upstream's answer is no text completion: it has no text")
    return doc | {"object": "chat.completion", "choices": [_choice(choice) for choice in choices]}


def _choice(choice: Json) -> Json:
    message = {"role": "assistant", "content": choice["text"]}
    if choice.get("reasoning_content"):
        message["reasoning_content"] = choice["reasoning_content"]
    out = without(choice, {*STREAMED, "logprobs"}) | {"message": message}
    return out | ({"logprobs": probabilities(choice["logprobs"])} if choice.get("logprobs") else {})


def probabilities(told: Json) -> Json:
    """Parallel lists as a list of tokens; where a token stands in the text travels with it."""
    tokens = told.get("tokens") or []
    columns = [told.get(key) or [] for key in ("token_logprobs", "top_logprobs", "text_offset")]
    return {"content": [_token(token, i, columns) for i, token in enumerate(tokens)]}


def _token(token: str, place: int, columns: list[Json]) -> Json:
    chances, tops, offsets = (column[place] if place < len(column) else None for column in columns)
    told: Json = {
        "token": token,
        "logprob": UNTOLD if chances is None else chances,
        "bytes": list(token.encode()),
        "top_logprobs": [
            {"token": other, "logprob": chance, "bytes": list(other.encode())}
            for other, chance in (tops or {}).items()
        ],
    }
    return told if offsets is None else told | {"text_offset": offsets}


class Offsets:
    """Where the tokens of one choice stand in its text, for those that do not say it."""

    def __init__(self) -> None:
        self._at = 0

    def columns(self, tokens: list[Json]) -> Json:
        """A list of tokens as parallel lists."""
        out: Json = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
        for token in tokens:
            text, chance = token.get("token") or "", token.get("logprob")
            tops = {top["token"]: top["logprob"] for top in token.get("top_logprobs") or ()}
            out["tokens"].append(text)
            out["token_logprobs"].append(UNTOLD if chance is None else chance)
            out["top_logprobs"].append(tops)
            out["text_offset"].append(token.get("text_offset", self._at))
            self._at = out["text_offset"][-1] + len(text)
        return out


def encode(chat: Json, reply: Reply) -> Json:
    choices = [_told(choice) for choice in chat["choices"]]
    return head(chat, reply) | {"choices": choices} | without(chat, _HEAD | natives.MARKS)


def head(chat: Json, reply: Reply) -> Json:
    return {
        "id": chat.get("id") or reply.id,
        "object": "text_completion",
        "created": chat.get("created") or reply.created,
        "model": chat.get("model") or reply.model,
    }


def _told(choice: Json) -> Json:
    message = choice["message"]
    text = text_of(message.get("content")) + (message.get("refusal") or "")
    tokens = (choice.get("logprobs") or {}).get("content")
    told = {
        "text": text,
        "index": choice.get("index", 0),
        "logprobs": Offsets().columns(tokens) if tokens else None,
        "finish_reason": finish(choice.get("finish_reason")),
    }
    return told | reasoning(message)


def reasoning(message: Json) -> Json:
    """The readable reasoning of a message or a delta, under the name that it has in a
    conversation: a completion has none of its own for it."""
    told = message.get("reasoning_content")
    return {"reasoning_content": told} if told else {}


def finish(reason: Json) -> str:
    """The reason in the words that a completion has: calls of tools, which it cannot ask for, end
    it."""
    return reason if reason in FINISH else "stop"


def usage(doc: Json) -> Usage | None:
    return counts.read(doc.get("usage"))
