"""Amazon Titan Text Embeddings on Bedrock, the body of `InvokeModel`: one text a call. The model
stands in the path. Version 1 knows `inputText` alone.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html.
Binary vectors have a whole number for each dimension, where Cohere and Voyage pack eight in one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed, Unsupported, UpstreamFailed
from nexus_sdk.model import Usage
from nexus_sdk.wire import counts, embeddings, envelopes, shape, whole
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialect import Facts, inverted
from nexus_sdk.wire.texts import TextMap

if TYPE_CHECKING:
    from nexus_sdk.wire.dialect import Reply
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

TEXT = TextMap(skip=frozenset({"embeddingTypes", "embedding", "embeddingsByType"}))
FIELDS: shape.Fields = {
    "inputText": shape.TEXT,
    "dimensions": shape.POSITIVE,
    "normalize": shape.FLAG,
    "embeddingTypes": shape.LIST,
}
KNOWN = frozenset(FIELDS)
TYPES = {"float": "float", "binary": "bits"}
_OWN = inverted(TYPES)
_IMAGES = ("inputImage", "embeddingConfig")
"""Members of Titan's other model, for images, whose vectors are of another kind."""


def read(doc: Json) -> Facts:
    if not isinstance(doc, dict):
        raise Malformed("the body must be a JSON object")
    shape.refuse_lookalikes(doc, KNOWN, frozenset())
    shape.check(doc, FIELDS)
    shape.need(doc, "inputText", shape.TEXT)
    return Facts(model="", deterministic=True)


def decode_request(doc: Json) -> Json:
    """Raises Unsupported for what belongs to the model for images."""
    for key in _IMAGES:
        if doc.get(key) is not None:
            raise Unsupported(f"{key} can go to Titan's model for images alone", param=key)
    given = {key: value for key, value in doc.items() if value is not None}
    chat = without(given, {"inputText", "embeddingTypes"}) | {"input": given["inputText"]}
    if "embeddingTypes" in given:
        chat["embedding_types"] = [TYPES.get(kind, kind) for kind in given["embeddingTypes"]]
    return chat


def encode_request(chat: Json, report: Report) -> Json:
    given = {key: value for key, value in chat.items() if value is not None}
    body = without(given, embeddings.MEMBERS)
    body["inputText"] = embeddings.only(embeddings.texts(given, report), "Titan")
    body |= {key: given[key] for key in ("dimensions", "normalize") if key in given}
    if kinds := embeddings.kinds(given, frozenset(_OWN), report):
        body["embeddingTypes"] = [_OWN[kind] for kind in kinds]
    embeddings.purpose(given, {}, report)
    cut = embeddings.NO_CUT if embeddings.cuts(given) else {}
    embeddings.tell(given, report, embeddings.NO_CEILING, embeddings.NO_LABEL | cut)
    return body


def decode_response(doc: Json) -> Json:
    """Raises UpstreamFailed for a document without an embedding."""
    told = doc if isinstance(doc, dict) else {}
    typed = {TYPES.get(key, key): value for key, value in _typed(told).items()}
    vector = told.get("embedding") or typed.get("float") or next(iter(typed.values()), None)
    if not isinstance(vector, list):
        raise UpstreamFailed("the upstream's answer has no embedding")
    row: Json = {"embedding": vector} | ({"by_type": typed} if typed.keys() - {"float"} else {})
    used = usage(told)
    counted = None if used is None else embeddings.usage(used.input)
    rest = without(told, {"embedding", "embeddingsByType", "inputTextTokenCount"})
    return embeddings.answer([row], counted, rest)


def _typed(doc: Json) -> Json:
    told = doc.get("embeddingsByType")
    return told if isinstance(told, dict) else {}


def encode_response(chat: Json, reply: Reply) -> Json:
    """`embedding` is of floats where there are any; binary alone was asked for otherwise."""
    asked = reply.request.get("embeddingTypes") or ["float"]
    (row,) = embeddings.rows(chat, 1)
    told = embeddings.by_type(row, [TYPES.get(kind, kind) for kind in asked])
    typed = {_OWN.get(kind, kind): vector for kind, vector in told.items() if kind != "base64"}
    body = without(chat, embeddings.HEAD)
    if told.keys() & embeddings.FLOATS:
        body["embedding"] = typed["float"] = embeddings.floats(row)
    body["embeddingsByType"] = typed
    tokens = embeddings.input_tokens(chat)
    if tokens is None:
        tokens = embeddings.estimated({"input": reply.request.get("inputText")})["total_tokens"]
    return body | {"inputTextTokenCount": tokens}


def usage(doc: Json) -> Usage | None:
    told = doc.get("inputTextTokenCount")
    return None if told is None else Usage(input=counts.count(told))


DIALECT = whole.dialect(
    "titan_embed",
    text=TEXT,
    read=read,
    request=(decode_request, encode_request),
    response=(decode_response, encode_response),
    usage=usage,
    error=(envelopes.bedrock_error, envelopes.bedrock_relay),
)
