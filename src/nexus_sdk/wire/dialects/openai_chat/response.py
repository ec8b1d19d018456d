"""Whole chat completions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.wire import counts
from nexus_sdk.wire.dialects.openai_chat import reasoning, sources

if TYPE_CHECKING:
    from nexus_sdk.model import Usage
    from nexus_sdk.wire.dialect import Reply
    from nexus_sdk.wire.json import Json


def decode(doc: Json) -> Json:
    """Raises UpstreamFailed for a document that has no choices: an error, or another API's
    answer."""
    if not isinstance(doc, dict) or not isinstance(doc.get("choices"), list):
        raise UpstreamFailed("the upstream's answer is no chat completion: it has no choices")
    cited = sources.told(doc)
    return doc | {"choices": [_choice(choice, cited) for choice in doc["choices"]]}


def _choice(choice: Json, cited: list[Json]) -> Json:
    message = reasoning.details(reasoning.canonical(choice.get("message") or {}))
    return choice | {"message": sources.annotated(message, cited)}


def encode(chat: Json, reply: Reply) -> Json:
    """What OpenAI's clients require, filled in where another vendor did not say it."""
    head = {
        "id": chat.get("id") or reply.id,
        "object": "chat.completion",
        "created": chat.get("created") or reply.created,
        "model": chat.get("model") or reply.model,
    }
    return head | {key: value for key, value in chat.items() if key not in head}


def usage(doc: Json) -> Usage | None:
    """The counts of an answer or of a chunk. Groq puts those of a stream under `x_groq`."""
    told = doc.get("usage")
    if told is None and isinstance(doc.get("x_groq"), dict):
        told = doc["x_groq"].get("usage")
    return counts.read(told)
