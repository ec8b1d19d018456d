"""Vertex AI's text embeddings, `models/{model}:predict`. The model stands in the path.

Sources: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api,
and what the google-genai package 3.6 sends to Vertex. Its newer models answer `:embedContent`
(`gemini_embed`).
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

TEXT = TextMap(skip=frozenset({"task_type", "taskType", "mimeType", "values"}))
FIELDS: shape.Fields = {"parameters": shape.OBJECT}
KNOWN = frozenset({
    *FIELDS, "instances", "content", "task_type", "title", "outputDimensionality", "autoTruncate",
})  # fmt: skip
_WORDS = inverted(embeddings.GOOGLE_PURPOSES)
_CUT = {"truncate": "an input that is too long is cut at its end only"}


def read(doc: Json) -> Facts:
    if not isinstance(doc, dict):
        raise Malformed("the body must be a JSON object")
    shape.refuse_lookalikes(doc, KNOWN, frozenset())
    for place, instance in enumerate(shape.need(doc, "instances", shape.SOME_OBJECTS)):
        shape.check(instance, {"content": shape.TEXT}, f"instances.{place}.")
    shape.check(doc, FIELDS)
    return Facts(model="", deterministic=True)


def decode_request(doc: Json) -> Json:
    """An input that is too long is cut unless the caller says otherwise. Raises Unsupported for
    instances of the models for images, and for some that differ in their task."""
    items, purposes = [], []
    for place, instance in enumerate(doc["instances"]):
        if not isinstance(instance.get("content"), str):
            raise Unsupported("an instance is a text here", param=f"instances.{place}")
        text = embeddings.part(instance["content"])
        items.append(embeddings.item([text], instance.get("title")))
        purposes.append(instance.get("task_type") or instance.get("taskType"))
        if purposes[place] != purposes[0]:
            raise Unsupported(
                "instances of different tasks go together to another target",
                param=f"instances.{place}.task_type",
            )
    parameters = dict(doc.get("parameters") or {})
    cut = parameters.pop("autoTruncate", None)
    chat = without(doc, {"instances", "parameters"}) | {"input": embeddings.unlisted(items)}
    chat["truncate"] = "NONE" if cut is False else "END"
    if (dimensions := parameters.pop("outputDimensionality", None)) is not None:
        chat["dimensions"] = dimensions
    if purposes[0] is not None:
        chat["input_type"] = _WORDS.get(purposes[0], purposes[0])
    return chat | parameters


def encode_request(chat: Json, report: Report) -> Json:
    given = {key: value for key, value in chat.items() if value is not None}
    purpose = embeddings.purpose(given, embeddings.GOOGLE_PURPOSES, report)
    task = {"task_type": purpose} if purpose else {}
    instances = [
        _instance(item, f"input.{i}", report) | task
        for i, item in enumerate(embeddings.items(given))
    ]
    parameters: Json = {"autoTruncate": embeddings.cuts(given)}
    if "dimensions" in given:
        parameters["outputDimensionality"] = given["dimensions"]
    embeddings.kinds(given, frozenset({"float"}), report)
    start = _CUT if given.get("truncate") == "START" else {}
    dropped = embeddings.NO_CEILING | embeddings.NO_CHOICE_OF_LENGTH | start
    embeddings.tell(given, report, dropped, embeddings.NO_LABEL)
    rest = without(given, embeddings.MEMBERS)
    return {"instances": instances, "parameters": parameters | rest}


def _instance(item: Json, path: str, report: Report) -> Json:
    """Documents have titles here, so that none is left out."""
    untitled = item if isinstance(item, str) else without(item, {"title"})
    titled = {} if isinstance(item, str) or item.get("title") is None else {"title": item["title"]}
    return {"content": embeddings.text(untitled, path, report)} | titled


def decode_response(doc: Json) -> Json:
    """Raises UpstreamFailed for a document without embeddings."""
    given = doc.get("predictions") if isinstance(doc, dict) else None
    if not isinstance(given, list):
        raise UpstreamFailed("the upstream's answer has no predictions")
    rows = []
    for told in given:
        embedded = told["embeddings"]
        rows.append(without(embedded, {"values"}) | {"embedding": embedded["values"]})
    used = usage(doc)
    counted = None if used is None else embeddings.usage(used.input)
    return embeddings.answer(rows, counted, without(doc, {"predictions"}))


def encode_response(chat: Json, reply: Reply) -> Json:
    """Each embedding has its statistics, as far as they are known; a count for all together stands
    at the first."""
    instances = reply.request.get("instances")
    rows = embeddings.rows(chat, len(instances) if isinstance(instances, list) else None)
    tokens, told = embeddings.input_tokens(chat), []
    for place, row in enumerate(rows):
        kept = without(row, {"object", "index", "embedding", "by_type"})
        if tokens is not None:
            kept.setdefault("statistics", {"token_count": 0 if place else tokens})
        told.append({"embeddings": kept | {"values": embeddings.floats(row)}})
    return without(chat, embeddings.HEAD) | {"predictions": told}


def usage(doc: Json) -> Usage | None:
    """The sum of what each embedding took."""
    found = [
        told["embeddings"]["statistics"]["token_count"]
        for told in doc.get("predictions") or ()
        if "token_count" in ((told.get("embeddings") or {}).get("statistics") or {})
    ]
    return Usage(input=sum(counts.count(told) for told in found)) if found else None


DIALECT = whole.dialect(
    "vertex_embed",
    text=TEXT,
    read=read,
    request=(decode_request, encode_request),
    response=(decode_response, encode_response),
    usage=usage,
    error=(envelopes.google_error, envelopes.google_relay),
)
