"""Canonical → generateContent requests. The model and whether to stream go into the path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire import foreign
from nexus_sdk.wire.canonical import modern, tool_kind, without
from nexus_sdk.wire.dialect import inverted
from nexus_sdk.wire.dialects.gemini import options, schema, turns
from nexus_sdk.wire.dialects.gemini.rejoin import rejoined
from nexus_sdk.wire.dialects.gemini.words import BUILT_IN, DECLARATION, FORMAT, MODES, TIERS

if TYPE_CHECKING:
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

_MODES = inverted(MODES)
_TIERS = inverted(TIERS)

_FEATURES = {
    "logit_bias": "single tokens cannot be weighed",
    "audio": "voices have other names here; give generationConfig.speechConfig",
    "store": "answers are not stored",
    "moderation": "there is no such moderation",
    "container": "code containers are Anthropic's",
    "mcp_servers": "remote MCP servers cannot be given",
    "inference_geo": "the place of inference is the address of the endpoint",
}
"""Canonical members without which the answer is not what was asked for."""
_NEUTRAL: dict[str, Json] = {"store": False, "logit_bias": {}}
"""Values that ask for nothing."""
_HINTS = {
    "verbosity": "there is no such setting",
    "prediction": "there are no predicted outputs",
    "prompt_cache_key": "caching is automatic, or by cachedContent",
    "prompt_cache_retention": "caching is automatic, or by cachedContent",
    "prompt_cache_options": "caching is automatic, or by cachedContent",
    "cache_control": "caching is automatic, or by cachedContent",
    "metadata": "requests have no such labels",
    "user": "requests do not name their user",
    "safety_identifier": "requests do not name their user",
    "include": "there are no such additions",
    "max_tool_calls": "it limits built-in tools of OpenAI",
    "context_management": "the context is not edited",
    "output_config": "there are no such output settings",
    "speed": "there is no such speed",
    "diagnostics": "there are no such diagnostics",
}
_DONE_ELSEWHERE = frozenset({
    *options.USED, "model", "stream", "stream_options", "messages", "tools", "tool_choice",
    "parallel_tool_calls", "toolConfig", "service_tier", "web_search_options",
})  # fmt: skip


def request(chat: Json, report: Report) -> Json:
    chat, own = foreign.settled(modern(chat), "gemini", report)
    given = {key: value for key, value in chat.items() if value is not None}
    for tell, table in ((report.dropped, _FEATURES), (report.omitted, _HINTS)):
        for key, reason in table.items():
            value = given.pop(key, None)
            if value is not None and value != _NEUTRAL.get(key, ()):
                tell(key, reason)
    system, contents = _conversation(given, report)
    body = {"contents": contents} | ({"systemInstruction": {"parts": system}} if system else {})
    tools = _tools(given, report)
    callable_ = any("functionDeclarations" in tool for tool in tools.get("tools") or ())
    body |= tools | _choice(given, report, callable_=callable_) | _tier(given, report)
    config = options.config(given, report, own.get(FORMAT) or {})
    return body | config | without(given, _DONE_ELSEWHERE)


def _conversation(chat: Json, report: Report) -> tuple[list[Json], list[Json]]:
    """The texts of the leading system messages, and the turns."""
    messages, count = rejoined(chat["messages"]), 0
    while count < len(messages) and messages[count]["role"] in {"system", "developer"}:
        count += 1
    system = [part for place in range(count) for part in _system(messages[place], place, report)]
    conversation = turns.Conversation(str(chat.get("model") or ""), report)
    for place, message in enumerate(messages[count:], start=count):
        conversation.add(message, f"messages.{place}")
    conversation.flush()
    return system, conversation.contents


def _system(message: Json, place: int, report: Report) -> list[Json]:
    content = message.get("content") or ""
    parts = [message] if isinstance(content, str) else content
    if any("cache_control" in part for part in (message, *parts)):
        report.omitted(f"messages.{place}.cache_control", "there are no cache markers")
    texts = [content] if isinstance(content, str) else [part.get("text") for part in content]
    return [{"text": text} for text in texts if text]


def _tools(chat: Json, report: Report) -> Json:
    """The functions that follow each other are one tool."""
    out: list[Json] = []
    for place, tool in enumerate(chat.get("tools") or ()):
        told = _tool(tool, f"tools.{place}", report)
        if told is None:
            continue
        if "functionDeclarations" in told and out and "functionDeclarations" in out[-1]:
            out[-1]["functionDeclarations"] += told["functionDeclarations"]
        else:
            out.append(told)
    if chat.get("web_search_options") is not None:
        report.coerced("web_search_options->googleSearch")
        out.append({"googleSearch": {}})
    return {"tools": out} if out else {}


def _tool(tool: Json, path: str, report: Report) -> Json | None:
    kind = tool_kind(tool)
    if "cache_control" in tool:
        report.omitted(f"{path}.cache_control", "there are no cache markers")
    if kind in BUILT_IN or kind in tool.keys() - {"type", "function", "custom"}:
        return {kind: tool.get(kind) or {}}
    if kind != "function":
        report.dropped(path, f"there is no tool of type {kind!r}")
        return None
    function = tool["function"]
    told = {key: function[key] for key in ("name", "description") if function.get(key) is not None}
    if function.get("parameters") is not None:
        told["parametersJsonSchema"] = schema.pruned(
            function["parameters"], f"{path}.function.parameters", report
        )
    if function.get("strict"):
        report.omitted(f"{path}.function.strict", "arguments keep to their schema as they can")
    for key in sorted(tool.keys() - {"type", "function", "cache_control"} - DECLARATION):
        report.omitted(f"{path}.{key}", "Gemini's tools have no such member")
    rest = {key: tool[key] for key in tool if key in DECLARATION}
    return {"functionDeclarations": [told | rest]}


def _choice(chat: Json, report: Report, *, callable_: bool) -> Json:
    """`toolConfig`. How functions are called is told only where there are any."""
    config = dict(chat.get("toolConfig") or {})
    calling: Json = {}
    if callable_:
        if chat.get("parallel_tool_calls") is False:
            report.dropped("parallel_tool_calls", "parallel calls cannot be switched off")
        calling = _calling(chat.get("tool_choice"), report)
    if calling := calling | (config.get("functionCallingConfig") or {}):
        config["functionCallingConfig"] = calling
    return {"toolConfig": config} if config else {}


def _calling(choice: Json, report: Report) -> Json:
    if choice is None:
        return {}
    if isinstance(choice, str):
        return {"mode": _MODES.get(choice, "AUTO")}
    kind = choice.get("type")
    if kind == "function":
        return {"mode": "ANY", "allowedFunctionNames": [choice["function"]["name"]]}
    if kind == "allowed_tools":
        allowed = choice["allowed_tools"]
        names = [tool["function"]["name"] for tool in allowed["tools"] if "function" in tool]
        # Names are allowed in the modes ANY and VALIDATED only.
        mode = "ANY" if allowed.get("mode") == "required" else "VALIDATED"
        return {"mode": mode, "allowedFunctionNames": names}
    report.dropped("tool_choice", f"there is no choice of type {kind!r}")
    return {}


def _tier(chat: Json, report: Report) -> Json:
    tier = chat.get("service_tier")
    if tier is None or tier == "auto":
        return {}
    if tier in _TIERS:
        return {"serviceTier": _TIERS[tier]}
    report.omitted("service_tier", "there is no such tier")
    return {}
