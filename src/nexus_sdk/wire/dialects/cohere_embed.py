"""Cohere's embeddings API, `POST /v2/embed`, and the body of its models on Bedrock
(`InvokeModel`), which has neither a model nor counts.

Sources: https://docs.cohere.com/reference/embed and the types of the cohere package 7.3;
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed-v3.html and -v4.html. On
Bedrock an input that is too long is refused by default, and `truncate` has other words besides.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed, Unsupported, UpstreamFailed
from nexus_sdk.model import Usage
from nexus_sdk.wire import counts, embeddings, envelopes, shape, vectors, whole
from nexus_sdk.wire.canonical import is_data_url, without
from nexus_sdk.wire.dialect import Facts, renamed
from nexus_sdk.wire.texts import TextMap

if TYPE_CHECKING:
    from nexus_sdk.wire.dialect import Reply
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

TEXT = TextMap(
    skip=frozenset({
        "id", "model", "type", "input_type", "embedding_types", "truncate", "response_type",
        "embeddings", "images",
    }),
    media=frozenset({"url", "image_url"}),
)  # fmt: skip
"""`images` are data URLs: `read` takes no others."""
FIELDS: shape.Fields = {
    "texts": shape.Kind(
        lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
        "a list of strings",
    ),
    "images": shape.Kind(
        lambda value: (
            isinstance(value, list)
            and all(isinstance(item, str) and is_data_url(item) for item in value)
        ),
        "a list of data URLs",
    ),
    "inputs": shape.OBJECTS,
    "input_type": shape.TEXT,
    "embedding_types": shape.Kind(
        lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
        "a list of strings",
    ),
    "truncate": shape.TEXT,
    "output_dimension": shape.POSITIVE,
    "max_tokens": shape.COUNT,
}
KNOWN = frozenset({*FIELDS, "model", "content", "type", "text", "image_url", "url"})
INPUTS = ("texts", "images", "inputs")
RENAMES = {"output_dimension": "dimensions"}
PURPOSES = {
    name: name for name in ("search_document", "search_query", "classification", "clustering")
}
DEFAULT_PURPOSE = "search_document"
"""`input_type` is required since the models of the third generation."""
TYPES = frozenset({"float", "int8", "uint8", "binary", "ubinary", "base64"})
BEDROCK_TYPES = TYPES - {"base64"}
BEDROCK_CUTS = {"LEFT": "START", "RIGHT": "END"}
"""The words of Bedrock's page on version 4, which takes Cohere's own as well."""


def read(doc: Json, *, bedrock: bool) -> Facts:
    if not isinstance(doc, dict):
        raise Malformed("the body must be a JSON object")
    shape.refuse_lookalikes(doc, KNOWN, frozenset())
    model = "" if bedrock else shape.need(doc, "model", shape.TEXT)
    shape.check(doc, FIELDS)
    given = [key for key in INPUTS if doc.get(key)]
    if len(given) != 1:
        raise Malformed(
            "give one of texts, images and inputs", param=given[1] if given else "texts"
        )
    for place, item in enumerate(doc.get("inputs") or ()):
        shape.need(item, "content", shape.SOME_OBJECTS, f"inputs.{place}.")
        shape.check_parts(item["content"], f"inputs.{place}.content")
    whole.refuse_stream(doc)
    return Facts(model=model, deterministic=True)


def decode_request(doc: Json, *, bedrock: bool) -> Json:
    given = {key: value for key, value in doc.items() if value is not None}
    chat = renamed(without(given, INPUTS), RENAMES)
    chat["input"] = _inputs(given)
    cut = given.get("truncate", "NONE" if bedrock else "END")
    chat["truncate"] = BEDROCK_CUTS.get(cut, cut)
    return chat


def _inputs(doc: Json) -> list[Json]:
    """The inputs, of whichever member holds them."""
    if doc.get("texts"):
        return list(doc["texts"])
    if doc.get("images"):
        return [embeddings.item([_image(url)]) for url in doc["images"]]
    return [
        embeddings.item([_canonical(part) for part in item["content"]])
        for item in doc.get("inputs") or ()
    ]


def _image(url: str) -> Json:
    return {"type": "image_url", "image_url": {"url": url}}


def _canonical(part: Json) -> Json:
    """Bedrock's page has the image's URL where Cohere has an object."""
    url = part.get("image_url")
    return _image(url) if isinstance(url, str) else part


def encode_request(chat: Json, report: Report, *, bedrock: bool) -> Json:
    given = {key: value for key, value in chat.items() if value is not None}
    body = without(given, embeddings.MEMBERS)
    if not bedrock:
        body["model"] = given.get("model", "")
    body |= _given(given, report)
    body["input_type"] = _purpose(given, report)
    body["truncate"] = given.get("truncate", "NONE")
    kinds = embeddings.kinds(given, BEDROCK_TYPES if bedrock else TYPES, report)
    if kinds or not bedrock:
        body["embedding_types"] = kinds or ["float"]
    if "dimensions" in given:
        body["output_dimension"] = given["dimensions"]
    if "max_tokens" in given:
        body["max_tokens"] = given["max_tokens"]
    embeddings.tell(given, report, embeddings.NO_CHOICE_OF_LENGTH, embeddings.NO_LABEL)
    return body


def _purpose(chat: Json, report: Report) -> str | None:
    if chat.get("input_type") == "image":
        return "image"
    return embeddings.purpose(chat, PURPOSES, report, DEFAULT_PURPOSE)


def _given(chat: Json, report: Report) -> Json:
    """Texts alone go to every model, images alone to those of the third generation, and a mix to
    later ones."""
    contents = [
        _content(item, f"input.{place}", report)
        for place, item in enumerate(embeddings.items(chat))
    ]
    if all(len(parts) == 1 and parts[0]["type"] == "text" for parts in contents):
        return {"texts": [parts[0]["text"] for parts in contents]}
    urls = [parts[0].get("image_url", {}).get("url") for parts in contents if len(parts) == 1]
    if chat.get("input_type") == "image" and len(urls) == len(contents) and all(urls):
        return {"images": urls}
    return {"inputs": [{"content": parts} for parts in contents]}


def _content(item: Json, path: str, report: Report) -> list[Json]:
    if isinstance(item, str):
        return [embeddings.part(item)]
    embeddings.untitled(item, path, report)
    parts = []
    for place, part in enumerate(item["content"]):
        here = f"{path}.content.{place}"
        if part.get("type") == "image_url":
            parts.append(_image(embeddings.image(part, here, report)))
        elif part.get("type") == "text":
            parts.append(part)
        else:
            raise Unsupported("Cohere embeds texts and images", param=f"{here}.type")
    return parts


def decode_response(doc: Json) -> Json:
    """Raises UpstreamFailed when it holds no embeddings, or not as many of each type."""
    told = doc.get("embeddings") if isinstance(doc, dict) else None
    if isinstance(told, list):
        told = {"float": told}
    if not isinstance(told, dict):
        raise UpstreamFailed("the upstream's answer has no embeddings")
    typed = {kind: rows for kind, rows in told.items() if rows is not None}
    if len({len(rows) for rows in typed.values()}) != 1:
        raise vectors.unusable("it holds no embeddings, or not as many of each type")
    rows = [_row(typed, place) for place in range(len(next(iter(typed.values()))))]
    used = usage(doc)
    counted = None if used is None else embeddings.usage(used.input)
    return embeddings.answer(rows, counted, without(doc, {"embeddings"}))


def _row(typed: Json, place: int) -> Json:
    told = {kind: rows[place] for kind, rows in typed.items()}
    first = next(kind for kind in ("float", "base64", *told) if kind in told)
    row = {"embedding": told[first]}
    return row if told.keys() == {first} and first in embeddings.FLOATS else row | {"by_type": told}


def encode_response(chat: Json, reply: Reply, *, bedrock: bool) -> Json:
    """Only the types that the caller asked for; where the upstream gave none of these, what it
    gave. Bedrock's models of the third generation answer a list where no type was asked for."""
    asked = reply.request
    types = list(asked.get("embedding_types") or ())
    known = any(asked.get(key) for key in INPUTS)
    rows = embeddings.rows(chat, len(_inputs(asked)) if known else None)
    told = _typed([embeddings.by_type(row, types) for row in rows], types)
    plain = bedrock and not types and chat.get("response_type") != "embeddings_by_type"
    body = without(chat, {"object", "data", "usage", "model"}) | {
        "id": chat.get("id") or reply.id,
        "embeddings": told["float"] if plain and "float" in told else told,
        "response_type": "embeddings_floats" if plain else "embeddings_by_type",
    }
    if asked.get("texts"):
        body.setdefault("texts", asked["texts"])
    tokens = embeddings.input_tokens(chat)
    if not bedrock and tokens is not None:
        units = {"input_tokens": tokens}
        body.setdefault("meta", {"api_version": {"version": "2"}, "billed_units": units})
    return body


def _typed(rows: list[Json], asked: list[str]) -> Json:
    """Vectors by type, each type a list in the order of the rows; floats in the form asked for."""
    there = {kind for row in rows for kind in row}
    able = there | (embeddings.FLOATS if there & embeddings.FLOATS else frozenset())
    wanted = [kind for kind in asked if kind in able]
    if not wanted:
        wanted = ["float"] if there <= embeddings.FLOATS else sorted(there)
    return {kind: [_vector(row, kind) for row in rows] for kind in wanted}


def _vector(row: Json, kind: str) -> Json:
    if kind in row:
        return row[kind]
    given = row["base64" if kind == "float" else "float"]
    return vectors.numbers(given) if kind == "float" else vectors.base64_text(given)


def usage(doc: Json) -> Usage | None:
    """Tokens of texts and of images, from `meta.billed_units`, else from `meta.tokens`."""
    meta = doc.get("meta")
    if not isinstance(meta, dict):
        return None
    for told in (meta.get("billed_units"), meta.get("tokens")):
        if isinstance(told, dict) and told.keys() & {"input_tokens", "image_tokens"}:
            tokens = counts.count(told.get("input_tokens")) + counts.count(told.get("image_tokens"))
            return Usage(input=tokens, cache_read=counts.count(meta.get("cached_tokens")))
    return None


DIALECT = whole.dialect(
    "cohere_embed",
    text=TEXT,
    read=partial(read, bedrock=False),
    request=(partial(decode_request, bedrock=False), partial(encode_request, bedrock=False)),
    response=(decode_response, partial(encode_response, bedrock=False)),
    usage=usage,
    error=(envelopes.cohere_error, envelopes.cohere_relay),
)
BEDROCK = whole.dialect(
    "bedrock_cohere_embed",
    text=TEXT,
    read=partial(read, bedrock=True),
    request=(partial(decode_request, bedrock=True), partial(encode_request, bedrock=True)),
    response=(decode_response, partial(encode_response, bedrock=True)),
    usage=usage,
    error=(envelopes.bedrock_error, envelopes.bedrock_relay),
)
