"""OpenAI embeddings. Source: https://platform.openai.com/docs/api-reference/embeddings, read
2025-11.

The vectors are hashed bags of words: the same text gives the same vector on every machine, and
texts that share words are near each other, which a semantic cache can show.
"""

from __future__ import annotations

import base64
import math
import re
import struct
from hashlib import blake2b
from typing import Any

from nexus_sdk.demo.metering import tokens

DIMENSIONS = 1536
"""The default of text-embedding-3-small."""
MAX_DIMENSIONS = 4096
SPOTS = 8
"""Dimensions that one word touches."""

_WORD = re.compile(r"\w+")


def texts(body: dict[str, Any]) -> tuple[str, ...]:
    """The inputs as texts; tokens are read as words."""
    given = body["input"]
    if isinstance(given, str):
        return (given,)
    if given and isinstance(given[0], int):
        return (_words(given),)
    return tuple(one if isinstance(one, str) else _words(one) for one in given)


def _words(numbers: list[int]) -> str:
    return " ".join(map(str, numbers))


def whole(body: dict[str, Any]) -> dict[str, Any]:
    inputs = texts(body)
    dimensions = min(body.get("dimensions") or DIMENSIONS, MAX_DIMENSIONS)
    encode = _base64 if body.get("encoding_format") == "base64" else list
    used = sum(map(tokens, inputs))
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": encode(vector(text, dimensions))}
            for index, text in enumerate(inputs)
        ],
        "model": body["model"],
        "usage": {"prompt_tokens": used, "total_tokens": used},
    }


def vector(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """A vector of length one. Each word adds 1 or -1 at `SPOTS` places chosen by its hash."""
    sums = [0.0] * dimensions
    for word in _WORD.findall(text.lower()) or [text]:
        digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=4 * SPOTS).digest()
        for spot in struct.unpack(f"<{SPOTS}I", digest):
            sums[(spot >> 1) % dimensions] += 1.0 if spot & 1 else -1.0
    length = math.sqrt(math.fsum(value * value for value in sums))
    if not length:
        return [1.0, *sums[1:]]
    return [value / length for value in sums]


def _base64(values: list[float]) -> str:
    """32-bit floats, little endian, as the API packs them."""
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
