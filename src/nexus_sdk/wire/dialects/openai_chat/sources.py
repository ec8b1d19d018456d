"""The sources of an answer that stand beside it, made annotations of its text: Perplexity's
`search_results`, and `citations`, a list of addresses, there and at xAI.

A mark such as `[2]` in the text names the second source; a source that no mark names stands behind
all of the text.

Sources: https://docs.perplexity.ai/api-reference/chat-completions-post,
https://docs.x.ai/docs/guides/live-search#returning-citations.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json

MEMBERS = frozenset({"citations", "search_results"})
_MARK = re.compile(r"\[(\d{1,3})\]", re.ASCII)


def told(doc: Json) -> list[Json]:
    """The sources of an answer or of a chunk, each with `url` and `title`, in their order."""
    results, addresses = doc.get("search_results"), doc.get("citations")
    found = [
        {"url": one["url"], "title": str(one.get("title") or "")}
        for one in (results if isinstance(results, list) else ())
        if isinstance(one, dict) and isinstance(one.get("url"), str)
    ]
    return found or [
        {"url": one, "title": ""}
        for one in (addresses if isinstance(addresses, list) else ())
        if isinstance(one, str)
    ]


def notes(sources: list[Json], text: str) -> list[Json]:
    """The annotations that tell `sources` of `text`."""
    marks: dict[int, list[tuple[int, int]]] = {}
    for mark in _MARK.finditer(text):
        marks.setdefault(int(mark[1]) - 1, []).append(mark.span())
    return [
        {
            "type": "url_citation",
            "url_citation": {"start_index": start, "end_index": end} | source,
        }
        for place, source in enumerate(sources)
        for start, end in marks.get(place, [(0, len(text))])
    ]


def annotated(message: Json, sources: list[Json]) -> Json:
    """A whole message with its sources, unless it tells its own."""
    if not sources or message.get("annotations"):
        return message
    content = message.get("content")
    return message | {"annotations": notes(sources, content if isinstance(content, str) else "")}


class Sources:
    """Collects the sources of a stream, and the text of each choice."""

    def __init__(self) -> None:
        self._told: list[Json] = []
        self._texts: dict[int, str] = {}
        self._own: set[int] = set()

    def take(self, doc: Json) -> None:
        if not MEMBERS.isdisjoint(doc):
            self._told = told(doc) or self._told

    def said(self, index: int, delta: Json) -> None:
        if isinstance(delta.get("content"), str):
            self._texts[index] = self._texts.get(index, "") + delta["content"]
        if delta.get("annotations"):
            self._own.add(index)

    def notes(self, index: int) -> list[Json]:
        """The annotations at the end of a choice, as the entries of a chunk's list; each once."""
        if not self._told or index in self._own:
            return []
        self._own.add(index)
        found = notes(self._told, self._texts.get(index, ""))
        return [{"index": place} | note for place, note in enumerate(found)]
