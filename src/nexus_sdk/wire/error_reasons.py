"""Two refusals that applications act on, kept recognisable from one vendor's words to another's:
the input is too long for the model, and a filter of the vendor stopped it.

Only errors that blame the request are looked at: a rate limit speaks of "too many tokens" too.
Codes are compared whole; of messages, the phrase that each vendor's page or server has.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from nexus_sdk.wire.dialect import ErrorFacts

type Reason = Literal["context_length_exceeded", "content_filter"]

_BLAMES_THE_REQUEST = frozenset({400, 403, 413, 422})
_CODES: dict[str, Reason] = {
    # https://platform.openai.com/docs/guides/error-codes; Groq, Together and Azure have it too
    "context_length_exceeded": "context_length_exceeded",
    # https://github.com/ggml-org/llama.cpp, tools/server
    "exceed_context_size_error": "context_length_exceeded",
    # https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter
    "content_filter": "content_filter",
    "ResponsibleAIPolicyViolation": "content_filter",
    # https://platform.openai.com/docs/guides/error-codes, image generation
    "content_policy_violation": "content_filter",
    "moderation_blocked": "content_filter",
    # https://docs.z.ai/api-reference/api-code
    "1301": "content_filter",
    "1261": "context_length_exceeded",
}
_PHRASES: tuple[tuple[Reason, re.Pattern[str]], ...] = (
    (
        "context_length_exceeded",
        re.compile(
            # https://docs.anthropic.com/en/docs/build-with-claude/context-windows
            r"prompt is too long|input length and `max_tokens` exceed context limit"
            # https://ai.google.dev/gemini-api/docs/troubleshooting, and Vertex AI's wording
            r"|input token count.{0,40}(?:exceeds the maximum|model only supports up to)"
            # https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
            r"|input is too long for requested model"
            # https://docs.cohere.com/reference/errors
            r"|too many tokens: |total number of tokens in the prompt cannot exceed"
            # vLLM, Mistral, DeepSeek and others that copy OpenAI's API
            r"|maximum context length"
            # https://docs.x.ai/docs/guides, xAI
            r"|maximum prompt length is \d"
            # https://huggingface.co/docs/text-generation-inference
            r"|`inputs` tokens \+ `max_new_tokens` must be",
            re.IGNORECASE,
        ),
    ),
    (
        "content_filter",
        re.compile(
            # https://docs.anthropic.com/en/api/errors
            r"blocked by content filtering policy"
            # https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter
            r"|content management policy"
            # https://api-docs.deepseek.com
            r"|content exists risk",
            re.IGNORECASE,
        ),
    ),
)
_WORDS: dict[str, dict[Reason, str]] = {
    "anthropic": {
        "context_length_exceeded": "prompt is too long",
        "content_filter": "Output blocked by content filtering policy",
    },
    "gemini": {
        "context_length_exceeded": "The input token count exceeds the maximum number of tokens "
        "allowed",
    },
    "bedrock": {"context_length_exceeded": "Input is too long for requested model"},
    "cohere": {"context_length_exceeded": "too many tokens"},
}
"""By dialect, what its callers look for in the message; those of OpenAI's dialects look at the
code."""


def reason(told: ErrorFacts) -> Reason | None:
    """Which of the two it is; None for any other error."""
    if told.status not in _BLAMES_THE_REQUEST:
        return None
    if (found := _CODES.get(told.code) or _CODES.get(told.type)) is not None:
        return found
    return next((name for name, phrase in _PHRASES if phrase.search(told.message)), None)


def worded(told: ErrorFacts, dialect: str) -> ErrorFacts:
    """The error as callers of `dialect` recognise it: OpenAI's code, and the words that stand in
    the message there, before what the vendor said."""
    found = reason(told)
    if found is None:
        return told
    words = _WORDS.get(dialect.removesuffix("_count"), {}).get(found, "")
    plain = not words or words.lower() in told.message.lower()
    message = told.message if plain else f"{words}: {told.message}"
    return replace(told, code=found, message=message)
