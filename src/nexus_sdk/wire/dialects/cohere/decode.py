"""Chat requests → canonical."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed
from nexus_sdk.wire import shape
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialect import Facts, renamed
from nexus_sdk.wire.dialects.cohere import messages
from nexus_sdk.wire.dialects.cohere.words import (
    DEFAULT_SCHEMA_NAME,
    FIELDS,
    FREE,
    KNOWN,
    MESSAGE,
    RENAMES,
    TOOL_CHOICE,
)

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json

_TRANSLATED = frozenset(
    {"messages", "tools", "strict_tools", "tool_choice", "response_format", "thinking"}
)


def read(doc: Json) -> Facts:
    if not isinstance(doc, dict):
        raise Malformed("the body must be a JSON object")
    shape.refuse_lookalikes(doc, KNOWN, FREE)
    model = shape.need(doc, "model", shape.TEXT)
    for place, message in enumerate(shape.need(doc, "messages", shape.SOME_OBJECTS)):
        _check_message(message, f"messages.{place}.")
    shape.check(doc, FIELDS)
    stream = bool(doc.get("stream"))
    return Facts(
        model=model,
        stream=stream,
        max_output_tokens=doc.get("max_tokens"),
        tools=bool(doc.get("tools")),
        deterministic=doc.get("temperature") == 0 or doc.get("seed") is not None,
        wants_stream_usage=stream,
    )


def _check_message(message: Json, path: str) -> None:
    role = shape.need(message, "role", shape.TEXT, path)
    shape.check(message, MESSAGE, path)
    if role != "assistant":
        shape.need(message, "content", shape.CONTENT, path)
    if role == "tool":
        shape.need(message, "tool_call_id", shape.TEXT, path)
    shape.check_parts(message.get("content"), f"{path}content")
    for place, call in enumerate(message.get("tool_calls") or ()):
        here = f"{path}tool_calls.{place}."
        shape.need(call, "id", shape.TEXT, here)
        function = shape.need(call, "function", shape.OBJECT, here)
        shape.need(function, "name", shape.TEXT, f"{here}function.")
        shape.need(function, "arguments", shape.TEXT, f"{here}function.")


def request(doc: Json) -> Json:
    """What Cohere alone has stays under its own name (`wire/grounding.py`). Raises Unsupported for
    a content part of a type that is not known, Malformed for one without its members."""
    chat = renamed(without(doc, _TRANSLATED), RENAMES)
    chat["messages"] = [
        messages.message(message, f"messages.{place}")
        for place, message in enumerate(doc["messages"])
    ]
    return chat | _tools(doc) | _tool_choice(doc) | _format(doc) | _thinking(doc)


def _tools(doc: Json) -> Json:
    """OpenAI says of each function what Cohere says of all."""
    tools, strict = doc.get("tools"), doc.get("strict_tools")
    if tools is None:
        return {}
    if strict is None:
        return {"tools": tools}
    return {"tools": [tool | {"function": tool["function"] | {"strict": strict}} for tool in tools]}


def _tool_choice(doc: Json) -> Json:
    choice = doc.get("tool_choice")
    if choice is None:
        return {}
    if choice not in TOOL_CHOICE:
        raise Malformed("tool_choice must be REQUIRED or NONE", param="tool_choice")
    return {"tool_choice": TOOL_CHOICE[choice]}


def _format(doc: Json) -> Json:
    """A schema stands under `json_schema`, in the vendor's guides also under `schema`."""
    wanted = doc.get("response_format")
    if wanted is None:
        return {}
    schema = wanted.get("json_schema") or wanted.get("schema")
    if wanted.get("type") != "json_object" or not schema:
        return {"response_format": wanted}
    told = {"name": DEFAULT_SCHEMA_NAME, "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": told}}


def _thinking(doc: Json) -> Json:
    thinking = doc.get("thinking")
    return {} if thinking is None else {"thinking": renamed(thinking, BUDGET)}


BUDGET = {"token_budget": "budget_tokens"}
"""The canonical form has Anthropic's name."""
