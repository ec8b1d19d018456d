"""Messages requests → canonical."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed
from nexus_sdk.wire import shape
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialect import Facts, renamed
from nexus_sdk.wire.dialects.anthropic import blocks
from nexus_sdk.wire.dialects.anthropic.words import (
    DEFAULT_SCHEMA_NAME,
    FIELDS,
    FREE,
    KNOWN,
    RENAMES,
    TIERS,
    TOOL_CHOICE,
)

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json


def read(doc: Json) -> Facts:
    if not isinstance(doc, dict):
        raise Malformed("the body must be a JSON object")
    shape.refuse_lookalikes(doc, KNOWN, FREE)
    model = shape.need(doc, "model", shape.TEXT)
    ceiling = shape.need(doc, "max_tokens", shape.COUNT)
    for place, message in enumerate(shape.need(doc, "messages", shape.SOME_OBJECTS)):
        path = f"messages.{place}."
        shape.need(message, "role", shape.TEXT, path)
        shape.check_parts(shape.need(message, "content", shape.CONTENT, path), f"{path}content")
    shape.check(doc, FIELDS)
    shape.check_parts(doc.get("system"), "system")
    user = (doc.get("metadata") or {}).get("user_id")
    return Facts(
        model=model,
        stream=bool(doc.get("stream")),
        max_output_tokens=ceiling,
        tools=bool(doc.get("tools")),
        deterministic=doc.get("temperature") == 0,
        wants_stream_usage=bool(doc.get("stream")),
        user=user if isinstance(user, str) else "",
    )


def request(doc: Json) -> Json:
    """Raises Unsupported for a content block of a type that is not known, Malformed for one without
    its members."""
    chat = renamed(without(doc, _TRANSLATED), RENAMES)
    messages = [{"role": "system", "content": doc["system"]}] if doc.get("system") else []
    for place, message in enumerate(doc["messages"]):
        messages += blocks.messages(message, f"messages.{place}")
    chat["messages"] = messages
    if doc.get("tools") is not None:
        chat["tools"] = [_tool(tool) for tool in doc["tools"]]
    return chat | _tool_choice(doc) | _metadata(doc) | _output(doc) | _tier(doc)


_TRANSLATED = frozenset({
    "system", "messages", "tools", "tool_choice", "metadata", "output_config", "output_format",
    "service_tier",
})  # fmt: skip


def _tool(tool: Json) -> Json:
    """A tool of the caller's own as OpenAI's function; a server tool as it is."""
    if tool.get("type") not in {None, "custom"}:
        return tool
    names = {
        "name": "name",
        "description": "description",
        "input_schema": "parameters",
        "strict": "strict",
    }
    function = {names[key]: value for key, value in tool.items() if key in names}
    return {"type": "function", "function": function} | without(tool, {*names, "type"})


def _tool_choice(doc: Json) -> Json:
    choice = doc.get("tool_choice")
    if not choice:
        return {}
    out: Json = {}
    kind = choice.get("type")
    if kind == "tool":
        out["tool_choice"] = {"type": "function", "function": {"name": choice.get("name")}}
    elif kind in TOOL_CHOICE:
        out["tool_choice"] = TOOL_CHOICE[kind]
    else:
        raise Malformed(f"tool_choice has no type {kind!r}", param="tool_choice.type")
    if choice.get("disable_parallel_tool_use") is not None:
        out["parallel_tool_calls"] = not choice["disable_parallel_tool_use"]
    return out


def _metadata(doc: Json) -> Json:
    metadata = doc.get("metadata")
    if not metadata:
        return {}
    rest = without(metadata, {"user_id"})
    out = {"metadata": rest} if rest else {}
    return out | ({"user": metadata["user_id"]} if metadata.get("user_id") is not None else {})


def _output(doc: Json) -> Json:
    """`output_config` and its former name `output_format`."""
    config = dict(doc.get("output_config") or {})
    wanted = config.pop("format", None) or doc.get("output_format")
    effort = config.pop("effort", None)
    out: Json = {"output_config": config} if config else {}
    if effort is not None:
        out["reasoning_effort"] = effort
    if wanted:
        schema = {"name": DEFAULT_SCHEMA_NAME, "strict": True} | without(wanted, {"type"})
        out["response_format"] = {"type": "json_schema", "json_schema": schema}
    return out


def _tier(doc: Json) -> Json:
    tier = doc.get("service_tier")
    return {} if tier is None else {"service_tier": TIERS.get(tier, tier)}
