"""Citations, both ways.

Cohere's are ranges of one content part with all their sources; OpenAI's are ranges of the whole
text with one address. The origin's own citation travels beside the range.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire.canonical import entry
from nexus_sdk.wire.dialects.cohere.words import NAME

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json

_ON_TEXT = "TEXT_CONTENT"
"""Other types (THINKING_CONTENT, PLAN) are ranges of what is no text of the answer."""


def annotation(citation: Json, start: int) -> Json:
    """A citation as an annotation. `start`: characters of text before its content part."""
    own = entry(NAME, citation)
    if citation.get("type") not in {None, _ON_TEXT}:
        return {"type": "citation"} | own
    span = {
        "start_index": start + (citation.get("start") or 0),
        "end_index": start + (citation.get("end") or 0),
    }
    told = [source for source in map(_page, citation.get("sources") or ()) if source]
    if not told:
        return {"type": "citation"} | span | own
    return {"type": "url_citation", "url_citation": span | told[0]} | own


def _page(source: Json) -> Json | None:
    """Address and title of a source that has an address."""
    data = source.get("document") or source.get("tool_output") or {}
    url, title = data.get("url"), data.get("title")
    if not isinstance(url, str) or not url:
        return None
    return {"url": url, "title": title if isinstance(title, str) else ""}


def of(told: Json, text: str, part: tuple[int, int], documents: Json = ()) -> Json | None:
    """A citation for an annotation of `text`; None for one that is no range of it. `part` is the
    index of the content part, and the characters before it; `documents` are those of the request,
    whose ids another vendor does not know."""
    if told.get("origin") == NAME:
        return told["block"]
    range_ = told.get("url_citation") or told
    start, end = range_.get("start_index"), range_.get("end_index")
    if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start < end <= len(text):
        return None
    index, before = part
    return {
        "start": start - before,
        "end": end - before,
        "text": text[start:end],
        "sources": [_source(told, documents)],
        "content_index": index,
        "type": _ON_TEXT,
    }


def _source(told: Json, documents: Json) -> Json:
    page, block = told.get("url_citation") or {}, told.get("block") or {}
    title = page.get("title") or block.get("document_title") or block.get("title")
    data = {"url": page.get("url"), "title": title, "snippet": block.get("cited_text")}
    known = {key: value for key, value in data.items() if value}
    place = block.get("document_index")
    named = documents[place] if isinstance(place, int) and place < len(documents) else {}
    id_ = (named.get("id") if isinstance(named, dict) else None) or known.get("url")
    return {"type": "document", "id": id_ or f"doc:{place or 0}", "document": known}
