"""Predictions → canonical requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from nexus_sdk.errors import Malformed, Unsupported
from nexus_sdk.wire import shape
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialect import Facts
from nexus_sdk.wire.dialects.replicate.words import (
    CEILINGS,
    FIELDS,
    IMAGES,
    INPUT,
    KNOWN,
    SYSTEMS,
)

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json

_TRANSLATED = frozenset({"prompt", "messages", "stop_sequences", *SYSTEMS, *CEILINGS, *IMAGES})


def read(doc: Json) -> Facts:
    """Raises Unsupported for a prediction that is to be streamed: its stream would be another
    exchange."""
    if not isinstance(doc, dict):
        raise Malformed("the body must be a JSON object")
    shape.refuse_lookalikes(doc, KNOWN, frozenset())
    shape.check(doc, FIELDS)
    given = shape.need(doc, "input", shape.OBJECT)
    shape.check(given, INPUT, "input.")
    if not given.get("messages"):
        shape.need(given, "prompt", shape.TEXT, "input.")
    if doc.get("stream"):
        raise Unsupported(
            "a prediction is answered whole here; leave stream out, or use another API to stream",
            param="stream",
        )
    return Facts(
        model=doc.get("version") or doc.get("model") or "",
        max_output_tokens=_ceiling(given),
        deterministic=given.get("temperature") == 0 or given.get("seed") is not None,
    )


def _ceiling(given: Json) -> int | None:
    return next((given[key] for key in CEILINGS if given.get(key) is not None), None)


def request(doc: Json) -> Json:
    """Raises Unsupported for webhooks: the answer comes here."""
    for key in ("webhook", "webhook_events_filter"):
        if doc.get(key):
            raise Unsupported("the answer comes with this call, and goes nowhere else", param=key)
    given = {key: value for key, value in doc["input"].items() if value is not None}
    chat = without(doc, {"version", "model", "input", "webhook", "webhook_events_filter"})
    chat |= without(given, _TRANSLATED)
    chat["model"] = doc.get("version") or doc.get("model") or ""
    chat["messages"] = _messages(given)
    if (ceiling := _ceiling(given)) is not None:
        chat["max_completion_tokens"] = ceiling
    if given.get("stop_sequences"):
        chat["stop"] = given["stop_sequences"].split(",")
    return chat


def _messages(given: Json) -> list[Json]:
    """A list of messages takes the place of the prompts, as it does at Replicate."""
    told = given.get("messages")
    if told:
        return _parsed(told) if isinstance(told, str) else told
    system = next((given[key] for key in SYSTEMS if given.get(key)), None)
    first = [] if system is None else [{"role": "system", "content": system}]
    images = [
        {"type": "image_url", "image_url": {"url": url}}
        for key in IMAGES
        for url in _urls(given, key)
    ]
    text = given.get("prompt", "")
    content = [*images, {"type": "text", "text": text}] if images else text
    return [*first, {"role": "user", "content": content}]


def _urls(given: Json, key: str) -> list[str]:
    told = given.get(key) or []
    return [told] if isinstance(told, str) else told


def _parsed(text: str) -> list[Json]:
    try:
        told = orjson.loads(text)
    except orjson.JSONDecodeError:
        told = None
    if not shape.SOME_OBJECTS.fits(told):
        raise Malformed("input.messages must be a list of messages", param="input.messages")
    return list(told)
