"""What a canonical conversation says, as a list of facts, each with its address. Whether another
dialect's document still says it can then be asked fact by fact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexus_sdk.wire.json import Json

SAME_NAME = {"max_tokens": "max_completion_tokens"}
_NAMES = ({"type", "id"}, {"type", "call_id"})
_NOT_SETTINGS = frozenset({
    "messages", "tools", "model", "stream", "stream_options", "provider_options", "documents",
})  # fmt: skip


class Fact(NamedTuple):
    """`said`: the text must stand in the document. `set`: the member must come back with this
    value. `known`: the tool must come back with these members."""

    address: str
    value: Json
    kind: Literal["said", "set", "known"] = "said"


def facts(chat: Json) -> Iterator[Fact]:
    """All that a request asks."""
    reasoning = chat.get("reasoning") or {}
    if reasoning.get("effort"):
        chat = {"reasoning_effort": reasoning["effort"]} | chat
        chat["reasoning"] = {
            key: told for key, told in reasoning.items() if key != "effort"
        } or None
    for key, value in chat.items():
        if key not in _NOT_SETTINGS and value is not None:
            yield Fact(key, plain(key, value, chat), "set")
    for place, option in enumerate(chat.get("provider_options") or ()):
        yield from (
            Fact(param, f"option {place}") for param in option.get("lost", [option["name"]])
        )
    for place, tool in enumerate(chat.get("tools") or ()):
        yield from _tool(f"tools.{place}", tool)
    for place, message in enumerate(chat["messages"]):
        yield from of_message(f"messages.{place}", message)


def plain(key: str, value: Json, chat: Json) -> Json:
    """The usual form of a setting: summaries of thoughts are what is shown anyway, and a choice
    among all the tools is no choice."""
    if key == "thinking" and value.get("display") == "summarized":
        return {name: told for name, told in value.items() if name != "display"}
    if key == "tool_choice" and isinstance(value, dict) and value["type"] == "allowed_tools":
        allowed = value["allowed_tools"]
        return allowed["mode"] if len(allowed["tools"]) == len(chat.get("tools") or ()) else value
    if key == "tool_choice" and isinstance(value, dict) and len(chat.get("tools") or ()) == 1:
        return "required"
    return [value] if key == "stop" and isinstance(value, str) else value


def _tool(path: str, tool: Json) -> Iterator[Fact]:
    own = tool.get("function") or tool.get("custom")
    if own is None:
        yield Fact(path, orjson.dumps(tool).decode())
        return
    yield Fact(f"{path}.name", own["name"])
    yield Fact(f"{path}.description", own.get("description") or "")
    names = sorted((own.get("parameters") or {}).get("properties") or ())
    yield from (Fact(f"{path}.function.parameters.{name}", name) for name in names)
    yield from (
        Fact(f"{path}.{key}", value, "known")
        for key, value in tool.items()
        if key not in {"type", "function", "custom", "index"}
    )


def of_message(path: str, message: Json) -> Iterator[Fact]:
    """All that a message says."""
    content = message.get("content")
    if isinstance(content, str):
        yield Fact(f"{path}.content", content)
    else:
        for place, part in enumerate(content or ()):
            yield from _part(f"{path}.content.{place}", part)
    for key in ("name", "refusal", "reasoning_content"):
        yield Fact(f"{path}.{key}", message.get(key) or "")
    for place, call in enumerate(message.get("tool_calls") or ()):
        body = call.get("function") or call.get("custom") or {}
        here = f"{path}.tool_calls.{place}"
        yield Fact(f"{here}.name", body.get("name") or "")
        yield from _arguments(here, body.get("arguments") or "{}")
        yield Fact(f"{here}.input", body.get("input") or "")
    for field in ("reasoning_blocks", "provider_blocks"):
        for entry in message.get(field) or ():
            if entry["block"].keys() in _NAMES:
                continue  # An id that nobody else knows, or the place of a call.
            yield Fact(f"{path}.{field}", orjson.dumps(entry["block"]).decode())
    if message.get("is_error"):
        yield Fact(f"{path}.is_error", value=True, kind="known")


def _arguments(path: str, told: str) -> Iterator[Fact]:
    try:
        arguments = orjson.loads(told)
    except orjson.JSONDecodeError:
        arguments = told
    yield from (Fact(f"{path}.arguments", text) for text in strings(arguments))


def _part(path: str, part: Json) -> Iterator[Fact]:
    for key, value in part.items():
        if key in {"cache_control", "citations", "context", "detail"}:
            yield Fact(f"{path}.{key}", value, "known")
        elif key not in {"type", "native", "annotations", "logprobs"}:
            told = [_payload(text) for text in strings(value)]
            yield from (
                Fact(f"{path}.{key}", text) for text in told if len(text) > 12 or key == "text"
            )


def _payload(text: str) -> str:
    """The base64 of a data URL, which others tell without its head."""
    return text.partition(",")[2] if text.startswith("data:") else text


def strings(node: Json) -> Iterator[str]:
    """Every string in it, names of members too."""
    todo = [node]
    while todo:
        node = todo.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, dict):
            yield from node
            todo += node.values()
        elif isinstance(node, list):
            todo += node
