"""Chat completion requests: their shape, and what our extensions become for an upstream that knows
OpenAI's alone.

`encode` is for a request that came in another dialect. What OpenAI's API does not have is told, or
put in a form that it has. A target that takes an extension says so (`Report.accepts`): then it
travels as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed, Unsupported
from nexus_sdk.wire import foreign, shape
from nexus_sdk.wire.canonical import (
    EXTENSIONS,
    modern,
    opaque,
    plain_text,
    refuse_address,
    stranded,
    tell_file_extras,
    tool_kind,
    without,
    without_choice,
)
from nexus_sdk.wire.dialect import Facts
from nexus_sdk.wire.dialects.openai_chat import copies
from nexus_sdk.wire.dialects.openai_chat.words import FIELDS, FREE, KNOWN, MESSAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

_FEATURES = {
    "container": "code containers are Anthropic's",
    "mcp_servers": "remote MCP servers cannot be given to a chat completion",
    "inference_geo": "the place of inference cannot be chosen",
    "top_k": "OpenAI has no top_k",
}
"""Extensions without which the answer is not what was asked for."""
_HINTS = {
    "thinking": "the target decides itself how long it reasons",
    "cache_control": "the target caches without markers",
    "context_management": "the target does not edit the context",
    "output_config": "the target has no such output settings",
    "speed": "the target has no such speed",
    "diagnostics": "the target gives no such diagnostics",
    "reasoning": "the target gives no such summaries",
    "include": "the target has no such additions",
    "max_tool_calls": "it limits built-in tools, which a chat completion does not have",
}
_SAID = ("content", "tool_calls", "refusal", "audio", "function_call")
"""What an assistant's message must have one of."""
_OURS = frozenset({"reasoning_blocks", "provider_blocks"})
_PLAIN = frozenset({"role", "content"})
_LABELS = frozenset({"id", "status", "phase"})
"""Members of a Responses message that only name it."""


def read(doc: Json) -> Facts:
    if not isinstance(doc, dict):
        raise Malformed("the body must be a JSON object")
    shape.refuse_lookalikes(doc, KNOWN, FREE)
    model = shape.need(doc, "model", shape.TEXT)
    for place, message in enumerate(shape.need(doc, "messages", shape.SOME_OBJECTS)):
        if not _is_plain(message):
            _check_message(message, f"messages.{place}.")
    shape.check(doc, FIELDS)
    ceiling = doc.get("max_completion_tokens")
    stream = bool(doc.get("stream"))
    return Facts(
        model=model,
        stream=stream,
        max_output_tokens=doc.get("max_tokens") if ceiling is None else ceiling,
        n=doc.get("n") or 1,
        tools=bool(doc.get("tools") or doc.get("functions")),
        deterministic=doc.get("temperature") == 0 or doc.get("seed") is not None,
        wants_stream_usage=stream and bool((doc.get("stream_options") or {}).get("include_usage")),
        user=doc.get("user") or doc.get("safety_identifier") or "",
    )


def _is_plain(message: Json) -> bool:
    """A role and a text: what most messages are, and nothing to check in them."""
    return (
        message.keys() == _PLAIN
        and type(message["role"]) is str
        and type(message["content"]) is str
    )


def _check_message(message: Json, path: str) -> None:
    shape.need(message, "role", shape.TEXT, path)
    shape.check(message, MESSAGE, path)
    shape.check_parts(message.get("content"), f"{path}content")
    for place, call in enumerate(message.get("tool_calls") or ()):
        here = f"{path}tool_calls.{place}."
        shape.need(call, "id", shape.TEXT, here)
        if "custom" not in call:
            function = shape.need(call, "function", shape.OBJECT, here)
            shape.need(function, "name", shape.TEXT, f"{here}function.")
            shape.need(function, "arguments", shape.TEXT, f"{here}function.")


def decode(doc: Json) -> Json:
    """The form is canonical already, but for the former function API and what clients of other
    vendors write in another way."""
    return copies.plain(modern(doc))


def strip_foreign(doc: Json, report: Report) -> Json:
    """Without the blocks of other vendors that our answers carry, and with OpenRouter's back in
    their place."""
    ours = _OURS - report.accepts
    if not any(map(ours.intersection, doc["messages"])):
        return doc
    messages = list(doc["messages"])
    for place, message in enumerate(messages):
        if not ours & message.keys():
            continue
        messages[place] = without(message, ours)
        if own := opaque(message, "reasoning_blocks", "openai_chat"):
            messages[place]["reasoning_details"] = [block for _, block in own]
        else:
            report.omitted(
                f"messages.{place}.reasoning_blocks", "what another vendor made stays with it"
            )
    return doc | {"messages": messages}


def encode(chat: Json, report: Report) -> Json:
    chat, _ = foreign.settled(chat, "openai_chat", report)
    out = dict(chat)
    for tell, table in ((report.dropped, _FEATURES), (report.omitted, _HINTS)):
        for key, reason in table.items():
            if key not in report.accepts and out.pop(key, None) is not None:
                tell(key, reason)
    if chat.get("tools"):
        tools = [_tool(tool, f"tools.{i}", report) for i, tool in enumerate(chat["tools"])]
        out["tools"] = [tool for tool in tools if tool is not None]
    _words(out, report)
    out["messages"] = _messages(chat["messages"], report)
    return without_choice(out)


def _messages(messages: list[Json], report: Report) -> list[Json]:
    out: list[Json] = []
    images: list[Json] = []
    for place, message in enumerate(messages):
        if images and message["role"] != "tool":
            out.append({"role": "user", "content": images})
            images = []
        told = _message(message, f"messages.{place}", report, images)
        if told["role"] == "assistant" and all(told.get(key) is None for key in _SAID):
            report.coerced(f"messages.{place}: an empty turn->(left out)")
            continue
        out.append(told)
    return [*out, {"role": "user", "content": images}] if images else out


def _words(out: Json, report: Report) -> None:
    """Words that OpenAI has other ones for, or none."""
    if out.get("reasoning_effort") == "max":
        report.coerced("reasoning_effort: max->xhigh")
        out["reasoning_effort"] = "xhigh"
    choice = out.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") not in {
        "function",
        "custom",
        "allowed_tools",
    }:
        report.dropped(
            "tool_choice", f"a chat completion has no tool of type {choice.get('type')!r}"
        )
        del out["tool_choice"]


def _tool(tool: Json, path: str, report: Report) -> Json | None:
    kind = tool_kind(tool)
    if kind not in {"function", "custom"}:
        report.dropped(path, f"a chat completion has no built-in tool {kind!r}")
        return None
    extra = tool.keys() - {"type", "function", "custom"} - report.accepts
    for key in sorted(extra):
        report.omitted(f"{path}.{key}", "a chat completion's tool has no such member")
    return without(tool, extra)


def _message(message: Json, path: str, report: Report, images: list[Json]) -> Json:
    """The message, less what OpenAI does not have. Images of a tool's result are put into `images`:
    a tool message holds text only, so a user's message brings them after the last result."""
    out = _own_members(message, path, report)
    if isinstance(out.get("content"), list):
        parts = [
            _part(part, f"{path}.content.{i}", report) for i, part in enumerate(out["content"])
        ]
        if out["role"] == "tool":
            images += (shown := [part for part in parts if part["type"] != "text"])
            parts = [part for part in parts if part["type"] == "text"]
            if shown:
                report.coerced(f"{path}.content->a user message with its images")
        out["content"] = _plain(parts)
    return out


def _own_members(message: Json, path: str, report: Report) -> Json:
    """The message without our extensions, but for those that the target takes."""
    out = without(message, _LABELS)
    if own := opaque(message, "reasoning_blocks", "openai_chat"):
        out["reasoning_details"] = [block for _, block in own]
        del out["reasoning_blocks"]
    if stranded(message, "openai_chat"):
        report.dropped(
            f"{path}.provider_blocks",
            "the items of another vendor's tools cannot be given to this one",
        )
    for key in sorted(out.keys() & (EXTENSIONS - report.accepts)):
        if out.pop(key) and key != "provider_blocks":
            report.omitted(
                f"{path}.{key}", "the reasoning and the citations of another vendor stay with it"
            )
    if out.pop("is_error", None):
        report.coerced(f"{path}.is_error->(content alone)")
    _marker(out, path, report)
    if out.get("tool_calls"):
        out["tool_calls"] = [_call(call) for call in out["tool_calls"]]
    return out


def _plain(parts: list[Json]) -> Json:
    """One text alone as a string, which every copy of this API takes."""
    if not parts:
        return ""
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        return parts[0]["text"]
    return parts


def _marker(node: Json, path: str, report: Report) -> None:
    if "cache_control" in node and "cache_control" not in report.accepts:
        del node["cache_control"]
        report.omitted(f"{path}.cache_control", _HINTS["cache_control"])


def _call(call: Json) -> Json:
    return {key: call[key] for key in ("id", "type", "function", "custom") if key in call}


def _part(part: Json, path: str, report: Report) -> Json:
    kind = part["type"]
    if kind not in _PARTS:
        raise Unsupported(
            f"a chat completion has no content part of type {kind!r}", param=f"{path}.type"
        )
    out = dict(part)
    _marker(out, path, report)
    return _PARTS[kind](out, path, report)


def _text(part: Json, path: str, report: Report) -> Json:
    if part.pop("citations", None) or part.pop("annotations", None):
        report.omitted(f"{path}.citations", "the citations of another vendor stay with it")
    return {key: part[key] for key in part if key not in {"annotations", "logprobs"}}


def _as_it_is(part: Json, path: str, report: Report) -> Json:  # noqa: ARG001
    return part


def _image(part: Json, path: str, report: Report) -> Json:  # noqa: ARG001
    if "file_id" in part["image_url"]:
        raise Unsupported(
            "a chat completion takes no image by file id", param=f"{path}.image_url.file_id"
        )
    return part


def _file(part: Json, path: str, report: Report) -> Json:
    file = part["file"]
    if "file_url" in file:
        raise Unsupported("a chat completion takes no file by URL", param=f"{path}.file.file_url")
    refuse_address(file, path)
    tell_file_extras(part, path, report)
    return {"type": "file", "file": file}


def _readable(part: Json, path: str, report: Report) -> Json:
    """Anthropic's document or search result: its text."""
    text = plain_text(part)
    if text is None:
        raise Unsupported(
            "this kind of document cannot be given to a chat completion", param=f"{path}.source"
        )
    report.coerced(f"{path}: {part['type']}->text")
    return {"type": "text", "text": text}


_PARTS: dict[str, Callable[[Json, str, Report], Json]] = {
    "text": _text,
    "refusal": _as_it_is,
    "image_url": _image,
    "input_audio": _as_it_is,
    "file": _file,
    "document": _readable,
    "search_result": _readable,
}
