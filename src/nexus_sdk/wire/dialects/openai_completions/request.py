"""Completion requests → canonical: a prompt is what a user says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from nexus_sdk.errors import Malformed, Unsupported
from nexus_sdk.wire import shape
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialect import Facts
from nexus_sdk.wire.dialects.openai_completions.words import (
    DEFAULT_MAX_TOKENS,
    FIELDS,
    FREE,
    KNOWN,
    NEUTRAL,
    ONLY_HERE,
)

if TYPE_CHECKING:
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json


def read(doc: Json) -> Facts:
    if not isinstance(doc, dict):
        raise Malformed("the body must be a JSON object")
    shape.refuse_lookalikes(doc, KNOWN, FREE)
    model = shape.need(doc, "model", shape.TEXT)
    prompt = doc.get("prompt")
    if prompt is not None and not _is_prompt(prompt):
        raise Malformed(
            "prompt must be a string, or a list of strings, of tokens or of lists of tokens",
            param="prompt",
        )
    shape.check(doc, FIELDS)
    stream = bool(doc.get("stream"))
    ceiling = doc.get("max_tokens")
    return Facts(
        model=model,
        stream=stream,
        max_output_tokens=DEFAULT_MAX_TOKENS if ceiling is None else ceiling,
        n=max(doc.get("n") or 1, doc.get("best_of") or 1) * _prompts(prompt),
        deterministic=doc.get("temperature") == 0 or doc.get("seed") is not None,
        wants_stream_usage=stream and bool((doc.get("stream_options") or {}).get("include_usage")),
        user=doc.get("user") or "",
    )


def _is_prompt(value: Json) -> bool:
    if not isinstance(value, list):
        return isinstance(value, str)
    return len(value) > 0 and all(
        isinstance(item, (str, list)) or shape.WHOLE.fits(item) for item in value
    )


def _prompts(prompt: Json) -> int:
    """How many answers are asked for at once: one list of tokens is one prompt."""
    several = isinstance(prompt, list) and not shape.WHOLE.fits(prompt[0])
    return len(prompt) if several else 1


def decode(doc: Json) -> Json:
    """Raises Unsupported, with `param`, for what a conversation cannot ask."""
    for key, reason in ONLY_HERE.items():
        value = doc.get(key)
        if value is not None and value not in NEUTRAL[key] and not _asks_nothing(doc, key):
            raise Unsupported(f"{key}: {reason}", param=key)
    chat = without(doc, {"prompt", "logprobs", "max_tokens", *ONLY_HERE})
    chat["messages"] = [{"role": "user", "content": _text(doc.get("prompt"))}]
    ceiling = doc.get("max_tokens")
    chat["max_tokens"] = DEFAULT_MAX_TOKENS if ceiling is None else ceiling
    if doc.get("logprobs") is not None:
        chat |= {"logprobs": True, "top_logprobs": doc["logprobs"]}
    return chat


def _asks_nothing(doc: Json, key: str) -> bool:
    return key == "best_of" and doc[key] == doc.get("n")


def _text(prompt: Json) -> str:
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str):
        return str(prompt[0])
    if isinstance(prompt, str) and prompt:
        return prompt
    raise Unsupported(f"prompt: {_why(prompt)}", param="prompt")


def _why(prompt: Json) -> str:
    if not prompt:
        return "a chat model needs a prompt of some text"
    if isinstance(prompt[0], str):
        return "a conversation answers one prompt at a time"
    return "tokens mean nothing to another model; send text"


def encode(chat: Json, report: Report) -> NoReturn:  # noqa: ARG001
    """A conversation has roles, which only the model's own template could write into one prompt."""
    raise Unsupported(
        "the target has text completions only, which take a prompt and no conversation; route this "
        "model to a provider with a chat endpoint",
        param="messages",
    )


def strip_foreign(doc: Json, report: Report) -> Json:  # noqa: ARG001  a prompt carries no blocks
    return doc
