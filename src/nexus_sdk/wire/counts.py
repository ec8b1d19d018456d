"""Token counts as the vendors tell them, read into `Usage` and carried between dialects.

The OpenAI family counts cached tokens into the input; Anthropic counts them beside it. Names differ
by vendor and by API; each alias stands in the table with its source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.model import Usage

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json, Path

type Names = tuple[Path, ...]

INPUT: Names = (("prompt_tokens",), ("input_tokens",))
OUTPUT: Names = (("completion_tokens",), ("output_tokens",))
CACHE_READ: Names = (
    ("prompt_tokens_details", "cached_tokens"),
    ("input_tokens_details", "cached_tokens"),
    ("cached_tokens",),  # Moonshot's Kimi
    ("prompt_cache_hit_tokens",),  # DeepSeek
    ("prompt_cache_tokens",),  # Moonshot, earlier
    ("cache_read_input_tokens",),  # Anthropic's name, in its OpenAI-shaped hosts
)
CACHE_WRITE: Names = (
    ("prompt_tokens_details", "cache_write_tokens"),
    ("input_tokens_details", "cache_write_tokens"),
    ("prompt_tokens_details", "cache_creation_tokens"),
    ("cache_creation_input_tokens",),
)
REASONING: Names = (
    ("completion_tokens_details", "reasoning_tokens"),
    ("output_tokens_details", "reasoning_tokens"),
    ("output_tokens_details", "thinking_tokens"),
    ("reasoning_tokens",),  # Perplexity
)
AUDIO_INPUT: Names = (
    ("prompt_tokens_details", "audio_tokens"),
    ("input_tokens_details", "audio_tokens"),
)
AUDIO_OUTPUT: Names = (
    ("completion_tokens_details", "audio_tokens"),
    ("output_tokens_details", "audio_tokens"),
)


def first(told: Json, names: Names) -> int:
    """The first of these counts that is told and not 0, else 0."""
    for name in names:
        value = told
        for step in name:
            value = value.get(step) if isinstance(value, dict) else None
        if found := count(value):
            return found
    return 0


def count(value: Json) -> int:
    """A told count as a whole number; 0 for what cannot be one."""
    return max(int(value), 0) if value and isinstance(value, (int, float)) else 0


def read(told: Json) -> Usage | None:
    """The counts of the OpenAI family, chat and Responses names alike; None when `told` holds
    none."""
    if not isinstance(told, dict) or not (
        told.keys() & {"prompt_tokens", "input_tokens", "total_tokens"}
    ):
        return None
    if told.keys() <= _OPENAI_CHAT:
        return _openai_chat(told)
    return Usage(
        input=first(told, INPUT),
        output=first(told, OUTPUT),
        cache_read=first(told, CACHE_READ),
        cache_write=first(told, CACHE_WRITE),
        reasoning=first(told, REASONING),
        audio_input=first(told, AUDIO_INPUT),
        audio_output=first(told, AUDIO_OUTPUT),
    )


_OPENAI_CHAT = frozenset(
    {
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
    }
)


def _openai_chat(told: Json) -> Usage:
    """OpenAI's own names alone, as most answers have them: no other alias to look for."""
    prompt, completion = told.get("prompt_tokens_details"), told.get("completion_tokens_details")
    prompt = prompt if isinstance(prompt, dict) else {}
    completion = completion if isinstance(completion, dict) else {}
    return Usage(
        input=count(told.get("prompt_tokens")),
        output=count(told.get("completion_tokens")),
        cache_read=count(prompt.get("cached_tokens")),
        cache_write=count(prompt.get("cache_write_tokens"))
        or count(prompt.get("cache_creation_tokens")),
        reasoning=count(completion.get("reasoning_tokens")),
        audio_input=count(prompt.get("audio_tokens")),
        audio_output=count(completion.get("audio_tokens")),
    )


def canonical(usage: Usage) -> Json:
    """The `usage` member of a canonical answer. Details that are 0 stay out, but for the two that
    clients read."""
    prompt = {"cached_tokens": usage.cache_read}
    if usage.cache_write:
        prompt["cache_write_tokens"] = usage.cache_write
    if usage.audio_input:
        prompt["audio_tokens"] = usage.audio_input
    completion = {"reasoning_tokens": usage.reasoning}
    if usage.audio_output:
        completion["audio_tokens"] = usage.audio_output
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": prompt,
        "completion_tokens_details": completion,
    }


CANONICAL_NAMES = frozenset(canonical(Usage()))


def extras(told: Json, known: frozenset[str]) -> Json:
    """What a vendor counts beside the tokens (server tools, tiers, cost): it travels under its own
    names."""
    return {key: value for key, value in told.items() if key not in known}
