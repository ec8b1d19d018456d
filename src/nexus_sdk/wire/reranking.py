"""Reranking in its canonical form, which is Cohere's: a query, documents, and the documents' places
in the order of their relevance.

Request: `model`, `query`, `documents` (strings, or objects as Cohere's first API took them),
`top_n`, `return_documents`, `max_tokens_per_doc`, `truncation` (Voyage's; false asks for an error
where a text is too long). Answer: `results`, each with `index`, `relevance_score` and perhaps
`document` (`{"text"}`), and counts: `meta` as Cohere tells them, `usage` as Voyage does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed, UpstreamFailed
from nexus_sdk.wire import shape, whole
from nexus_sdk.wire.dialect import Facts
from nexus_sdk.wire.json import dumps

if TYPE_CHECKING:
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

_DOCUMENTS = shape.Kind(
    lambda value: (
        isinstance(value, list)
        and len(value) > 0
        and all(isinstance(item, (str, dict)) for item in value)
    ),
    "a list of documents, one at least",
)
FREE = frozenset({"documents", "document"})
"""Keys below which the user's own texts stand."""


def read(doc: Json, fields: shape.Fields, known: frozenset[str]) -> Facts:
    if not isinstance(doc, dict):
        raise Malformed("the body must be a JSON object")
    shape.refuse_lookalikes(doc, known, FREE)
    model = shape.need(doc, "model", shape.TEXT)
    shape.need(doc, "query", shape.TEXT)
    shape.need(doc, "documents", _DOCUMENTS)
    shape.check(doc, fields)
    whole.refuse_stream(doc)
    return Facts(model=model, deterministic=True)


def as_texts(documents: list[Json], report: Report) -> list[str]:
    """The documents as strings: one with a text alone is that text, any other its members as
    JSON."""
    if any(isinstance(document, dict) for document in documents):
        report.coerced("documents: objects->strings")
    return [text_of(document) for document in documents]


def text_of(document: Json) -> str:
    if isinstance(document, dict):
        told = document.get("text")
        alone = isinstance(told, str) and len(document) == 1
        return str(told) if alone else dumps(document).decode()
    return str(document)


def results(answer: Json, key: str) -> list[Json]:
    """Raises UpstreamFailed for an answer without a list of places."""
    told = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(told, list) or not all("relevance_score" in one for one in told):
        raise UpstreamFailed(f"the upstream's answer is no reranking: it has no {key}")
    return told


def returned(places: list[Json], request: Json) -> list[Json]:
    """The places with their documents, where the caller asked for them and the target did not give
    them. They stand in the request, which the caller's answer is to."""
    documents = request.get("documents") or []
    if not request.get("return_documents"):
        return places
    return [
        place
        if "document" in place or place["index"] >= len(documents)
        else place | {"document": {"text": text_of(documents[place["index"]])}}
        for place in places
    ]
