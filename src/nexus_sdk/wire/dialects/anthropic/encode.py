"""Canonical → Messages requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire.canonical import modern, tool_kind, without, without_choice
from nexus_sdk.wire.dialect import inverted
from nexus_sdk.wire.dialects.anthropic import turns
from nexus_sdk.wire.dialects.anthropic.words import (
    DEFAULT_MAX_TOKENS,
    DEFAULT_SCHEMA_NAME,
    EFFORT_NEAREST,
    EFFORTS,
    SERVER_TOOL,
    TIERS,
    TOOL_CHOICE,
)
from nexus_sdk.wire.geminis import without_geminis

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

_CHOICES = inverted(TOOL_CHOICE)
_TIERS = inverted(TIERS)

_FEATURES = {
    "n": "one answer at a time",
    "seed": "sampling cannot be seeded",
    "logprobs": "probabilities of tokens are not told",
    "top_logprobs": "probabilities of tokens are not told",
    "logit_bias": "single tokens cannot be weighed",
    "presence_penalty": "there are no penalties",
    "frequency_penalty": "there are no penalties",
    "audio": "there is no audio",
    "web_search_options": "give Anthropic's web_search tool instead",
    "store": "answers are not stored",
    "moderation": "there is no such moderation",
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
    "prompt_cache_key": "caching is by cache_control markers",
    "prompt_cache_retention": "caching is by cache_control markers",
    "prompt_cache_options": "caching is by cache_control markers",
    "metadata": "only the user's id is taken",
    "include": "there are no such additions",
    "max_tool_calls": "it limits built-in tools of OpenAI",
}
_DONE_ELSEWHERE = frozenset({
    "messages", "max_tokens", "max_completion_tokens", "stop", "tools", "tool_choice",
    "parallel_tool_calls", "user", "safety_identifier", "response_format", "reasoning_effort",
    "output_config", "service_tier", "stream_options", "modalities", "temperature", "reasoning",
})  # fmt: skip


def request(chat: Json, report: Report) -> Json:
    chat = without_geminis(modern(chat), report)
    body = {key: value for key, value in chat.items() if value is not None}
    for tell, table in ((report.dropped, _FEATURES), (report.omitted, _HINTS)):
        for key, reason in table.items():
            value = body.pop(key, None)
            if value is not None and value != _NEUTRAL.get(key, ()):
                tell(key, reason)
    given = body
    body = without(given, _DONE_ELSEWHERE)
    for translate in _MEMBERS:
        body |= translate(given, report)
    system, messages = turns.conversation(chat["messages"], report)
    return without_choice(body) | ({"system": system} if system else {}) | {"messages": messages}


def _max_tokens(chat: Json, report: Report) -> Json:
    for key in ("max_completion_tokens", "max_tokens"):
        if key in chat:
            return {"max_tokens": chat[key]}
    value = report.max_output_tokens or DEFAULT_MAX_TOKENS
    report.coerced(f"max_tokens: absent->{value}")
    return {"max_tokens": value}


def _stop(chat: Json, report: Report) -> Json:  # noqa: ARG001
    stop = chat.get("stop")
    return {} if stop is None else {"stop_sequences": [stop] if isinstance(stop, str) else stop}


def _temperature(chat: Json, report: Report) -> Json:
    value = chat.get("temperature")
    if value is None:
        return {}
    if value > 1:
        report.coerced(f"temperature: {value}->1 (the most there is)")
        return {"temperature": 1}
    return {"temperature": value}


def _modalities(chat: Json, report: Report) -> Json:
    if any(kind != "text" for kind in chat.get("modalities") or ()):
        report.dropped("modalities", "there is text only")
    return {}


def _tools(chat: Json, report: Report) -> Json:
    if "tools" not in chat:
        return {}
    tools = [_tool(tool, f"tools.{i}", report) for i, tool in enumerate(chat["tools"])]
    return {"tools": [tool for tool in tools if tool is not None]}


def _tool(tool: Json, path: str, report: Report) -> Json | None:
    kind = tool_kind(tool)
    if kind == "function":
        function = tool["function"]
        schema = function.get("parameters")
        if schema is None:
            schema = {"type": "object", "properties": {}}
        names = {"name": "name", "description": "description", "strict": "strict"}
        named = {names[key]: function[key] for key in names if function.get(key) is not None}
        return named | {"input_schema": schema} | without(tool, {"type", "function"})
    if SERVER_TOOL.fullmatch(kind):
        return dict(tool)
    report.dropped(path, f"there is no tool of type {kind!r}")
    return None


def _tool_choice(chat: Json, report: Report) -> Json:
    choice, parallel = chat.get("tool_choice"), chat.get("parallel_tool_calls")
    if not chat.get("tools"):
        return {}
    out: Json = {}
    if isinstance(choice, str):
        out = {"type": _CHOICES.get(choice, "auto")}
    elif choice and choice.get("type") == "function":
        out = {"type": "tool", "name": choice["function"]["name"]}
    elif choice:
        report.dropped("tool_choice", f"there is no choice of type {choice.get('type')!r}")
    if parallel is not None and out.get("type") != "none":
        out = (out or {"type": "auto"}) | {"disable_parallel_tool_use": not parallel}
    return {"tool_choice": out} if out else {}


def _user(chat: Json, report: Report) -> Json:  # noqa: ARG001
    user = chat.get("user") or chat.get("safety_identifier")
    return {"metadata": {"user_id": user}} if user else {}


def _output(chat: Json, report: Report) -> Json:
    config = dict(chat.get("output_config") or {})
    if effort := _effort(chat, report):
        config["effort"] = effort
    if wanted := _format(chat.get("response_format"), report):
        config["format"] = wanted
    return {"output_config": config} if config else {}


def _effort(chat: Json, report: Report) -> str | None:
    reasoning = chat.get("reasoning") or {}
    if reasoning.keys() - {"effort"}:
        report.omitted("reasoning", "only its effort is taken")
    told = chat.get("reasoning_effort") or reasoning.get("effort")
    if told is None or told in EFFORTS:
        return told
    if told in EFFORT_NEAREST:
        report.coerced(f"reasoning_effort: {told}->{EFFORT_NEAREST[told]}")
        return EFFORT_NEAREST[told]
    report.omitted("reasoning_effort", f"there is no effort {str(told)[:32]!r}; the default holds")
    return None


def _format(wanted: Json, report: Report) -> Json | None:
    """A JSON schema is enforced by Anthropic itself; there is no JSON mode without one."""
    kind = (wanted or {}).get("type", "text")
    if kind == "text":
        return None
    if kind != "json_schema":
        report.dropped("response_format", "there is no JSON mode; give a json_schema")
        return None
    schema = wanted["json_schema"]
    if schema.get("name") != DEFAULT_SCHEMA_NAME or schema.get("strict") is not True:
        report.coerced("response_format->output_config.format (always strict, without a name)")
    return {"type": "json_schema", "schema": schema.get("schema") or {}}


def _tier(chat: Json, report: Report) -> Json:
    tier = chat.get("service_tier")
    if tier is None:
        return {}
    if tier in _TIERS:
        return {"service_tier": _TIERS[tier]}
    report.omitted("service_tier", "there is no such tier")
    return {}


_MEMBERS: tuple[Callable[[Json, Report], Json], ...] = (
    _max_tokens, _stop, _temperature, _modalities, _tools, _tool_choice, _user, _output, _tier,
)  # fmt: skip
