"""The words of predictions. What a model takes as its input is the model's own schema; the models
of an owner share one, and each row says whose page it is from."""

from __future__ import annotations

from dataclasses import dataclass

from nexus_sdk.wire import shape
from nexus_sdk.wire.texts import TextMap

NAME = "replicate"

IMAGES = ("image_input", "images", "image")
"""Members that hold images: URLs, data URLs included."""

TEXT = TextMap(
    skip=frozenset({
        "id", "model", "version", "status", "source", "role", "type", "created_at", "started_at",
        "completed_at", "urls", "metrics", "reasoning_effort", "verbosity", *IMAGES,
    }),
)  # fmt: skip

CEILINGS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens")
SYSTEMS = ("system_prompt", "system_instruction")


def _is_url(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("data:", "https://", "http://"))


_IMAGE = shape.Kind(
    lambda value: all(_is_url(item) for item in (value if isinstance(value, list) else [value])),
    "a URL or a list of URLs",
)
FIELDS: shape.Fields = {
    "version": shape.TEXT,
    "model": shape.TEXT,
    "input": shape.OBJECT,
    "stream": shape.FLAG,
    "webhook": shape.TEXT,
}
INPUT: shape.Fields = {
    "prompt": shape.TEXT,
    "messages": shape.Kind(
        lambda value: isinstance(value, str) or shape.OBJECTS.fits(value),
        "a list of messages, or one written as JSON",
    ),
    "temperature": shape.MEASURE,
    "top_p": shape.MEASURE,
    "stop_sequences": shape.TEXT,
    "seed": shape.WHOLE,
    **dict.fromkeys(SYSTEMS, shape.TEXT),
    **dict.fromkeys(CEILINGS, shape.COUNT),
    **dict.fromkeys(IMAGES, _IMAGE),
}
KNOWN = frozenset({*FIELDS, *INPUT, "role", "content", "top_k", "webhook_events_filter"})


@dataclass(frozen=True, slots=True)
class Words:
    """An owner's input schema. `takes`: canonical members that keep their name; `stop`: its member
    for stop sequences, empty when there is none; `images`: the same for images, a list where
    `many`; `messages`: takes a conversation as such."""

    takes: frozenset[str]
    system: str = "system_prompt"
    ceiling: str = "max_tokens"
    stop: str = ""
    images: str = ""
    many: bool = True
    messages: bool = False


OWNERS = {
    # https://replicate.com/openai/gpt-4o, https://replicate.com/openai/o4-mini
    "openai": Words(
        takes=frozenset({
            "temperature", "top_p", "presence_penalty", "frequency_penalty", "reasoning_effort",
            "verbosity",
        }),
        ceiling="max_completion_tokens",
        images="image_input",
        messages=True,
    ),
    # https://replicate.com/anthropic/claude-4-sonnet/api/schema
    "anthropic": Words(takes=frozenset(), images="image", many=False),
    # https://replicate.com/google/gemini-2.5-flash/api/schema
    "google": Words(
        takes=frozenset({"temperature", "top_p"}),
        system="system_instruction",
        ceiling="max_output_tokens",
        images="images",
    ),
}  # fmt: skip
OPEN_MODELS = Words(
    takes=frozenset({"temperature", "top_p", "top_k", "presence_penalty", "frequency_penalty"}),
    stop="stop_sequences",
)
"""https://replicate.com/meta/meta-llama-3.1-405b-instruct/api/schema, and the open models that copy
it. Stop sequences are one string with commas."""


def words(model: str) -> Words:
    """The schema of `owner/name`, `owner/name:version`, or of a bare version."""
    return OWNERS.get(model.partition("/")[0], OPEN_MODELS)
