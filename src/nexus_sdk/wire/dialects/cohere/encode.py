"""Canonical → chat requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire import foreign
from nexus_sdk.wire.canonical import modern, tool_kind, without, without_choice
from nexus_sdk.wire.dialect import inverted, renamed
from nexus_sdk.wire.dialects.cohere import schemas, turns
from nexus_sdk.wire.dialects.cohere.decode import BUDGET
from nexus_sdk.wire.dialects.cohere.words import (
    BUDGETS,
    DEFAULT_SCHEMA_NAME,
    LEAST,
    MOST,
    RENAMES,
    TOOL_CHOICE,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

_CHOICES = inverted(TOOL_CHOICE)
_NAMES = inverted(RENAMES) | {"max_tokens": "max_tokens"}
_BUDGET = inverted(BUDGET)

_FEATURES = {
    "n": "one answer at a time",
    "top_logprobs": "only the chosen tokens have probabilities",
    "logit_bias": "single tokens cannot be weighed",
    "parallel_tool_calls": "it cannot be kept from calling several tools at once",
    "audio": "there is no audio",
    "web_search_options": "there is no web search",
    "store": "answers are not stored",
    "moderation": "there is no such moderation",
    "container": "code containers are Anthropic's",
    "mcp_servers": "remote MCP servers cannot be given to it",
    "inference_geo": "the place of inference cannot be chosen",
}
"""Canonical members without which the answer is not what was asked for."""
_NEUTRAL: dict[str, Json] = {
    "n": 1,
    "top_logprobs": 0,
    "logit_bias": {},
    "parallel_tool_calls": True,
    "store": False,
}
"""Values that ask for nothing."""
_HINTS = {
    "verbosity": "there is no such setting",
    "prediction": "there are no predicted outputs",
    "prompt_cache_key": "it caches without keys",
    "prompt_cache_retention": "it caches without keys",
    "prompt_cache_options": "it caches without keys",
    "cache_control": "it caches without markers",
    "metadata": "requests have no labels",
    "user": "requests have no labels",
    "safety_identifier": "requests have no labels",
    "service_tier": "there are no such tiers",
    "include": "there are no such additions",
    "max_tool_calls": "it limits built-in tools of OpenAI",
    "context_management": "it does not edit the context",
    "output_config": "there are no such output settings",
    "speed": "there is no such speed",
    "diagnostics": "there are no such diagnostics",
}
_DONE_ELSEWHERE = frozenset({
    "messages", "documents", "stop", "tools", "tool_choice", "response_format", "thinking",
    "reasoning_effort", "reasoning", "modalities", "stream_options", *MOST,
})  # fmt: skip


def request(chat: Json, report: Report) -> Json:
    chat, _ = foreign.settled(modern(chat), "cohere", report)
    given = {key: value for key, value in chat.items() if value is not None}
    for tell, table in ((report.dropped, _FEATURES), (report.omitted, _HINTS)):
        for key, reason in table.items():
            value = given.pop(key, None)
            if value is not None and value != _NEUTRAL.get(key, ()):
                tell(key, reason)
    body = _ceiling(renamed(without(given, _DONE_ELSEWHERE), _NAMES), given)
    for translate in _MEMBERS:
        body |= translate(given, report)
    # Cohere takes either: with a form for its answer, what it is to read must stand in the text.
    grounded = "response_format" not in body
    body["messages"], documents = turns.conversation(chat["messages"], report, grounded=grounded)
    if documents := [*(given.get("documents") or ()), *documents]:
        body["documents"] = documents
    return without_choice(body)


def _ceiling(body: Json, given: Json) -> Json:
    """The newer of OpenAI's two names counts, where both are given."""
    if "max_completion_tokens" in given:
        body["max_tokens"] = given["max_completion_tokens"]
    return body


def _sampling(chat: Json, report: Report) -> Json:
    """Numbers, brought into Cohere's ranges."""
    out: Json = {}
    for key, most in MOST.items():
        if key not in chat:
            continue
        value = chat[key]
        if value < 0:
            report.dropped(key, "it must be 0 or more")
            continue
        told = min(max(value, LEAST.get(key, value)), most)
        if told != value:
            report.coerced(f"{key}: {value}->{told} (the {'most' if told < value else 'least'})")
        out[_NAMES.get(key, key)] = told
    return out


def _seed(chat: Json, report: Report) -> Json:
    if chat.get("seed", 0) >= 0:
        return {}
    report.coerced(f"seed: {chat['seed']}->{-chat['seed']}")
    return {"seed": -chat["seed"]}


def _stop(chat: Json, report: Report) -> Json:  # noqa: ARG001
    stop = chat.get("stop")
    return {} if stop is None else {"stop_sequences": [stop] if isinstance(stop, str) else stop}


def _modalities(chat: Json, report: Report) -> Json:
    if any(kind != "text" for kind in chat.get("modalities") or ()):
        report.dropped("modalities", "there is text only")
    return {}


def _stream_options(chat: Json, report: Report) -> Json:
    """Counts always come at the end here."""
    if without(chat.get("stream_options") or {}, {"include_usage", "include_obfuscation"}):
        report.omitted("stream_options", "there are no such options")
    return {}


def _tools(chat: Json, report: Report) -> Json:
    told = [_tool(tool, f"tools.{i}", report) for i, tool in enumerate(chat.get("tools") or ())]
    tools = _chosen([tool for tool in told if tool is not None], chat.get("tool_choice"), report)
    if not tools:
        return {}
    strict = [tool["function"].pop("strict", None) for tool in tools]
    if True not in strict:
        return {"tools": tools} | ({"strict_tools": False} if False in strict else {})
    if not all(strict):
        report.coerced("tools.strict->strict_tools (it holds for all tools)")
    for place, tool in enumerate(tools):
        path = f"tools.{place}.function.parameters"
        tool["function"]["parameters"] = schemas.pruned(
            tool["function"]["parameters"], path, report
        )
    return {"tools": tools, "strict_tools": True}


def _tool(tool: Json, path: str, report: Report) -> Json | None:
    kind = tool_kind(tool)
    if kind not in {"function", "custom"}:
        report.dropped(path, f"there is no built-in tool {kind!r}")
        return None
    for key in sorted(tool.keys() - {"type", "function", "custom"}):
        report.omitted(f"{path}.{key}", "a tool has no such member")
    if kind == "custom":
        return _custom(tool["custom"], path, report)
    function = {"parameters": {"type": "object", "properties": {}}} | {
        key: value for key, value in tool["function"].items() if value is not None
    }
    return {"type": "function", "function": function}


def _custom(custom: Json, path: str, report: Report) -> Json:
    """A tool whose input is any text: a function whose one argument is that text."""
    report.coerced(f"{path}: custom->function with the argument input")
    if (custom.get("format") or {}).get("type", "text") != "text":
        report.dropped(f"{path}.custom.format", "a tool's input cannot be held to a grammar")
    named = {key: custom[key] for key in ("name", "description") if key in custom}
    schema = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
    return {"type": "function", "function": named | {"parameters": schema}}


def _chosen(tools: list[Json], choice: Json, report: Report) -> list[Json]:
    """The tools, or those alone that the choice names: Cohere cannot be told which one to call."""
    names = _named(choice)
    if not names:
        return tools
    kept = [tool for tool in tools if tool["function"]["name"] in names]
    if len(kept) < len(tools):
        report.coerced(f"tool_choice->these tools alone: {', '.join(sorted(names))}")
    return kept


def _named(choice: Json) -> set[str]:
    """The tools that a choice names."""
    if not isinstance(choice, dict):
        return set()
    allowed = choice.get("allowed_tools") or {}
    told = [choice, *(allowed.get("tools") or choice.get("tools") or ())]
    bodies = [tool.get("function") or tool.get("custom") or tool for tool in told]
    return {body["name"] for body in bodies if isinstance(body.get("name"), str)}


def _tool_choice(chat: Json, report: Report) -> Json:
    """Absent is auto."""
    choice = chat.get("tool_choice")
    if isinstance(choice, str):
        return {"tool_choice": _CHOICES[choice]} if choice in _CHOICES else {}
    if not choice:
        return {}
    kind = choice.get("type")
    if kind == "allowed_tools":
        mode = (choice.get("allowed_tools") or choice).get("mode", "auto")
        return {"tool_choice": "REQUIRED"} if mode == "required" else {}
    if kind in {"function", "custom"}:
        return {"tool_choice": "REQUIRED"}
    report.dropped("tool_choice", f"there is no choice of type {kind!r}")
    return {}


def _format(chat: Json, report: Report) -> Json:
    wanted = chat.get("response_format") or {}
    kind = wanted.get("type", "text")
    if kind == "text":
        return {"response_format": wanted} if wanted else {}
    if chat.get("tools") or chat.get("documents"):
        report.dropped("response_format", "it is not taken together with tools or documents")
        return {}
    if kind == "json_object":
        return {"response_format": wanted}
    if kind != "json_schema":
        report.dropped("response_format", f"there is no format of type {kind!r}")
        return {}
    told = wanted["json_schema"]
    if told.get("name") != DEFAULT_SCHEMA_NAME or told.get("strict") is not True:
        report.coerced("response_format->json_object with a schema (always strict, without a name)")
    path = "response_format.json_schema.schema"
    schema = schemas.pruned(told.get("schema") or {}, path, report)
    if schema.get("type") != "object":
        report.dropped(path, "the schema's root must be of type object")
        return {}
    return {"response_format": {"type": "json_object", "json_schema": schema}}


def _thinking(chat: Json, report: Report) -> Json:
    """A budget that is given counts; an effort becomes one."""
    thinking, reasoning = chat.get("thinking"), chat.get("reasoning") or {}
    effort = chat.get("reasoning_effort") or reasoning.get("effort")
    if reasoning.keys() - {"effort"}:
        report.omitted("reasoning", "only its effort is taken")
    if thinking is not None:
        if effort:
            report.omitted("reasoning_effort", "its budget is told, and there is no other effort")
        return {"thinking": _budget(thinking, report)}
    if effort is None:
        return {}
    if effort == "none":
        report.coerced("reasoning_effort: none->thinking disabled")
        return {"thinking": {"type": "disabled"}}
    if effort not in BUDGETS:
        report.omitted("reasoning_effort", f"there is no effort {str(effort)[:32]!r}")
        return {}
    budget = BUDGETS[effort]
    report.coerced(f"reasoning_effort: {effort}->thinking enabled ({budget or 'all'} tokens)")
    return {"thinking": {"type": "enabled"} | ({"token_budget": budget} if budget else {})}


def _budget(thinking: Json, report: Report) -> Json:
    told = renamed(thinking, _BUDGET)
    if told.get("type") == "adaptive":
        report.coerced("thinking: adaptive->enabled")
        told["type"] = "enabled"
    for key in sorted(told.keys() - {"type", "token_budget"}):
        report.omitted(f"thinking.{key}", "thinking has no such setting")
    return {key: told[key] for key in ("type", "token_budget") if key in told}


_MEMBERS: tuple[Callable[[Json, Report], Json], ...] = (
    _sampling, _seed, _stop, _modalities, _stream_options, _tools, _tool_choice, _format, _thinking,
)  # fmt: skip
