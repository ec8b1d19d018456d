"""Canonical → Converse requests, without model and stream, which stand in the path."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nexus_sdk.errors import Unsupported
from nexus_sdk.wire import foreign
from nexus_sdk.wire.canonical import modern, tool_calls, tool_kind, without
from nexus_sdk.wire.dialects.bedrock import families, turns
from nexus_sdk.wire.dialects.bedrock.names import TOOL_NAME
from nexus_sdk.wire.dialects.bedrock.parts import Parts
from nexus_sdk.wire.dialects.bedrock.words import (
    DEFAULT_SCHEMA_NAME,
    FIELDS,
    NAME,
    SYSTEM_TOOL,
    TIERS,
)
from nexus_sdk.wire.json import dumps

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

_FIELDS = "additionalModelRequestFields"

_FEATURES = {
    "n": "one answer at a time",
    "seed": "sampling cannot be seeded",
    "logprobs": "probabilities of tokens are not told",
    "top_logprobs": "probabilities of tokens are not told",
    "logit_bias": "single tokens cannot be weighed",
    "presence_penalty": "there are no penalties",
    "frequency_penalty": "there are no penalties",
    "audio": "there is no audio in the answer",
    "web_search_options": "there is no web search for every model",
    "store": "answers are not stored",
    "moderation": "give a guardrailConfig instead",
    "container": "code containers are Anthropic's",
    "mcp_servers": "remote MCP servers cannot be given",
    "inference_geo": "the region is that of the endpoint",
}
"""Canonical members without which the answer is not what was asked for."""
_NEUTRAL: dict[str, Json] = {
    "n": 1,
    "logprobs": False,
    "store": False,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "top_logprobs": 0,
    "logit_bias": {},
}
"""Values that ask for nothing."""
_HINTS = {
    "verbosity": "there is no such setting",
    "prediction": "there are no predicted outputs",
    "prompt_cache_key": "caching is by cache points",
    "prompt_cache_retention": "caching is by cache points",
    "prompt_cache_options": "caching is by cache points",
    "cache_control": "caching is by cache points, where the markers stand",
    "user": "there is no such label",
    "safety_identifier": "there is no such label",
    "include": "there are no such additions",
    "max_tool_calls": "it limits built-in tools of OpenAI",
    "context_management": "the context is not edited",
    "output_config": "there are no such output settings",
    "speed": "there is no such speed",
    "diagnostics": "there are no such diagnostics",
}
_DONE_ELSEWHERE = frozenset({
    "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "tools",
    "tool_choice", "parallel_tool_calls", "metadata", "response_format", "reasoning_effort",
    "reasoning", "thinking", "service_tier", "stream_options", "modalities", "model", "stream",
})  # fmt: skip
_METADATA = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}")
"""Source: botocore 1.44, bedrock-runtime, `RequestMetadata`."""
_MAX_METADATA = 16


def request(chat: Json, report: Report) -> Json:
    """What is neither canonical nor Converse's own goes to the model, in
    `additionalModelRequestFields`."""
    chat, own = foreign.settled(modern(chat), NAME, report)
    given = {key: value for key, value in chat.items() if value is not None}
    for tell, table in ((report.dropped, _FEATURES), (report.omitted, _HINTS)):
        for key, reason in table.items():
            value = given.pop(key, None)
            if value is not None and value != _NEUTRAL.get(key, ()):
                tell(key, reason)
    system, messages = turns.conversation(chat["messages"], report)
    rest = without(given, _DONE_ELSEWHERE)
    body = {key: value for key, value in rest.items() if key in FIELDS}
    fields = {key: value for key, value in rest.items() if key not in FIELDS}
    for key in sorted(fields):
        report.coerced(f"{key}->additionalModelRequestFields.{key}")
    for translate in _MEMBERS:
        told = translate(given, report)
        fields |= told.pop(_FIELDS, {})
        body |= told
    output, more = _reasoning(given, report)
    output |= _format(given, report)
    if output:
        body["outputConfig"] = (body.get("outputConfig") or {}) | output
    body |= {"system": system} if system else {}
    body |= {"messages": messages} if messages else {}
    if fields := fields | more | (body.get(_FIELDS) or {}):
        body[_FIELDS] = fields
    return _with_options(body, own)


def _with_options(body: Json, own: Json) -> Json:
    """The options that came from Bedrock itself, back in their places."""
    if _FIELDS in own and _FIELDS in body:
        own = own | {_FIELDS: body[_FIELDS] | own[_FIELDS]}
    return body | own


def _inference(chat: Json, report: Report) -> Json:
    out: Json = {}
    for key in ("max_completion_tokens", "max_tokens"):
        if key in chat:
            out.setdefault("maxTokens", chat[key])
    if "temperature" in chat:
        out["temperature"] = min(chat["temperature"], 1)
        if chat["temperature"] > 1:
            report.coerced(f"temperature: {chat['temperature']}->1 (the most there is)")
    if "top_p" in chat:
        out["topP"] = chat["top_p"]
    if stop := chat.get("stop"):
        out["stopSequences"] = [stop] if isinstance(stop, str) else stop
    return {"inferenceConfig": out} if out else {}


def _tools(chat: Json, report: Report) -> Json:
    """Tools, and how they are chosen. Where the conversation holds calls, Converse wants tools; so
    the tools that were called stand in for those that are not given any more."""
    tools = _specs(chat.get("tools") or [], report)
    called = list(
        dict.fromkeys(
            (call.get("function") or call.get("custom") or {}).get("name") or ""
            for message in chat["messages"]
            for call in tool_calls(message)
        )
    )
    choice = chat.get("tool_choice")
    if choice == "none" and tools:
        if not called:
            report.coerced("tool_choice: none->(without tools)")
            return {}
        report.dropped("tool_choice", "tools cannot be forbidden where some have been called")
        choice = None
    if not tools and called:
        report.coerced("tools: absent->those that the conversation calls")
        schema = {"json": {"type": "object"}}
        tools = [{"toolSpec": {"name": name, "inputSchema": schema}} for name in called]
        choice = None
    if not tools:
        return {}
    told = _choice(choice, report)
    out: Json = {"toolConfig": {"tools": tools} | ({"toolChoice": told} if told else {})}
    if chat.get("parallel_tool_calls") is False:
        out |= _one_call(chat, told, report)
        if _FIELDS in out:
            out["toolConfig"] = {"tools": tools}
    return out


def _one_call(chat: Json, choice: Json | None, report: Report) -> Json:
    """Claude takes Anthropic's own `tool_choice` beside the tools, where Converse's is not given.

    Source: a trial against the API in https://github.com/BerriAI/litellm/pull/34347.
    """
    if not families.of(chat.get("model") or "").thinking or choice not in (None, {"auto": {}}):
        report.dropped("parallel_tool_calls", "parallel calls cannot be forbidden")
        return {}
    report.coerced("parallel_tool_calls->additionalModelRequestFields.tool_choice")
    told = {"type": "auto", "disable_parallel_tool_use": True}
    return {_FIELDS: {"tool_choice": told}}


def _specs(tools: list[Json], report: Report) -> list[Json]:
    out: list[Json] = []
    parts = Parts(report)
    for place, tool in enumerate(tools):
        path = f"tools.{place}"
        if spec := _spec(tool, path, report):
            out += [spec, *parts.point(tool, path)]
    return out


def _spec(tool: Json, path: str, report: Report) -> Json | None:
    kind = tool_kind(tool)
    if kind == SYSTEM_TOOL:
        return {"systemTool": without(tool, {"type", "cache_control"})}
    if kind != "function":
        report.dropped(path, f"there is no tool of type {kind!r}")
        return None
    function = tool["function"]
    if not TOOL_NAME.fullmatch(function["name"]):
        why = "a tool's name has up to 64 letters, digits, _ and -"
        raise Unsupported(why, param=f"{path}.function.name")
    for key in sorted(tool.keys() - {"type", "function", "cache_control"}):
        report.omitted(f"{path}.{key}", "a tool has no such member")
    schema = function.get("parameters")
    spec: Json = {"name": function["name"]}
    if function.get("description"):
        spec["description"] = function["description"]
    spec["inputSchema"] = {
        "json": {"type": "object", "properties": {}} if schema is None else schema
    }
    if function.get("strict") is not None:
        spec["strict"] = function["strict"]
    return {"toolSpec": spec}


def _choice(choice: Json, report: Report) -> Json | None:
    if choice == "required":
        return {"any": {}}
    if choice == "auto":
        return {"auto": {}}
    if isinstance(choice, dict) and choice.get("type") == "function":
        return {"tool": {"name": choice["function"]["name"]}}
    if choice is not None:
        kind = choice.get("type") if isinstance(choice, dict) else choice
        report.dropped("tool_choice", f"there is no choice of type {str(kind)[:32]!r}")
    return None


def _metadata(chat: Json, report: Report) -> Json:
    """Pairs of short strings, which label the request in the logs."""
    told = chat.get("metadata")
    if not told:
        return {}
    pairs = [text for pair in told.items() for text in pair]
    fits = all(isinstance(text, str) and (not text or _METADATA.fullmatch(text)) for text in pairs)
    if fits and len(told) <= _MAX_METADATA:
        return {"requestMetadata": told}
    report.omitted("metadata", "there are up to 16 pairs of up to 256 plain characters")
    return {}


def _tier(chat: Json, report: Report) -> Json:
    tier = chat.get("service_tier")
    if tier in TIERS:
        return {"serviceTier": {"type": tier}}
    if tier not in {None, "auto"}:
        report.omitted("service_tier", "there is no such tier")
    return {}


def _modalities(chat: Json, report: Report) -> Json:
    if any(kind != "text" for kind in chat.get("modalities") or ()):
        report.dropped("modalities", "there is text only")
    return {}


def _reasoning(chat: Json, report: Report) -> tuple[Json, Json]:
    """What `outputConfig` and the model's own fields say of reasoning."""
    family = families.of(chat.get("model") or "")
    told = chat.get("reasoning")
    told = told if isinstance(told, dict) else {}
    if told.keys() - {"effort"}:
        report.omitted("reasoning", "only its effort is taken")
    output: Json = {}
    fields: Json = {}
    if word := chat.get("reasoning_effort") or told.get("effort"):
        output, fields = families.effort(word, family, report)
    if thinking := chat.get("thinking"):
        fields = families.thinking(thinking, family, report) | fields
    return output, fields


def _format(chat: Json, report: Report) -> Json:
    """A JSON schema goes as a string; there is no JSON mode without one."""
    wanted = chat.get("response_format") or {}
    kind = wanted.get("type", "text")
    if kind == "text":
        return {}
    if kind != "json_schema":
        report.dropped("response_format", "there is no JSON mode; give a json_schema")
        return {}
    told = wanted["json_schema"]
    if told.get("strict") is not True:
        report.coerced("response_format: strict->true (there is no other)")
    definition = {"schema": dumps(told.get("schema") or {}).decode()}
    if told.get("name", DEFAULT_SCHEMA_NAME) != DEFAULT_SCHEMA_NAME:
        definition["name"] = told["name"]
    if told.get("description"):
        definition["description"] = told["description"]
    structure = {"jsonSchema": definition}
    return {"textFormat": {"type": "json_schema", "structure": structure}}


_MEMBERS: tuple[Callable[[Json, Report], Json], ...] = (
    _inference, _tools, _metadata, _tier, _modalities,
)  # fmt: skip
