"""Converse requests → canonical. Model and stream stand in the path, and are the pipeline's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from nexus_sdk.errors import Malformed, Unsupported
from nexus_sdk.wire import shape
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialect import Facts
from nexus_sdk.wire.dialects.bedrock import answer_blocks, blocks
from nexus_sdk.wire.dialects.bedrock.words import (
    BLOCK,
    DEFAULT_SCHEMA_NAME,
    FIELDS,
    FREE,
    INFERENCE,
    INFERENCE_NAMES,
    KNOWN,
    NAME,
    SYSTEM_TOOL,
    TIERS,
)
from nexus_sdk.wire.natives import OPTIONS

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json

_TURN_ROLES = frozenset({"user", "assistant", "system"})
_ANSWER_NEEDS = ("guardrailConfig", "promptVariables")
"""Members without which the answer is not what was asked for."""
_HINTS = ("additionalModelResponseFieldPaths", "performanceConfig", "projectIdentifier")
_TRANSLATED = frozenset({
    "messages", "system", "inferenceConfig", "toolConfig", "outputConfig", "serviceTier",
    "requestMetadata", "additionalModelRequestFields", *_ANSWER_NEEDS, *_HINTS,
})  # fmt: skip


def read(doc: Json) -> Facts:
    """The facts that stand in the body. Messages may be absent: a stored prompt has its own."""
    if not isinstance(doc, dict):
        raise Malformed("the body must be a JSON object")
    shape.refuse_lookalikes(doc, KNOWN, FREE)
    shape.check(doc, FIELDS)
    for place, message in enumerate(doc.get("messages") or ()):
        path = f"messages.{place}."
        shape.need(message, "role", shape.TEXT, path)
        _check(shape.need(message, "content", shape.OBJECTS, path), f"{path}content")
    _check(doc.get("system") or [], "system")
    inference = doc.get("inferenceConfig") or {}
    shape.check(inference, INFERENCE, "inferenceConfig.")
    tools = doc.get("toolConfig") or {}
    shape.check(tools, {"tools": shape.OBJECTS, "toolChoice": shape.OBJECT}, "toolConfig.")
    return Facts(
        model="",
        max_output_tokens=inference.get("maxTokens"),
        tools=bool(tools.get("tools")),
        deterministic=inference.get("temperature") == 0,
        wants_stream_usage=True,
    )


def _check(content: list[Json], path: str) -> None:
    for place, block in enumerate(content):
        here = f"{path}.{place}."
        shape.check(block, BLOCK, here)
        if call := block.get("toolUse"):
            shape.need(call, "toolUseId", shape.TEXT, f"{here}toolUse.")
            shape.need(call, "name", shape.TEXT, f"{here}toolUse.")
        if result := block.get("toolResult"):
            shape.need(result, "toolUseId", shape.TEXT, f"{here}toolResult.")
            shape.need(result, "content", shape.OBJECTS, f"{here}toolResult.")


def request(doc: Json) -> Json:
    """Raises Unsupported for a content block of a kind that is not known, Malformed for one without
    its members."""
    chat = without(doc, _TRANSLATED)
    messages = blocks.system(doc.get("system") or [])
    for place, message in enumerate(doc.get("messages") or ()):
        messages += _messages(message, f"messages.{place}")
    chat["messages"] = messages
    for key, value in (doc.get("inferenceConfig") or {}).items():
        chat[INFERENCE_NAMES.get(key, key)] = value
    chat |= _tools(doc.get("toolConfig") or {}) | _output(doc.get("outputConfig") or {})
    if doc.get("requestMetadata"):
        chat["metadata"] = doc["requestMetadata"]
    options = [
        {"origin": NAME, "name": key, "value": doc[key]} for key in _ANSWER_NEEDS if doc.get(key)
    ]
    options += [
        {"origin": NAME, "name": key, "value": doc[key], "hint": True}
        for key in _HINTS
        if doc.get(key)
    ]
    for lift in (_tier, _model_fields):
        members, option = lift(doc)
        chat |= members
        options += option
    return chat | ({OPTIONS: options} if options else {})


def _messages(message: Json, path: str) -> list[Json]:
    if message["role"] not in _TURN_ROLES:
        raise Malformed(f"{path}.role must be user, assistant or system", param=f"{path}.role")
    if message["role"] != "assistant":
        return blocks.user(message, path)
    rest = without(message, {"content"})
    return [rest | answer_blocks.message(message["content"], f"{path}.content")]


def _tools(config: Json) -> Json:
    out: Json = {}
    if config.get("tools"):
        if "cachePoint" in config["tools"][0]:
            param = "toolConfig.tools.0"
            raise Malformed("a cachePoint must follow a tool", param=param)
        out["tools"] = blocks.marked(config["tools"], "toolConfig.tools", _tool)
    choice = config.get("toolChoice")
    if choice:
        out["tool_choice"] = _choice(choice)
    return out


def _tool(tool: Json, path: str) -> Json:
    if "systemTool" in tool:
        return {"type": SYSTEM_TOOL} | tool["systemTool"]
    if "toolSpec" not in tool:
        raise Unsupported("tools of this kind are not known", param=path)
    spec = tool["toolSpec"]
    shape.need(spec, "name", shape.TEXT, f"{path}.toolSpec.")
    function = without(spec, {"inputSchema"})
    schema = (spec.get("inputSchema") or {}).get("json")
    if schema is not None:
        function["parameters"] = schema
    return {"type": "function", "function": function}


def _choice(choice: Json) -> Json:
    if "auto" in choice:
        return "auto"
    if "any" in choice:
        return "required"
    if "tool" not in choice:
        raise Malformed(
            "toolConfig.toolChoice must be auto, any or tool", param="toolConfig.toolChoice"
        )
    name = shape.need(choice["tool"], "name", shape.TEXT, "toolConfig.toolChoice.tool.")
    return {"type": "function", "function": {"name": name}}


def _output(config: Json) -> Json:
    """`outputConfig`: the effort, and a JSON schema, which is a string here."""
    rest = without(config, {"effort", "textFormat"})
    out: Json = {"outputConfig": rest} if rest else {}
    if config.get("effort"):
        out["reasoning_effort"] = config["effort"]
    told = ((config.get("textFormat") or {}).get("structure") or {}).get("jsonSchema")
    if told:
        param = "outputConfig.textFormat.structure.jsonSchema.schema"
        try:
            schema = orjson.loads(told.get("schema") or "")
        except (orjson.JSONDecodeError, TypeError):
            raise Malformed(f"{param} must be JSON in a string", param=param) from None
        named = {"name": DEFAULT_SCHEMA_NAME, "strict": True} | told | {"schema": schema}
        out["response_format"] = {"type": "json_schema", "json_schema": named}
    return out


def _tier(doc: Json) -> tuple[Json, list[Json]]:
    told = (doc.get("serviceTier") or {}).get("type")
    if told in TIERS:
        return {"service_tier": told}, []
    value = doc.get("serviceTier")
    option = {"origin": NAME, "name": "serviceTier", "value": value, "hint": True}
    return {}, [option] if value else []


def _model_fields(doc: Json) -> tuple[Json, list[Json]]:
    """What goes to the model as it is. Bedrock gets it back whole; what other vendors have too is
    told in their words beside it."""
    fields = doc.get("additionalModelRequestFields")
    if not fields:
        return {}, []
    lifted = {name: found for key, value in fields.items() for name, found in _lift(key, value)}
    if (doc.get("outputConfig") or {}).get("effort"):
        lifted.pop("reasoning_effort", None)
    taken = {key for key, value in fields.items() if _lift(key, value)}
    option = {
        "origin": NAME,
        "name": "additionalModelRequestFields",
        "value": fields,
        "covers": sorted(lifted),
        "lost": [f"additionalModelRequestFields.{key}" for key in fields if key not in taken],
    }
    return lifted, [option]


def _lift(key: str, value: Json) -> list[tuple[str, Json]]:
    """Canonical members for one of the model's own fields: of Claude, of gpt-oss, of Qwen and
    DeepSeek, and of Nova."""
    if key == "top_k" or (key == "thinking" and isinstance(value, dict)):
        return [(key, value)]
    if key == "reasoning_config" and isinstance(value, dict):
        return [("thinking", value)]
    if key == "tool_choice" and value == {"type": "auto", "disable_parallel_tool_use": True}:
        return [("parallel_tool_calls", False)]
    effort = value
    if key == "output_config" and isinstance(value, dict) and value.keys() == {"effort"}:
        effort = value["effort"]
    elif key == "reasoningConfig" and isinstance(value, dict):
        effort = value.get("maxReasoningEffort")
    elif key not in {"reasoning_effort", "reasoning_config"}:
        return []
    return [("reasoning_effort", effort)] if isinstance(effort, str) else []
