"""What an earlier answer of another vendor left in a conversation that goes on to Gemini."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire.dialects.gemini import sealing
from nexus_sdk.wire.dialects.gemini.spelling import listed

if TYPE_CHECKING:
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

_SIGNATURES = ("thoughtSignature", "thought_signature")


def strip(doc: Json, report: Report) -> Json:
    """Without thoughts that another vendor signed: Gemini refuses a signature that is not its
    own."""
    contents = listed(doc.get("contents"))
    kept = [_content(content) for content in contents]
    pairs = enumerate(zip(contents, kept, strict=True))
    changed = [place for place, (old, new) in pairs if old is not new]
    for place in changed:
        report.omitted(f"contents.{place}.parts", "thoughts that Gemini did not sign")
    if not changed:
        return doc
    return doc | {"contents": [content for content in kept if content.get("parts")]}


def _content(content: Json) -> Json:
    told = listed(content.get("parts"))
    if not any(_is_sealed(part) for part in told):
        return content
    return content | {"parts": [part for part in told if not _is_sealed(part)]}


def _is_sealed(part: Json) -> bool:
    return any(sealing.is_sealed(part.get(name)) for name in _SIGNATURES)
