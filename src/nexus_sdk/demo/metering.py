"""Tokens of the model server: four characters are one, and a long prompt seen before is partly
cached.

The cache follows what OpenAI documents of its own (guide "Prompt caching", read 2025-11): prefixes
from 1024 tokens, in steps of 128.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

CHARS_PER_TOKEN = 4
MIN_CACHED_TOKENS = 1024
CACHE_STEP_TOKENS = 128
MAX_PREFIXES = 10_000
"""Prefixes remembered; the oldest are forgotten."""

_STEP_CHARS = CACHE_STEP_TOKENS * CHARS_PER_TOKEN
_MIN_CHARS = MIN_CACHED_TOKENS * CHARS_PER_TOKEN


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer. `cached` were read from the prefix cache, `cacheable` could be read the
    next time.
    """

    prompt: int
    output: int
    reasoning: int = 0
    cached: int = 0
    cacheable: int = 0


def tokens(text: str) -> int:
    return -(-len(text) // CHARS_PER_TOKEN)


def pieces(text: str) -> tuple[str, ...]:
    """`text` in its tokens. Names, numbers and addresses fall apart, as they do with real
    tokenizers.
    """
    return tuple(text[at : at + CHARS_PER_TOKEN] for at in range(0, len(text), CHARS_PER_TOKEN))


class Prefixes:
    """Which beginnings of prompts were seen."""

    def __init__(self) -> None:
        self._seen: dict[bytes, None] = {}

    def clear(self) -> None:
        self._seen.clear()

    def cached(self, model: str, text: str) -> tuple[int, int]:
        """Tokens of the longest prefix of `text` seen before, and of the longest that is remembered
        from now on.
        """
        if len(text) < _MIN_CHARS:
            return 0, 0
        digest = blake2b(model.encode())
        known = longest = 0
        for end in range(_STEP_CHARS, len(text) + 1, _STEP_CHARS):
            digest.update(text[end - _STEP_CHARS : end].encode("utf-8", "surrogatepass"))
            if end < _MIN_CHARS:
                continue
            longest = end // CHARS_PER_TOKEN
            if digest.digest() in self._seen:
                known = longest
            self._remember(digest.digest())
        return known, longest

    def _remember(self, prefix: bytes) -> None:
        self._seen.pop(prefix, None)
        self._seen[prefix] = None
        if len(self._seen) > MAX_PREFIXES:
            del self._seen[next(iter(self._seen))]
