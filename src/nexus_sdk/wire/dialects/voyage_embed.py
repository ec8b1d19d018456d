"""Voyage's embeddings API, `POST /v1/embeddings`: OpenAI's envelope, with Cohere's choices.

Source: https://docs.voyageai.com/reference/embeddings-api.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed, UpstreamFailed
from nexus_sdk.model import Usage
from nexus_sdk.wire import counts, embeddings, envelopes, shape, vectors, whole
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialect import Facts, inverted, renamed
from nexus_sdk.wire.texts import TextMap

if TYPE_CHECKING:
    from nexus_sdk.wire.dialect import Reply
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

TEXT = TextMap(
    skip=frozenset({
        "model", "object", "encoding_format", "embedding", "input_type", "output_dtype",
    })
)  # fmt: skip
FIELDS: shape.Fields = {
    "input_type": shape.TEXT,
    "truncation": shape.FLAG,
    "output_dimension": shape.POSITIVE,
    "output_dtype": shape.TEXT,
    "encoding_format": shape.TEXT,
}
KNOWN = frozenset({*FIELDS, "model", "input"})
RENAMES = {"output_dimension": "dimensions"}
PURPOSES = {"search_query": "query", "search_document": "document"}
DTYPES = frozenset({"float", "int8", "uint8", "binary", "ubinary"})
_WORDS = inverted(PURPOSES)


def read(doc: Json) -> Facts:
    if not isinstance(doc, dict):
        raise Malformed("the body must be a JSON object")
    shape.refuse_lookalikes(doc, KNOWN, frozenset())
    model = shape.need(doc, "model", shape.TEXT)
    shape.need(doc, "input", shape.TEXTS)
    shape.check(doc, FIELDS)
    whole.refuse_stream(doc)
    return Facts(model=model, deterministic=True)


def decode_request(doc: Json) -> Json:
    """An input that is too long is cut unless the caller says otherwise."""
    given = {key: value for key, value in doc.items() if value is not None}
    chat = renamed(without(given, {"truncation", "output_dtype"}), RENAMES)
    chat["truncate"] = "END" if given.get("truncation", True) else "NONE"
    if "input_type" in given:
        chat["input_type"] = _WORDS.get(given["input_type"], given["input_type"])
    if "output_dtype" in given:
        chat["embedding_types"] = [given["output_dtype"]]
    return chat


def encode_request(chat: Json, report: Report) -> Json:
    given = {key: value for key, value in chat.items() if value is not None}
    body = without(given, embeddings.MEMBERS)
    body["model"] = given.get("model", "")
    body["input"] = _input(given, report)
    if word := embeddings.purpose(given, PURPOSES, report):
        body["input_type"] = word
    body["truncation"] = embeddings.cuts(given)
    if given.get("truncate") == "START":
        report.dropped("truncate", "an input that is too long is cut at its end only")
    if "dimensions" in given:
        body["output_dimension"] = given["dimensions"]
    dropped = embeddings.NO_CEILING | embeddings.NO_CHOICE_OF_LENGTH
    embeddings.tell(given, report, dropped, embeddings.NO_LABEL)
    return body | _form(given, report)


def _input(chat: Json, report: Report) -> Json:
    texts = embeddings.texts(chat, report)
    return texts if isinstance(chat["input"], list) else texts[0]


def _form(chat: Json, report: Report) -> Json:
    """One type a call. Base64 is asked for floats alone: other types would come in bytes of their
    own kind."""
    kinds = embeddings.kinds(chat, DTYPES, report)
    for kind in kinds[1:]:
        report.dropped("embedding_types", f"one type a call: there is {kinds[0]}, and no {kind}")
    form: Json = {"output_dtype": kinds[0]} if kinds and kinds[0] != "float" else {}
    if not form and chat.get("encoding_format") == "base64":
        form["encoding_format"] = "base64"
    return form


def decode_response(doc: Json) -> Json:
    """Raises UpstreamFailed for a document without a list of embeddings."""
    if not isinstance(doc, dict) or not isinstance(doc.get("data"), list):
        raise UpstreamFailed("the upstream's answer holds no embeddings: it has no data")
    told = usage(doc)
    if told is None:
        return doc
    more = without(doc["usage"], {"total_tokens"})
    return doc | {"usage": embeddings.usage(told.input) | more}


def encode_response(chat: Json, reply: Reply) -> Json:
    asked = reply.request
    rows = embeddings.rows(chat, embeddings.count(asked.get("input")))
    dtype = asked.get("output_dtype") or "float"
    base64 = asked.get("encoding_format") == "base64" and dtype == "float"
    data = []
    for place, row in enumerate(rows):
        vector = _vector(row, dtype)
        told = vectors.base64_text(vector) if base64 else vectors.numbers(vector)
        kept = without(row, {"by_type"})
        data.append(kept | {"object": "embedding", "embedding": told, "index": place})
    counted = chat.get("usage") or embeddings.estimated(asked)
    tokens = embeddings.input_tokens({"usage": counted}) or 0
    return without(chat, embeddings.ECHOES) | {
        "object": "list",
        "data": data,
        "model": chat.get("model") or reply.model,
        "usage": without(counted, {"prompt_tokens"}) | {"total_tokens": tokens},
    }


def _vector(row: Json, dtype: str) -> Json:
    told = row.get("by_type") or {}
    return told.get(dtype) or row["embedding"]


def usage(doc: Json) -> Usage | None:
    told = doc.get("usage")
    if not isinstance(told, dict) or "total_tokens" not in told:
        return None
    return Usage(input=counts.count(told["total_tokens"]))


DIALECT = whole.dialect(
    "voyage_embed",
    text=TEXT,
    read=read,
    request=(decode_request, encode_request),
    response=(decode_response, encode_response),
    usage=usage,
    error=(envelopes.voyage_error, envelopes.voyage_relay),
)
