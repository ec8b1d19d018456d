"""Reasoning as the copies of this API tell it: `reasoning` (Groq, OpenRouter), `reasoning_details`
(OpenRouter), and content in parts (Mistral); made canonical, that is `reasoning_content` and
`reasoning_blocks`.

Sources: https://openrouter.ai/docs/use-cases/reasoning-tokens,
https://docs.mistral.ai/capabilities/reasoning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire.canonical import entry, without

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json

_SPELLINGS = ("reasoning", "reasoning_details")
_PIECEWISE = ("text", "summary", "data")
"""Members of a detail that come in pieces on a stream."""


def canonical(message: Json) -> Json:
    """A message or a delta with its reasoning under the canonical names; the same object when it
    has none."""
    out = message
    if isinstance(out.get("content"), list):
        out = out | _split(out["content"])
    if "reasoning" in out and isinstance(out["reasoning"], (str, type(None))):
        told = out["reasoning"]
        out = without(out, {"reasoning"})
        if told and not out.get("reasoning_content"):
            out["reasoning_content"] = told
    return out


def _split(parts: list[Json]) -> Json:
    """Mistral's list of `text` and `thinking` parts, and of references between them. A list that
    holds other parts stays as it is."""
    if not all(part.get("type") in {"text", "thinking", "reference"} for part in parts):
        return {}
    thoughts = [
        inner.get("text") or ""
        for part in parts
        if part["type"] == "thinking"
        for inner in part.get("thinking") or ()
    ]
    text = "".join(part.get("text") or "" for part in parts if part["type"] == "text")
    return {"content": text} | ({"reasoning_content": "".join(thoughts)} if thoughts else {})


def spelled(message: Json, origin: Json) -> Json:
    """`message`, which was made canonical from `origin`, with the members that it was told in."""
    gone = {
        key: origin[key]
        for key in ("content", *_SPELLINGS)
        if key in origin and (key not in message or origin[key] != message[key])
    }
    return message | {"native": {"origin": "openai_chat", "form": gone}} if gone else message


def respelled(message: Json) -> Json:
    """A message or a delta as a client reads it: with the members that `spelled` kept."""
    told = message.get("native")
    if told is None:
        return message
    out = without(message, {"native"})
    if told["origin"] != "openai_chat":
        return out
    canonical_names = {"reasoning_content", "reasoning_blocks"} - told["form"].keys()
    return without(out, canonical_names) | told["form"]


def details(message: Json) -> Json:
    """A whole message with its `reasoning_details` as blocks to be replayed."""
    told = message.get("reasoning_details")
    if not told:
        return (
            without(message, {"reasoning_details"}) if "reasoning_details" in message else message
        )
    blocks = [entry("openai_chat", detail) for detail in told]
    return without(message, {"reasoning_details"}) | {"reasoning_blocks": blocks}


class Details:
    """Puts the pieces of `reasoning_details` on a stream together."""

    def __init__(self) -> None:
        self._whole: dict[int, Json] = {}

    def take(self, delta: Json) -> Json:
        """The delta less its details, which are kept."""
        if "reasoning_details" not in delta:
            return delta
        for piece in delta["reasoning_details"] or ():
            known = self._whole.setdefault(piece.get("index", len(self._whole)), {})
            for key, value in piece.items():
                joins = key in _PIECEWISE and isinstance(value, str)
                known[key] = known.get(key, "") + value if joins else value or known.get(key)
        return without(delta, {"reasoning_details"})

    def blocks(self) -> list[Json]:
        """The whole details, as a chunk's `reasoning_blocks`."""
        whole = [self._whole[index] for index in sorted(self._whole)]
        self._whole = {}
        return [{"index": place} | entry("openai_chat", block) for place, block in enumerate(whole)]
