"""Cohere's rerank API, version 2, whose form is the canonical one (`wire/reranking.py`).

Source: https://docs.cohere.com/reference/rerank.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.model import Usage
from nexus_sdk.wire import counts, envelopes, reranking, shape, whole
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.texts import TextMap

if TYPE_CHECKING:
    from nexus_sdk.wire.dialect import Facts, Reply
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

TEXT = TextMap(skip=frozenset({"model", "id", "meta", "object"}), free=reranking.FREE)
FIELDS: shape.Fields = {
    "top_n": shape.POSITIVE,
    "max_tokens_per_doc": shape.POSITIVE,
    "return_documents": shape.FLAG,
    "relevant_spans": shape.OBJECT,
    "rank_fields": shape.LIST,
    "priority": shape.COUNT,
}
KNOWN = frozenset({*FIELDS, "model", "query", "documents"})


def read(doc: Json) -> Facts:
    return reranking.read(doc, FIELDS, KNOWN)


def decode_request(doc: Json) -> Json:
    return dict(doc)


def encode_request(chat: Json, report: Report) -> Json:
    """Documents that are longer than `max_tokens_per_doc` are always cut."""
    body = {key: value for key, value in chat.items() if value is not None}
    if body.pop("truncation", True) is False:
        report.dropped("truncation", "documents that are too long are always cut")
    if body.pop("return_documents", False):
        report.coerced("return_documents->(filled in from the request)")
    if body.get("rank_fields"):
        report.dropped("rank_fields", "documents are strings, which have no fields")
    body.pop("rank_fields", None)
    return body | {"documents": reranking.as_texts(chat["documents"], report)}


def decode_response(doc: Json) -> Json:
    reranking.results(doc, "results")
    return dict(doc)


def encode_response(chat: Json, reply: Reply) -> Json:
    """Another vendor's tokens stand where Cohere counts its own."""
    body = {"id": chat.get("id") or reply.id} | without(chat, {"id", "object", "model", "usage"})
    body["results"] = reranking.returned(chat["results"], reply.request)
    tokens = (chat.get("usage") or {}).get("total_tokens")
    if "meta" not in body and tokens is not None:
        counted = {"input_tokens": tokens}
        body["meta"] = {"api_version": {"version": "2"}, "billed_units": counted, "tokens": counted}
    return body


def usage(doc: Json) -> Usage | None:
    """Tokens, where they are told. Search units, by which Cohere bills, are none."""
    meta = doc.get("meta")
    if not isinstance(meta, dict):
        return None
    for told in (meta.get("billed_units"), meta.get("tokens")):
        if isinstance(told, dict) and "input_tokens" in told:
            return Usage(input=counts.count(told["input_tokens"]))
    return None


DIALECT = whole.dialect(
    "cohere_rerank",
    text=TEXT,
    read=read,
    request=(decode_request, encode_request),
    response=(decode_response, encode_response),
    usage=usage,
    error=(envelopes.cohere_error, envelopes.cohere_relay),
)
