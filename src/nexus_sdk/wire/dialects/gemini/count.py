"""`countTokens`: a request of the same shape, and its answer of one number.

Source: https://ai.google.dev/api/tokens#method:-models.counttokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed
from nexus_sdk.wire.canonical import without

if TYPE_CHECKING:
    from nexus_sdk.model import Usage
    from nexus_sdk.wire.json import Json

_WHOLE = ("generateContentRequest", "generate_content_request")


def request(doc: Json) -> Json:
    """The generateContent request whose tokens are asked for: the body itself, as Vertex has it and
    as the short form is, or what stands in it. Raises Malformed."""
    if not isinstance(doc, dict):
        raise Malformed("the body must be a JSON object")
    given = [key for key in _WHOLE if doc.get(key) is not None]
    if not given:
        return doc
    if len(given) > 1 or doc.get("contents") is not None:
        raise Malformed(f"{given[0]} excludes contents", param=given[0])
    if not isinstance(doc[given[0]], dict):
        raise Malformed(f"{given[0]} must be an object", param=given[0])
    return without(doc[given[0]], {"model"})


def response(counted: Usage) -> Json:
    """The answer for these counts of a prompt."""
    told: Json = {"totalTokens": counted.input}
    if counted.cache_read:
        told["cachedContentTokenCount"] = counted.cache_read
    if counted.audio_input:
        audio = {"modality": "AUDIO", "tokenCount": counted.audio_input}
        rest = {"modality": "TEXT", "tokenCount": max(counted.input - counted.audio_input, 0)}
        told["promptTokensDetails"] = [rest, audio]
    return told
