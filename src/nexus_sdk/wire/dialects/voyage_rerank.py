"""Voyage's rerank API, `POST /v1/rerank`. Source: https://docs.voyageai.com/reference/reranker-api."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.model import Usage
from nexus_sdk.wire import counts, envelopes, reranking, shape, whole
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialect import inverted, renamed
from nexus_sdk.wire.texts import TextMap

if TYPE_CHECKING:
    from nexus_sdk.wire.dialect import Facts, Reply
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

TEXT = TextMap(skip=frozenset({"model", "object"}), free=reranking.FREE)
FIELDS: shape.Fields = {
    "top_k": shape.POSITIVE,
    "return_documents": shape.FLAG,
    "truncation": shape.FLAG,
}
KNOWN = frozenset({*FIELDS, "model", "query", "documents"})
RENAMES = {"top_k": "top_n"}
_NAMES = inverted(RENAMES)

_FEATURES = {
    "relevant_spans": "the spans that made a document relevant are not told",
    "rank_fields": "documents are strings, which have no fields",
}
_HINTS = {
    "max_tokens_per_doc": "documents are cut where the model's context ends, not before",
    "priority": "requests have no priority",
}
_COUNTED = frozenset({"input_tokens", "tokens"})


def read(doc: Json) -> Facts:
    return reranking.read(doc, FIELDS, KNOWN)


def decode_request(doc: Json) -> Json:
    return renamed(doc, RENAMES)


def encode_request(chat: Json, report: Report) -> Json:
    given = {key: value for key, value in chat.items() if value is not None}
    for tell, table in ((report.dropped, _FEATURES), (report.omitted, _HINTS)):
        for key, reason in table.items():
            if given.pop(key, None):
                tell(key, reason)
    body = renamed(given, _NAMES)
    return body | {"documents": reranking.as_texts(chat["documents"], report)}


def decode_response(doc: Json) -> Json:
    """A document that came back is a string here."""
    places = [
        place | {"document": {"text": place["document"]}}
        if isinstance(place.get("document"), str)
        else place
        for place in reranking.results(doc, "data")
    ]
    return without(doc, {"data", "object"}) | {"results": places}


def encode_response(chat: Json, reply: Reply) -> Json:
    places = reranking.returned(chat["results"], reply.request)
    rest = without(chat, {"id", "results", "model", "usage", "meta"})
    return {
        "object": "list",
        "data": [_place(place) for place in places],
        "model": chat.get("model") or reply.model,
        "usage": chat.get("usage") or _counted(chat.get("meta") or {}),
    } | rest


def _place(place: Json) -> Json:
    document = place.get("document")
    return place | {"document": reranking.text_of(document)} if document is not None else place


def _counted(meta: Json) -> Json:
    """Cohere's counts: its search units stand beside the tokens, which it may not tell."""
    billed, tokens = meta.get("billed_units") or {}, meta.get("tokens") or {}
    total = counts.count(tokens.get("input_tokens")) or counts.count(billed.get("input_tokens"))
    return {"total_tokens": total} | without(billed, _COUNTED)


def usage(doc: Json) -> Usage | None:
    told = doc.get("usage")
    if not isinstance(told, dict) or "total_tokens" not in told:
        return None
    return Usage(input=counts.count(told["total_tokens"]))


DIALECT = whole.dialect(
    "voyage_rerank",
    text=TEXT,
    read=read,
    request=(decode_request, encode_request),
    response=(decode_response, encode_response),
    usage=usage,
    error=(envelopes.voyage_error, envelopes.voyage_relay),
)
