"""Whole chat completions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.wire import counts, natives
from nexus_sdk.wire.canonical import without
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
    told = choice.get("message") or {}
    message = reasoning.details(reasoning.canonical(told))
    if message is not told:
        message = reasoning.spelled(message, told)
    return choice | {"message": sources.annotated(message, cited)}


def encode(chat: Json, reply: Reply) -> Json:
    """What OpenAI's clients require, filled in where another vendor did not say it."""
    head = {
        "id": chat.get("id") or reply.id,
        "object": "chat.completion",
        "created": chat.get("created") or reply.created,
        "model": chat.get("model") or reply.model,
    }
    choices = [_told(choice) for choice in chat["choices"]]
    body = {key: value for key, value in chat.items() if key not in head}
    return head | without(body, natives.MARKS) | {"choices": choices}


def _told(choice: Json) -> Json:
    message = choice.get("message") or {}
    return choice | {"message": reasoning.respelled(message)} if "native" in message else choice


def usage(doc: Json) -> Usage | None:
    """The counts of an answer or of a chunk. Groq puts those of a stream under `x_groq`."""
    told = doc.get("usage")
    if told is None and isinstance(doc.get("x_groq"), dict):
        told = doc["x_groq"].get("usage")
    return counts.read(told)
