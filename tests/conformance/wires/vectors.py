"""Embeddings in every shape. Sources: the API references of OpenAI, Cohere (v2), Google (Gemini API
and Vertex AI), Voyage, and Amazon Bedrock (Titan, Nova, Cohere)."""

from __future__ import annotations

import base64
import inspect
import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

import cohere
from google.genai import types as genai
from openai.types import CreateEmbeddingResponse, embedding_create_params
from pydantic import TypeAdapter
from tests.conformance.values import Unsaid, Wire
from tests.conformance.wires import chat_answers, cohere_chat, converse, gemini

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.values import Facts, Json, Trouble

VECTORS = ((0.5, -0.25, 1.0, 0.125), (0.75, 0.5, -1.0, 0.25))
TOKENS = 7


@dataclass(frozen=True)
class Embed:
    """What a caller wants of vectors."""

    texts: tuple[str, ...] = ("a boat",)
    dimensions: int | None = None
    base64: bool = False


@dataclass(frozen=True)
class Embedded:
    """What a model gives. The other members are those of `Say`."""

    texts: tuple[str, ...] = ("a boat",)
    trouble: str = ""
    cut: bool = False


def _rows(say: Embedded) -> list[list[float]]:
    return [list(vector) for vector in VECTORS[: len(say.texts)]]


def _packed(vector: Json) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _floats(told: Json) -> tuple[float, ...]:
    """A vector as numbers, also where it comes as the base64 of little-endian singles."""
    if isinstance(told, str):
        raw = base64.b64decode(told)
        return struct.unpack(f"<{len(raw) // 4}f", raw)
    return tuple(told)


def _none(*_: Any) -> Any:
    raise Unsaid("embeddings are not streamed")


def _known(body: Json, keys: set[str]) -> None:
    more = body.keys() - keys
    assert not more, f"no {sorted(more)}"


# ---- OpenAI and Voyage ---------------------------------------------------------------------------


def _openai_write(ask: Embed, model: str, stream: bool) -> Json:
    out: dict[str, Json] = {
        "model": model,
        "input": ask.texts[0] if len(ask.texts) == 1 else list(ask.texts),
    }
    if ask.dimensions:
        out["dimensions"] = ask.dimensions
    return out | ({"encoding_format": "base64"} if ask.base64 else {})


def _openai_heard(body: Json) -> Facts:
    told = body["input"]
    sizes = body.get("dimensions") or body.get("output_dimension")
    return {"texts": (told,) if isinstance(told, str) else tuple(told), "dimensions": sizes}


_PARAMS = embedding_create_params.EmbeddingCreateParams


def _openai_check(body: Json, provider: str) -> None:
    _known(body, set(get_type_hints(_PARAMS)))
    TypeAdapter(_PARAMS).validate_json(json.dumps(body))


def _openai_answer(say: Embedded, provider: str) -> Json:
    data = [
        {"object": "embedding", "index": place, "embedding": row}
        for place, row in enumerate(_rows(say))
    ]
    usage = {"prompt_tokens": TOKENS, "total_tokens": TOKENS}
    return {"object": "list", "data": data, "model": "embedder", "usage": usage}


def _encoded(doc: Json, body: Json) -> Json:
    if body.get("encoding_format") != "base64":
        return doc
    data = [row | {"embedding": _packed(row["embedding"])} for row in doc["data"]]
    return doc | {"data": data}


def _openai_said(doc: Json) -> Facts:
    floats = [row | {"embedding": _floats(row["embedding"])} for row in doc["data"]]
    plain = json.dumps(doc | {"data": floats})
    TypeAdapter(CreateEmbeddingResponse).validate_json(plain)
    rows = sorted(doc["data"], key=lambda row: row["index"])
    return {
        "vectors": tuple(_floats(row["embedding"]) for row in rows),
        "packed": all(isinstance(row["embedding"], str) for row in rows),
        "input": doc["usage"]["prompt_tokens"],
    }


_VOYAGE = {"model", "input", "input_type", "truncation", "output_dimension", "output_dtype"}


def _voyage_check(body: Json, provider: str) -> None:
    _known(body, _VOYAGE | {"encoding_format"})
    assert body.get("encoding_format") in {None, "base64"}


def _voyage_answer(say: Embedded, provider: str) -> Json:
    return _openai_answer(say, provider) | {"usage": {"total_tokens": TOKENS}}


# ---- Cohere, on its own and on Bedrock -----------------------------------------------------------


def _cohere_write(ask: Embed, model: str, stream: bool) -> Json:
    out: dict[str, Json] = {"model": model, "texts": list(ask.texts)}
    out |= {"input_type": "search_document"}
    out["embedding_types"] = ["base64"] if ask.base64 else ["float"]
    return out | ({"output_dimension": ask.dimensions} if ask.dimensions else {})


def _cohere_heard(body: Json) -> Facts:
    told = tuple(body.get("texts") or ()) or tuple(
        part["text"] for one in body.get("inputs") or () for part in one["content"]
    )
    return {"texts": told, "dimensions": body.get("output_dimension")}


def _cohere_check(body: Json, provider: str) -> None:
    _known(body, set(inspect.signature(cohere.ClientV2.embed).parameters))
    if provider == "cohere":
        assert body["model"]
    assert body["input_type"]


def _cohere_answer(say: Embedded, provider: str) -> Json:
    out: dict[str, Json] = {
        "id": "e1",
        "response_type": "embeddings_by_type",
        "embeddings": {"float": _rows(say)},
        "texts": list(say.texts),
    }
    units = {"input_tokens": TOKENS}
    meta = {"api_version": {"version": "2"}, "billed_units": units}
    return out | ({"meta": meta} if provider == "cohere" else {})


def _cohere_fit(doc: Json, body: Json) -> Json:
    rows = doc["embeddings"]["float"]
    kinds = body.get("embedding_types")
    if not kinds:
        return doc | {"embeddings": rows, "response_type": "embeddings_floats"}
    forms = {"float": rows, "base64": [_packed(row) for row in rows]}
    return doc | {"embeddings": {kind: forms[kind] for kind in kinds}}


def _cohere_said(doc: Json) -> Facts:
    TypeAdapter(cohere.EmbedByTypeResponse).validate_json(json.dumps(doc))
    told = doc["embeddings"]
    rows = told.get("float") or told.get("base64")
    units = (doc.get("meta") or {}).get("billed_units") or {}
    return {
        "vectors": tuple(_floats(row) for row in rows),
        "packed": bool(told.get("base64")),
        "input": units.get("input_tokens"),
    }


# ---- Google --------------------------------------------------------------------------------------


def _content(text: str, ask: Embed) -> Json:
    if ask.base64:
        raise Unsaid("vectors are numbers")
    out: dict[str, Json] = {"content": {"parts": [{"text": text}]}}
    return out | ({"outputDimensionality": ask.dimensions} if ask.dimensions else {})


def _batch_write(ask: Embed, model: str, stream: bool) -> Json:
    return {"requests": [{"model": f"models/{model}"} | _content(one, ask) for one in ask.texts]}


def _single_write(ask: Embed, model: str, stream: bool) -> Json:
    if len(ask.texts) > 1:
        raise Unsaid("one text a request")
    return _content(ask.texts[0], ask)


def _text(request: Json) -> str:
    return "".join(part["text"] for part in request["content"]["parts"])


def _batch_heard(body: Json) -> Facts:
    told = body["requests"]
    sizes = told[0].get("outputDimensionality")
    return {"texts": tuple(map(_text, told)), "dimensions": sizes}


def _single_heard(body: Json) -> Facts:
    return {"texts": (_text(body),), "dimensions": body.get("outputDimensionality")}


_ONE = {"model", "content", "taskType", "title", "outputDimensionality"}


def _single_check(body: Json, provider: str) -> None:
    _known(body, _ONE)
    genai.Content.model_validate_json(json.dumps(body["content"]))


def _batch_check(body: Json, provider: str) -> None:
    _known(body, {"requests"})
    for one in body["requests"]:
        _single_check(one, provider)
        assert one["model"].startswith("models/")


def _batch_answer(say: Embedded, provider: str) -> Json:
    return {"embeddings": [{"values": row} for row in _rows(say)]}


def _single_answer(say: Embedded, provider: str) -> Json:
    if len(say.texts) > 1:
        raise Unsaid("one text a request")
    return {"embedding": {"values": _rows(say)[0]}}


def _google_said(doc: Json) -> Facts:
    rows = doc.get("embeddings") or [doc["embedding"]]
    return {"vectors": tuple(tuple(row["values"]) for row in rows)}


def _vertex_heard(body: Json) -> Facts:
    sizes = (body.get("parameters") or {}).get("outputDimensionality")
    return {"texts": tuple(one["content"] for one in body["instances"]), "dimensions": sizes}


def _vertex_check(body: Json, provider: str) -> None:
    _known(body, {"instances", "parameters"})
    for one in body["instances"]:
        _known(one, {"content", "task_type", "title"})
    _known(body.get("parameters") or {}, {"outputDimensionality", "autoTruncate"})


def _vertex_answer(say: Embedded, provider: str) -> Json:
    rows = _rows(say)
    counts = [TOKENS - len(rows) + 1, *[1] * (len(rows) - 1)]
    told = [
        {"values": row, "statistics": {"token_count": count, "truncated": False}}
        for row, count in zip(rows, counts, strict=True)
    ]
    return {"predictions": [{"embeddings": one} for one in told]}


# ---- Amazon --------------------------------------------------------------------------------------


def _titan_heard(body: Json) -> Facts:
    return {"texts": (body["inputText"],), "dimensions": body.get("dimensions")}


def _titan_check(body: Json, provider: str) -> None:
    _known(body, {"inputText", "dimensions", "normalize", "embeddingTypes"})
    assert body.get("dimensions") in {None, 256, 512, 1024}


def _titan_answer(say: Embedded, provider: str) -> Json:
    if len(say.texts) > 1:
        raise Unsaid("one text a request")
    row = _rows(say)[0]
    by_type = {"embeddingsByType": {"float": row}}
    return {"embedding": row, "inputTextTokenCount": TOKENS} | by_type


def _nova_heard(body: Json) -> Facts:
    told = body["singleEmbeddingParams"]
    return {"texts": (told["text"]["value"],), "dimensions": told.get("embeddingDimension")}


def _nova_check(body: Json, provider: str) -> None:
    _known(body, {"schemaVersion", "taskType", "singleEmbeddingParams"})
    assert body["taskType"] == "SINGLE_EMBEDDING"
    told = body["singleEmbeddingParams"]
    assert told["embeddingPurpose"]
    assert told["text"]["truncationMode"] in {"START", "END", "NONE"}
    assert told.get("embeddingDimension") in {None, 256, 384, 1024, 3072}


def _nova_answer(say: Embedded, provider: str) -> Json:
    if len(say.texts) > 1:
        raise Unsaid("one text a request")
    return {"embeddings": [{"embeddingType": "TEXT", "embedding": _rows(say)[0]}]}


def _wire(
    name: str,
    write: Callable[[Any, str, bool], Json],
    asked: tuple[Callable[[Json], Facts], Callable[[Json, str], None]],
    given: tuple[Callable[[Any, str], Json], Callable[[Json], Facts]],
    trouble: Callable[[str, str], Trouble],
    fit: Callable[[Json, Json], Json] = lambda doc, body: doc,
) -> Wire:
    return Wire(name, write, *asked, given[0], _none, trouble, _none, given[1], _none, fit=fit)


_OPENAI = (_openai_heard, _openai_check)
_COHERE = (_cohere_heard, _cohere_check)
_ALL = (
    _wire(
        "openai_embeddings",
        _openai_write,
        _OPENAI,
        (_openai_answer, _openai_said),
        chat_answers.trouble,
        _encoded,
    ),
    _wire(
        "voyage_embed",
        _none,
        (_openai_heard, _voyage_check),
        (_voyage_answer, _none),
        chat_answers.trouble,
        _encoded,
    ),
    _wire(
        "cohere_embed",
        _cohere_write,
        _COHERE,
        (_cohere_answer, _cohere_said),
        cohere_chat.trouble,
        _cohere_fit,
    ),
    _wire(
        "bedrock_cohere_embed",
        _none,
        _COHERE,
        (_cohere_answer, _none),
        converse.trouble,
        _cohere_fit,
    ),
    _wire(
        "gemini_batch_embed",
        _batch_write,
        (_batch_heard, _batch_check),
        (_batch_answer, _google_said),
        gemini.trouble,
    ),
    _wire(
        "gemini_embed",
        _single_write,
        (_single_heard, _single_check),
        (_single_answer, _google_said),
        gemini.trouble,
    ),
    _wire(
        "vertex_embed",
        _none,
        (_vertex_heard, _vertex_check),
        (_vertex_answer, _none),
        gemini.trouble,
    ),
    _wire(
        "titan_embed", _none, (_titan_heard, _titan_check), (_titan_answer, _none), converse.trouble
    ),
    _wire("nova_embed", _none, (_nova_heard, _nova_check), (_nova_answer, _none), converse.trouble),
)
WIRES = {wire.name: wire for wire in _ALL}
UNCOUNTED = frozenset({"bedrock_cohere_embed", "gemini_batch_embed", "gemini_embed", "nova_embed"})
"""Formats whose answers count no tokens."""
