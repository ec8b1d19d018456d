"""Embeddings as the stock client asks for them: in base64 where the caller did not say, handed out as floats."""

from __future__ import annotations

import base64
from array import array
from typing import TYPE_CHECKING, Any

from openai._types import NotGiven, Omit

if TYPE_CHECKING:
    from collections.abc import Mapping


def _unsaid(given: Mapping[str, Any]) -> bool:
    return isinstance(given.get("encoding_format", Omit()), NotGiven | Omit)


def wanted(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with the encoding that the stock client asks for, a third of the size of text."""
    return {**given, "encoding_format": "base64"} if _unsaid(given) else dict(given)


def decoded(answer: Any, given: Mapping[str, Any]) -> Any:
    """The answer with floats where the caller did not ask for base64. Raises ValueError as the stock client does when
    there is no embedding."""
    if not _unsaid(given):
        return answer
    if not answer.data:
        raise ValueError("No embedding data received")
    for item in answer.data:
        if isinstance(item.embedding, str):
            item.embedding = array("f", base64.b64decode(item.embedding)).tolist()
    return answer
