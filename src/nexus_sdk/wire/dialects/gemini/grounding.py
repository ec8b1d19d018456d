"""What an answer rests on: Gemini's grounding and citations ↔ OpenAI's annotations.

Gemini counts bytes of UTF-8 from the start of a part, and repeats the text; OpenAI counts
characters of the whole text. Source: https://ai.google.dev/api/generate-content#Segment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire.dialects.gemini.words import NAME

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json


def notes(candidate: Json, text: str) -> list[Json]:
    """The sources of `text` that have an address."""
    grounding = candidate.get("groundingMetadata") or {}
    chunks = grounding.get("groundingChunks") or []
    out: list[Json] = []
    for support in grounding.get("groundingSupports") or ():
        span = _span(support.get("segment") or {}, text)
        for index in support.get("groundingChunkIndices") or ():
            if span and 0 <= index < len(chunks):
                out += _annotation(span, chunks[index])
    cited = candidate.get("citationMetadata") or {}
    for source in cited.get("citationSources") or cited.get("citations") or ():
        if span := _span(source, text):
            out += _annotation(span, {"web": source})
    return out


def _span(segment: Json, text: str) -> tuple[int, int] | None:
    """The characters of a segment. Where the bytes do not hold the text that is told, as they do
    not count from the first part, the text is looked for."""
    told, raw = segment.get("text"), text.encode()
    start, end = segment.get("startIndex") or 0, segment.get("endIndex") or 0
    piece = raw[start:end].decode("utf-8", "replace")
    if 0 <= start < end <= len(raw) and told in {None, piece}:
        first = len(raw[:start].decode("utf-8", "replace"))
        return first, first + len(piece)
    place = text.find(told) if told else -1
    return None if place < 0 else (place, place + len(told))


def _annotation(span: tuple[int, int], chunk: Json) -> list[Json]:
    source: Json = next((told for told in chunk.values() if isinstance(told, dict)), {})
    if not source.get("uri"):
        return []
    told: Json = {"start_index": span[0], "end_index": span[1]}
    told |= {"url": source["uri"], "title": source.get("title") or ""}
    return [{"type": "url_citation", "url_citation": told, "origin": NAME, "block": chunk}]


def metadata(message: Json, text: str) -> Json:
    """`groundingMetadata` for the annotations of another vendor."""
    chunks: list[Json] = []
    supports: list[Json] = []
    for note in message.get("annotations") or ():
        told = note.get("url_citation") or {}
        if not told.get("url"):
            continue
        web = {"web": {"uri": told["url"], "title": told.get("title") or ""}}
        if web not in chunks:
            chunks.append(web)
        start, end = told.get("start_index") or 0, told.get("end_index") or 0
        if 0 <= start < end <= len(text):
            segment = _segment(text, start, end)
            supports.append({"segment": segment, "groundingChunkIndices": [chunks.index(web)]})
    if not chunks:
        return {}
    return {"groundingMetadata": {"groundingChunks": chunks, "groundingSupports": supports}}


def _segment(text: str, start: int, end: int) -> Json:
    first, piece = len(text[:start].encode()), text[start:end]
    told = {"startIndex": first} if first else {}
    return told | {"endIndex": first + len(piece.encode()), "text": piece}
