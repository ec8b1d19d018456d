"""Canonical → Responses requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire import foreign
from nexus_sdk.wire.canonical import modern, tool_kind, without, without_choice
from nexus_sdk.wire.dialects.openai_responses import output, parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

_FEATURES = {
    "n": "one answer at a time",
    "seed": "sampling cannot be seeded",
    "stop": "there are no stop sequences",
    "logit_bias": "single tokens cannot be weighed",
    "presence_penalty": "there are no penalties",
    "frequency_penalty": "there are no penalties",
    "audio": "there is no audio in the answer",
    "web_search_options": "give the web_search tool instead",
    "top_k": "OpenAI has no top_k",
    "container": "code containers are Anthropic's",
    "mcp_servers": "give an mcp tool instead",
    "inference_geo": "the place of inference cannot be chosen",
}
_NEUTRAL: dict[str, Json] = {
    "n": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logit_bias": {},
    "stop": [],
}
"""Values that ask for nothing."""
_HINTS = {
    "prediction": "there are no predicted outputs",
    "thinking": "the target decides itself how long it reasons",
    "cache_control": "the target caches without markers",
    "context_management": "the target does not edit the context",
    "output_config": "the target has no such output settings",
    "speed": "the target has no such speed",
    "diagnostics": "the target gives no such diagnostics",
}
_DONE_ELSEWHERE = frozenset({
    "messages", "max_tokens", "max_completion_tokens", "tools", "tool_choice", "response_format",
    "verbosity", "reasoning_effort", "reasoning", "include", "logprobs", "store", "modalities",
    "stream_options",
})  # fmt: skip
_BUILT_IN = frozenset({
    "web_search", "web_search_preview", "file_search", "computer_use_preview", "computer",
    "code_interpreter", "mcp", "image_generation", "local_shell", "shell", "apply_patch",
    "tool_search", "namespace",
})  # fmt: skip
_LOGPROBS = "message.output_text.logprobs"


def request(chat: Json, report: Report) -> Json:
    """OpenAI keeps what this API answers, unless told otherwise; a chat completion is not kept. So
    `store` is always told."""
    chat, own = foreign.settled(modern(chat), "openai_responses", report)
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
    instructions, rest = _instructions(chat["messages"])
    first = len(chat["messages"]) - len(rest)
    custom = _custom_calls(rest)
    told: list[Json] = []
    for place, message in enumerate(rest, start=first):
        told += _items(message, f"messages.{place}", report, custom)
    told_body = {"input": told, "store": bool(chat.get("store"))}
    return without_choice(body) | instructions | told_body | own


def _instructions(messages: list[Json]) -> tuple[Json, list[Json]]:
    """A first system message of plain text; all others are items of the input."""
    first = messages[0] if messages else {}
    if first.get("role") == "system" and isinstance(first.get("content"), str) and first["content"]:
        return {"instructions": first["content"]}, messages[1:]
    return {}, messages


def _custom_calls(messages: list[Json]) -> frozenset[str]:
    """Ids of the calls of custom tools, whose results are items of their own type."""
    calls = [call for message in messages for call in message.get("tool_calls") or ()]
    return frozenset(call["id"] for call in calls if "custom" in call)


def _items(message: Json, path: str, report: Report, custom: frozenset[str]) -> list[Json]:
    role = message["role"]
    if message.get("name"):
        report.omitted(f"{path}.name", "items have no names")
    if role == "assistant":
        return output.replayed(message, path, report)
    content = parts.content(message.get("content"), f"{path}.content", report)
    if role != "tool":
        return [without(message, {"name", "cache_control"}) | {"content": content}]
    if message.get("is_error"):
        report.coerced(f"{path}.is_error->(content alone)")
    kind = (
        "custom_tool_call_output"
        if message.get("tool_call_id") in custom
        else "function_call_output"
    )
    rest = without(
        message, {"role", "tool_call_id", "content", "is_error", "cache_control", "name"}
    )
    return [{"type": kind, "call_id": message.get("tool_call_id"), "output": content} | rest]


def _ceiling(chat: Json, report: Report) -> Json:  # noqa: ARG001
    for key in ("max_completion_tokens", "max_tokens"):
        if key in chat:
            return {"max_output_tokens": chat[key]}
    return {}


def _tools(chat: Json, report: Report) -> Json:
    if "tools" not in chat:
        return {}
    tools = [_tool(tool, f"tools.{i}", report) for i, tool in enumerate(chat["tools"])]
    return {"tools": [tool for tool in tools if tool is not None]}


def _tool(tool: Json, path: str, report: Report) -> Json | None:
    """Nested to flat. Functions are strict by default here and not in chat: it is always told."""
    kind = tool_kind(tool)
    if kind in _BUILT_IN:
        return dict(tool)
    if kind not in {"function", "custom"}:
        report.dropped(path, f"there is no tool of type {kind!r}")
        return None
    if "cache_control" in tool:
        report.omitted(f"{path}.cache_control", _HINTS["cache_control"])
    own = dict(tool[kind])
    if kind == "function":
        own = {"strict": False, "parameters": {"type": "object", "properties": {}}} | own
    elif (own.get("format") or {}).get("type") == "grammar":
        own["format"] = {"type": "grammar"} | own["format"]["grammar"]
    return {"type": kind} | own | without(tool, {"type", kind, "cache_control"})


def _tool_choice(chat: Json, report: Report) -> Json:
    choice = chat.get("tool_choice")
    return {} if choice is None else {"tool_choice": _choice(choice, report)}


def _choice(choice: Json, report: Report) -> Json:
    if isinstance(choice, str):
        return choice
    kind = choice.get("type")
    if kind in {"function", "custom"}:
        return {"type": kind, "name": choice[kind]["name"]}
    if kind == "allowed_tools":
        told = choice["allowed_tools"]
        tools = [_choice(tool, report) for tool in told.get("tools") or ()]
        return {"type": kind, "mode": told.get("mode", "auto"), "tools": tools}
    return choice


def _text(chat: Json, report: Report) -> Json:  # noqa: ARG001
    text: Json = {}
    wanted = chat.get("response_format")
    if wanted and wanted["type"] == "json_schema":
        text["format"] = {"type": "json_schema"} | wanted["json_schema"]
    elif wanted:
        text["format"] = wanted
    if "verbosity" in chat:
        text["verbosity"] = chat["verbosity"]
    return {"text": text} if text else {}


def _reasoning(chat: Json, report: Report) -> Json:
    told = dict(chat.get("reasoning") or {})
    if "reasoning_effort" in chat:
        told["effort"] = chat["reasoning_effort"]
    if told.get("effort") == "max":
        report.coerced("reasoning_effort: max->xhigh")
        told["effort"] = "xhigh"
    return {"reasoning": told} if told else {}


def _include(chat: Json, report: Report) -> Json:  # noqa: ARG001
    told = [*(chat.get("include") or ()), *([_LOGPROBS] if chat.get("logprobs") else ())]
    return {"include": told} if told else {}


def _modalities(chat: Json, report: Report) -> Json:
    if any(kind != "text" for kind in chat.get("modalities") or ()):
        report.dropped("modalities", "there is text only")
    return {}


def _stream_options(chat: Json, report: Report) -> Json:  # noqa: ARG001
    """Counts always come at the end here."""
    told = without(chat.get("stream_options") or {}, {"include_usage"})
    return {"stream_options": told} if told else {}


_MEMBERS: tuple[Callable[[Json, Report], Json], ...] = (
    _ceiling, _tools, _tool_choice, _text, _reasoning, _include, _modalities, _stream_options,
)  # fmt: skip
