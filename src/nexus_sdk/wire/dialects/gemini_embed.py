"""Gemini's embeddings API: `models/{model}:embedContent` for one input (DIALECT) and
`:batchEmbedContents` for several (BATCH).

The model stands in the path, and in each request of a batch besides. Members are read in either
spelling of Google's JSON, `taskType` or `task_type`, and written in the first.

Sources: https://ai.google.dev/api/embeddings, and what the google-genai package 3.6 sends;
`embedContentConfig` and `autoTruncate` are Vertex's.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed, Unsupported, UpstreamFailed
from nexus_sdk.model import Usage
from nexus_sdk.wire import counts, embeddings, envelopes, model_names, shape, whole
from nexus_sdk.wire.canonical import data_url, is_data_url, split_data_url, without
from nexus_sdk.wire.dialect import Facts, inverted
from nexus_sdk.wire.texts import TextMap

if TYPE_CHECKING:
    from nexus_sdk.wire.dialect import Reply
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json, Path

TEXT = TextMap(
    skip=frozenset({
        "model", "role", "taskType", "task_type", "mimeType", "mime_type", "values", "modality",
    }),
    inside={"inlineData": frozenset({"data"}), "inline_data": frozenset({"data"})},
)  # fmt: skip
FIELDS: shape.Fields = {
    "model": shape.TEXT,
    "content": shape.OBJECT,
    "taskType": shape.TEXT,
    "title": shape.TEXT,
    "outputDimensionality": shape.COUNT,
    "autoTruncate": shape.FLAG,
    "embedContentConfig": shape.OBJECT,
}
KNOWN = frozenset({
    *FIELDS, "requests", "parts", "role", "text", "inlineData", "fileData", "mimeType", "data",
    "fileUri",
})  # fmt: skip
_WORDS = inverted(embeddings.GOOGLE_PURPOSES)
_SNAKE = re.compile(r"_([a-z])")
_UNTOLD = {"truncate": "the API decides itself what becomes of an input that is too long"}


def _camel(node: Json) -> Json:
    """Members under Google's first spelling. Raises Malformed for one that stands there twice."""
    out: Json = {}
    for key, value in node.items():
        name = _SNAKE.sub(lambda found: found[1].upper(), key)
        if name in out:
            raise Malformed(f"{name} stands there in two spellings", param=key)
        if value is not None:
            out[name] = value
    return out


def read(doc: Json, *, batch: bool) -> Facts:
    if not isinstance(doc, dict):
        raise Malformed("the body must be a JSON object")
    shape.refuse_lookalikes(doc, KNOWN, frozenset())
    if not batch:
        _check(doc, "")
    else:
        for place, request in enumerate(shape.need(doc, "requests", shape.SOME_OBJECTS)):
            _check(request, f"requests.{place}.")
    return Facts(model="", deterministic=True)


def _check(request: Json, path: str) -> None:
    told = _camel(request)
    shape.check(told, FIELDS, path)
    content = shape.need(told, "content", shape.OBJECT, path)
    shape.need(content, "parts", shape.SOME_OBJECTS, f"{path}content.")


# ---- requests ------------------------------------------------------------------------------------


def decode_request(doc: Json) -> Json:
    chat, item = _request(doc, "")
    return chat | {"input": item}


def decode_batch(doc: Json) -> Json:
    """Raises Unsupported for requests that ask for different things: no other API takes these in
    one call."""
    told = [_request(request, f"requests.{i}.") for i, request in enumerate(doc["requests"])]
    first = told[0][0]
    for place, (chat, _) in enumerate(told):
        for key in sorted(chat.keys() | first.keys()):
            if chat.get(key) != first.get(key):
                raise Unsupported(
                    f"the requests of a batch differ in {key}, and go together to another target",
                    param=f"requests.{place}.{key}",
                )
    return without(doc, {"requests"}) | first | {"input": [item for _, item in told]}


def _request(request: Json, path: str) -> tuple[Json, Json]:
    """What a request asks for, and its input."""
    told = _camel(request)
    told |= _camel(told.pop("embedContentConfig", {}))
    content = _camel(told.pop("content"))
    parts = [
        _part(_camel(part), f"{path}content.parts.{i}") for i, part in enumerate(content["parts"])
    ]
    item = embeddings.item(parts, told.pop("title", None))
    chat = without(told, {"model", "taskType", "outputDimensionality", "autoTruncate"})
    if "taskType" in told and told["taskType"] != "TASK_TYPE_UNSPECIFIED":
        chat["input_type"] = _WORDS.get(told["taskType"], told["taskType"])
    if told.get("outputDimensionality"):
        chat["dimensions"] = told["outputDimensionality"]
    if "autoTruncate" in told:
        chat["truncate"] = "END" if told["autoTruncate"] else "NONE"
    return chat, item


def _part(part: Json, path: str) -> Json:
    if "text" in part:
        return embeddings.part(part["text"])
    if "inlineData" in part:
        inline = _camel(part["inlineData"])
        url = data_url(inline.get("mimeType", ""), inline.get("data", ""))
        if inline.get("mimeType", "").startswith("image/"):
            return {"type": "image_url", "image_url": {"url": url}}
        return {"type": "file", "file": {"file_data": url}}
    if "fileData" in part:
        file = _camel(part["fileData"])
        kind = {"mime_type": file["mimeType"]} if file.get("mimeType") else {}
        return {"type": "file", "file": {"file_url": file.get("fileUri", "")} | kind}
    raise Unsupported("a part is a text, inlineData or fileData", param=path)


def encode_request(chat: Json, report: Report) -> Json:
    item = embeddings.only(embeddings.items(chat), "embedContent")
    return _rest(chat) | _content(item, "input.0", report) | _asked(chat, report)


def encode_batch(chat: Json, report: Report) -> Json:
    """Each request names the model again, as the API requires."""
    model = chat.get("model") or ""
    head = {"model": model_names.resource(model)} if model else {}
    asked = _asked(chat, report)
    items = embeddings.items(chat)
    requests = [head | _content(item, f"input.{i}", report) | asked for i, item in enumerate(items)]
    return _rest(chat) | {"requests": requests}


def _rest(chat: Json) -> Json:
    return without({k: v for k, v in chat.items() if v is not None}, embeddings.MEMBERS)


def _asked(chat: Json, report: Report) -> Json:
    out: Json = {}
    if word := embeddings.purpose(chat, embeddings.GOOGLE_PURPOSES, report):
        out["taskType"] = word
    if chat.get("dimensions") is not None:
        out["outputDimensionality"] = chat["dimensions"]
    embeddings.kinds(chat, frozenset({"float"}), report)
    start = _UNTOLD if chat.get("truncate") == "START" else {}
    dropped = embeddings.NO_CEILING | embeddings.NO_CHOICE_OF_LENGTH | start
    omitted = embeddings.NO_LABEL | ({} if start else _UNTOLD)
    embeddings.tell(chat, report, dropped, omitted)
    return out


def _content(item: Json, path: str, report: Report) -> Json:
    if isinstance(item, str):
        return {"content": {"parts": [{"text": item}]}}
    parts = [
        _own_part(part, f"{path}.content.{place}", report)
        for place, part in enumerate(item["content"])
    ]
    titled = {"title": item["title"]} if item.get("title") is not None else {}
    return {"content": {"parts": parts}} | titled


def _own_part(part: Json, path: str, report: Report) -> Json:
    kind, file = part.get("type"), part.get("file") or {}
    if kind == "text":
        return {"text": part["text"]}
    url = embeddings.image(part, path, report) if kind == "image_url" else file.get("file_data", "")
    if is_data_url(url):
        media_type, data = split_data_url(url, path)
        return {"inlineData": {"mimeType": media_type, "data": data}}
    if file.get("file_url"):
        named = {"mimeType": file["mime_type"]} if file.get("mime_type") else {}
        return {"fileData": named | {"fileUri": file["file_url"]}}
    raise Unsupported("give it as a data URL", param=path)


# ---- answers -------------------------------------------------------------------------------------


def decode_response(doc: Json) -> Json:
    """Both operations' answers. Raises UpstreamFailed for a document without embeddings."""
    told = doc if isinstance(doc, dict) else {}
    given = told.get("embeddings") or ([told["embedding"]] if told.get("embedding") else None)
    if not isinstance(given, list):
        raise UpstreamFailed("the upstream's answer has no embeddings")
    rows = [without(row, {"values"}) | {"embedding": row["values"]} for row in given]
    rest = without(told, {"embedding", "embeddings", "usageMetadata"})
    used = usage(told)
    if used is None:
        return embeddings.answer(rows, None, rest)
    more = without(told["usageMetadata"], {"promptTokenCount"})
    return embeddings.answer(rows, embeddings.usage(used.input) | more, rest)


def encode_response(chat: Json, reply: Reply, *, batch: bool) -> Json:
    requests = reply.request.get("requests")
    rows = embeddings.rows(chat, _expected(requests) if batch else 1)
    told = [
        without(row, {"object", "index", "embedding", "by_type"})
        | {"values": embeddings.floats(row)}
        for row in rows
    ]
    body = without(chat, embeddings.HEAD)
    body |= {"embeddings": told} if batch else {"embedding": told[0]}
    if chat.get("usage"):
        more = without(chat["usage"], _COUNTS)
        body["usageMetadata"] = {"promptTokenCount": embeddings.input_tokens(chat) or 0} | more
    return body


_COUNTS = frozenset({"prompt_tokens", "total_tokens", "prompt_tokens_details", "estimated"})


def _expected(requests: Json) -> int | None:
    return len(requests) if isinstance(requests, list) else None


def usage(doc: Json) -> Usage | None:
    told = doc.get("usageMetadata")
    if not isinstance(told, dict) or "promptTokenCount" not in told:
        return None
    return Usage(input=counts.count(told["promptTokenCount"]))


def repeated(doc: Json, model: str) -> dict[Path, Json]:
    """The models in the body, which have to be the path's."""
    requests = doc.get("requests")
    edits = model_names.named_anew(doc, (), model)
    for place, request in enumerate(requests if isinstance(requests, list) else ()):
        edits |= model_names.named_anew(request, ("requests", place), model)
    return edits


DIALECT = whole.dialect(
    "gemini_embed",
    text=TEXT,
    read=partial(read, batch=False),
    request=(decode_request, encode_request),
    response=(decode_response, partial(encode_response, batch=False)),
    usage=usage,
    error=(envelopes.google_error, envelopes.google_relay),
    repeats=repeated,
)
BATCH = whole.dialect(
    "gemini_batch_embed",
    text=TEXT,
    read=partial(read, batch=True),
    request=(decode_batch, encode_batch),
    response=(decode_response, partial(encode_response, batch=True)),
    usage=usage,
    error=(envelopes.google_error, envelopes.google_relay),
    repeats=repeated,
)
