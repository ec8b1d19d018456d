"""Embedding vectors on the wire: lists of numbers, or base64 of little-endian binary32 values, as
OpenAI, Cohere and Voyage send them (https://docs.voyageai.com/reference/embeddings-api,
`encoding_format`)."""

from __future__ import annotations

import base64
import binascii
import sys
from array import array
from typing import TYPE_CHECKING

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.model import Failure

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json

_SWAPPED = sys.byteorder == "big"


def numbers(vector: Json) -> list[float]:
    """A vector as a list. Raises UpstreamFailed for base64 that is none, or is no whole number of
    values."""
    if isinstance(vector, list):
        return vector
    try:
        values = array("f", base64.b64decode(vector, validate=True))
    except (binascii.Error, TypeError, ValueError):
        raise unusable("an embedding is neither a list of numbers nor base64 of floats") from None
    if _SWAPPED:
        values.byteswap()
    return values.tolist()


def base64_text(vector: Json) -> str:
    """A vector as base64; of a list each number is rounded to binary32. Raises UpstreamFailed for a
    list that holds anything but numbers."""
    if isinstance(vector, str):
        return vector
    try:
        values = array("f", vector)
    except (OverflowError, TypeError):
        raise unusable("an embedding holds something else than numbers") from None
    if _SWAPPED:
        values.byteswap()
    return base64.b64encode(values.tobytes()).decode()


def are_floats(vector: Json) -> bool:
    """Of the float type, however written: quantised vectors come as lists of whole numbers."""
    return isinstance(vector, str) or not all(type(value) is int for value in vector)


def unusable(reason: str) -> UpstreamFailed:
    """An answer that is no answer to what was asked."""
    return UpstreamFailed(
        f"the upstream gave no usable answer: {reason}", failure=Failure("protocol", reason)
    )
