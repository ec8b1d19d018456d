"""Amazon Nova Multimodal Embeddings on Bedrock, the body of `InvokeModel`: one text or one image a
call. The model stands in the path, and tokens are counted in a header of the answer.

Source: https://docs.aws.amazon.com/nova/latest/userguide/embeddings-schema.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed, Unsupported, UpstreamFailed
from nexus_sdk.wire import counts, embeddings, envelopes, shape, whole
from nexus_sdk.wire.canonical import data_url, is_data_url, split_data_url, without
from nexus_sdk.wire.dialect import Facts, inverted
from nexus_sdk.wire.texts import TextMap

if TYPE_CHECKING:
    from nexus_sdk.model import Usage
    from nexus_sdk.wire.dialect import Reply
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

TEXT = TextMap(
    skip=frozenset({
        "schemaVersion", "taskType", "embeddingPurpose", "truncationMode", "embedding",
        "embeddingType",
    }),
    inside={"image": frozenset({"format", "detailLevel"}), "source": frozenset({"bytes"})},
)  # fmt: skip
PARAMS = "singleEmbeddingParams"
FIELDS: shape.Fields = {"taskType": shape.TEXT, PARAMS: shape.OBJECT}
KNOWN = frozenset({
    *FIELDS, "schemaVersion", "embeddingPurpose", "embeddingDimension", "text", "image", "value",
    "truncationMode", "source", "bytes", "format", "detailLevel", "s3Location", "uri",
})  # fmt: skip
SINGLE = "SINGLE_EMBEDDING"
PURPOSES = {
    "search_document": "GENERIC_INDEX",
    "search_query": "GENERIC_RETRIEVAL",
    "text_retrieval": "TEXT_RETRIEVAL",
    "image_retrieval": "IMAGE_RETRIEVAL",
    "video_retrieval": "VIDEO_RETRIEVAL",
    "document_retrieval": "DOCUMENT_RETRIEVAL",
    "audio_retrieval": "AUDIO_RETRIEVAL",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
}
DEFAULT_PURPOSE = "GENERIC_INDEX"
"""The purpose is required."""
_WORDS = inverted(PURPOSES)


def read(doc: Json) -> Facts:
    if not isinstance(doc, dict):
        raise Malformed("the body must be a JSON object")
    shape.refuse_lookalikes(doc, KNOWN, frozenset())
    shape.need(doc, "taskType", shape.TEXT)
    shape.check(doc, FIELDS)
    if doc["taskType"] == SINGLE:
        shape.need(doc, PARAMS, shape.OBJECT)
    return Facts(model="", deterministic=True)


def decode_request(doc: Json) -> Json:
    """Raises Unsupported for tasks that are done in the background, and for inputs from S3."""
    if doc["taskType"] != SINGLE:
        raise Unsupported(f"{doc['taskType'][:64]} is Nova's alone", param="taskType")
    params = {key: value for key, value in doc[PARAMS].items() if value is not None}
    purpose = params.get("embeddingPurpose")
    chat: Json = without(doc, {"taskType", "schemaVersion", PARAMS})
    chat |= without(params, {"embeddingPurpose", "embeddingDimension", "text", "image"})
    if purpose is not None:
        chat["input_type"] = _WORDS.get(purpose, purpose)
    if "embeddingDimension" in params:
        chat["dimensions"] = params["embeddingDimension"]
    return chat | _input(params)


def _input(params: Json) -> Json:
    for kind in ("audio", "video"):
        if kind in params:
            raise Unsupported(f"{kind} can be embedded by Nova alone", param=f"{PARAMS}.{kind}")
    if "image" in params:
        return {"input": [embeddings.item([_image(params["image"])])]}
    text = params.get("text") or {}
    if not isinstance(text.get("value"), str):
        raise Unsupported("the text must stand in its value", param=f"{PARAMS}.text.value")
    cut = {"truncate": text["truncationMode"]} if text.get("truncationMode") else {}
    return {"input": text["value"]} | cut


def _image(image: Json) -> Json:
    data = (image.get("source") or {}).get("bytes")
    if not isinstance(data, str):
        raise Unsupported("the image must stand in its bytes", param=f"{PARAMS}.image.source")
    detail = {"detail": image["detailLevel"]} if image.get("detailLevel") else {}
    url = data_url(f"image/{image.get('format', 'png')}", data)
    return {"type": "image_url", "image_url": {"url": url} | detail}


def encode_request(chat: Json, report: Report) -> Json:
    given = {key: value for key, value in chat.items() if value is not None}
    item = embeddings.only(embeddings.items(given), "Nova")
    purpose = embeddings.purpose(given, PURPOSES, report, DEFAULT_PURPOSE)
    params: Json = {"embeddingPurpose": purpose}
    if "dimensions" in given:
        params["embeddingDimension"] = given["dimensions"]
    embeddings.kinds(given, frozenset({"float"}), report)
    dropped = embeddings.NO_CEILING | embeddings.NO_CHOICE_OF_LENGTH
    embeddings.tell(given, report, dropped, embeddings.NO_LABEL)
    rest = without(given, embeddings.MEMBERS)
    content = _content(item, given.get("truncate", "NONE"), report)
    return rest | {"taskType": SINGLE, PARAMS: params | content}


def _content(item: Json, cut: str, report: Report) -> Json:
    parts = [] if isinstance(item, str) else item["content"]
    if len(parts) == 1 and parts[0].get("type") == "image_url":
        embeddings.untitled(item, "input.0", report)
        return {"image": _own_image(parts[0]["image_url"])}
    (text,) = embeddings.texts({"input": [item]}, report)
    return {"text": {"truncationMode": cut, "value": text}}


def _own_image(image: Json) -> Json:
    path = "input.0.content.0.image_url"
    if not is_data_url(image["url"]):
        raise Unsupported("give the image as a data URL", param=path)
    media_type, data = split_data_url(image["url"], path)
    detail = {"detailLevel": image["detail"]} if image.get("detail") else {}
    return detail | {"format": media_type.rpartition("/")[2], "source": {"bytes": data}}


def decode_response(doc: Json) -> Json:
    """Raises UpstreamFailed for a document without embeddings."""
    given = doc.get("embeddings") if isinstance(doc, dict) else None
    if not isinstance(given, list):
        raise UpstreamFailed("the upstream's answer has no embeddings")
    return embeddings.answer(given, doc.get("usage"), without(doc, {"embeddings"}))


def encode_response(chat: Json, reply: Reply) -> Json:
    (row,) = embeddings.rows(chat, 1)
    params = reply.request.get(PARAMS) or {}
    kind = {"embeddingType": "IMAGE" if "image" in params else "TEXT"}
    told = kind | without(row, {"object", "index", "by_type"})
    body = without(chat, embeddings.HEAD)
    return body | {"embeddings": [told | {"embedding": embeddings.floats(row)}]}


def usage(doc: Json) -> Usage | None:
    return counts.read(doc.get("usage"))


DIALECT = whole.dialect(
    "nova_embed",
    text=TEXT,
    read=read,
    request=(decode_request, encode_request),
    response=(decode_response, encode_response),
    usage=usage,
    error=(envelopes.bedrock_error, envelopes.bedrock_relay),
)
