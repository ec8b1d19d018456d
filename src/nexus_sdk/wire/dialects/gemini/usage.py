"""Token counts. Gemini counts what its own tools read, and thoughts, beside prompt and answer.

Source: https://ai.google.dev/api/generate-content#UsageMetadata.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.model import Usage
from nexus_sdk.wire import counts

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json

_COUNTED = frozenset({
    "promptTokenCount", "candidatesTokenCount", "totalTokenCount", "cachedContentTokenCount",
    "thoughtsTokenCount",
})  # fmt: skip
_TOOLS = "toolUsePromptTokenCount"
_MODALITIES = (("promptTokensDetails", "audio_input", "input"),
               ("candidatesTokensDetails", "audio_output", "output"))  # fmt: skip


def usage(doc: Json) -> Usage | None:
    """The counts of an answer, or of an event: each event tells them anew."""
    told = doc.get("usageMetadata")
    if not isinstance(told, dict) or "promptTokenCount" not in told:
        return None
    thoughts = counts.count(told.get("thoughtsTokenCount"))
    return Usage(
        input=counts.count(told["promptTokenCount"]) + counts.count(told.get(_TOOLS)),
        output=counts.count(told.get("candidatesTokenCount")) + thoughts,
        cache_read=counts.count(told.get("cachedContentTokenCount")),
        reasoning=thoughts,
        audio_input=_audio(told.get("promptTokensDetails")),
        audio_output=_audio(told.get("candidatesTokensDetails")),
    )


def _audio(details: Json) -> int:
    told = [one for one in details or () if one.get("modality") == "AUDIO"]
    return sum(counts.count(one.get("tokenCount")) for one in told)


def canonical(doc: Json) -> Json:
    """The `usage` member of a canonical answer; what only Gemini counts travels in it."""
    read = usage(doc)
    if read is None:
        return {}
    told = counts.canonical(read) | counts.extras(doc["usageMetadata"], _COUNTED)
    return {"usage": told}


def own(told: Json) -> Json:
    """A canonical `usage` as `usageMetadata`."""
    read = counts.read(told)
    if read is None:
        return {}
    extras = counts.extras(told, counts.CANONICAL_NAMES)
    out: Json = {
        "promptTokenCount": max(read.input - counts.count(extras.get(_TOOLS)), 0),
        "candidatesTokenCount": max(read.output - read.reasoning, 0),
        "totalTokenCount": read.input + read.output,
    }
    if read.cache_read:
        out["cachedContentTokenCount"] = read.cache_read
    if read.reasoning:
        out["thoughtsTokenCount"] = read.reasoning
    for member, audio, whole in _MODALITIES:
        if heard := getattr(read, audio):
            rest = {"modality": "TEXT", "tokenCount": max(getattr(read, whole) - heard, 0)}
            out[member] = [rest, {"modality": "AUDIO", "tokenCount": heard}]
    return {"usageMetadata": out | extras}
