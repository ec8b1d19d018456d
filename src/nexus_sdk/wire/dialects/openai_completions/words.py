"""The words of the completions protocol."""

from __future__ import annotations

from nexus_sdk.wire import shape
from nexus_sdk.wire.texts import TextMap

TEXT = TextMap(
    skip=frozenset({
        "id", "object", "model", "created", "finish_reason", "system_fingerprint", "logprobs",
        "usage", "logit_bias",
    }),
)  # fmt: skip

FIELDS: shape.Fields = {
    "suffix": shape.TEXT,
    "max_tokens": shape.COUNT,
    "temperature": shape.MEASURE,
    "top_p": shape.MEASURE,
    "n": shape.POSITIVE,
    "best_of": shape.POSITIVE,
    "stream": shape.FLAG,
    "stream_options": shape.OBJECT,
    "logprobs": shape.COUNT,
    "echo": shape.FLAG,
    "stop": shape.TEXTS,
    "presence_penalty": shape.NUMBER,
    "frequency_penalty": shape.NUMBER,
    "logit_bias": shape.OBJECT,
    "seed": shape.WHOLE,
    "user": shape.TEXT,
}
KNOWN = frozenset({*FIELDS, "model", "prompt", "include_usage", "include_obfuscation"})
FREE = frozenset({"logit_bias"})

ONLY_HERE = {
    "suffix": "a chat model does not fill in before a suffix",
    "echo": "a chat model does not repeat the prompt",
    "best_of": "a chat model does not choose among answers of its own",
}
"""Members that no conversation has."""
NEUTRAL = {"suffix": ("",), "echo": (False,), "best_of": (1,)}
"""Values that ask for nothing. `best_of` equal to `n` does so too."""

FINISH = {"stop", "length", "content_filter"}
"""OpenAI's type of a completion knows these alone."""
STREAMED = ("text", "reasoning_content")
"""Members of a choice that come in pieces. The second is no word of OpenAI's, but of many that copy
its API."""
DEFAULT_MAX_TOKENS = 16
"""What `max_tokens` is when it is absent, https://platform.openai.com/docs/api-reference/completions.
A conversation has no such ceiling."""
