"""Embeddings as the stock client hands them out: floats, which travel in base64 where the caller
did not say how."""

from __future__ import annotations

import base64
from array import array
from typing import TYPE_CHECKING, Any

import orjson
import pydantic
from openai._types import NotGiven, Omit
from openai.types import CreateEmbeddingResponse

from nexus_sdk.stock_objects import forget_extras, validator

if TYPE_CHECKING:
    from collections.abc import Mapping


def unsaid(given: Mapping[str, Any]) -> bool:
    """Did the caller leave the encoding to us? Then it is base64, a third of the size of text."""
    return isinstance(given.get("encoding_format", Omit()), NotGiven | Omit)


def built(body: bytes, *, decode: bool) -> CreateEmbeddingResponse | None:
    """The answer, its embeddings as they came or as floats; None where it is not as the API
    describes it.

    The vectors are put in afterwards: to validate thousands of floats one by one takes longer than
    all the rest."""
    doc = orjson.loads(body)
    vectors = _taken(doc)
    if not vectors:
        return None
    try:
        answer: CreateEmbeddingResponse = validator(CreateEmbeddingResponse).validate_python(
            doc, strict=True
        )
    except pydantic.ValidationError:
        return None
    forget_extras(answer)
    for item, vector in zip(answer.data, vectors, strict=True):
        item.embedding = floats(vector) if decode and isinstance(vector, str) else vector  # type: ignore[assignment]
    return answer


def decoded(answer: CreateEmbeddingResponse) -> CreateEmbeddingResponse:
    """The same for an answer that the stock code built. Raises ValueError as the stock client does
    when there is no embedding."""
    if not answer.data:
        raise ValueError("No embedding data received")
    for item in answer.data:
        if isinstance(item.embedding, str):
            item.embedding = floats(item.embedding)
    return answer


def floats(text: str) -> list[float]:
    """Little-endian binary32 values, as the API sends them."""
    return array("f", base64.b64decode(text)).tolist()


def _taken(doc: Any) -> list[str | list[float]]:
    """The vectors, each replaced by an empty one; empty where any is missing."""
    found = doc.get("data") if isinstance(doc, dict) else None
    items = found if isinstance(found, list) else []
    vectors: list[str | list[float]] = []
    for item in items:
        vector: Any = item.get("embedding") if isinstance(item, dict) else None
        if not isinstance(vector, str) and not _all_floats(vector):
            return []
        vectors.append(vector)
        item["embedding"] = []
    return vectors


def _all_floats(vector: object) -> bool:
    return isinstance(vector, list) and set(map(type, vector)) <= {float}
