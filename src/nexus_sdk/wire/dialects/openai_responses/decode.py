"""Responses requests → canonical."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed
from nexus_sdk.wire import natives, shape
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialect import Facts
from nexus_sdk.wire.dialects.openai_responses import items
from nexus_sdk.wire.dialects.openai_responses.words import FIELDS, FREE, ITEM, KNOWN, NAME, STATE

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json

_LOGPROBS = "message.output_text.logprobs"


def read(doc: Json) -> Facts:
    if not isinstance(doc, dict):
        raise Malformed("the body must be a JSON object")
    shape.refuse_lookalikes(doc, KNOWN, FREE)
    model = shape.need(doc, "model", shape.TEXT)
    told = shape.need(doc, "input", shape.CONTENT) if _needs_input(doc) else []
    if isinstance(told, list):
        for place, item in enumerate(told):
            shape.check(item, ITEM, f"input.{place}.")
            shape.check_parts(item.get("content"), f"input.{place}.content")
    shape.check(doc, FIELDS)
    stream = bool(doc.get("stream"))
    return Facts(
        model=model,
        stream=stream,
        max_output_tokens=doc.get("max_output_tokens"),
        tools=bool(doc.get("tools")),
        deterministic=doc.get("temperature") == 0,
        wants_stream_usage=stream,
        user=doc.get("user") or doc.get("safety_identifier") or "",
    )


def _needs_input(doc: Json) -> bool:
    """Kept state can stand in for the input."""
    return doc.get("input") is not None or not any(
        doc.get(key) for key in ("prompt", "conversation", "previous_response_id")
    )


def request(doc: Json) -> Json:
    """Raises Unsupported for items that are not known. What relies on OpenAI's server stays with
    it: every other encoder refuses it."""
    chat = without(doc, _TRANSLATED)
    if kept := _kept(doc):
        chat[natives.OPTIONS] = kept
    messages = (
        [{"role": "system", "content": doc["instructions"]}] if doc.get("instructions") else []
    )
    chat["messages"] = [*messages, *items.messages(doc.get("input") or [])]
    if doc.get("max_output_tokens") is not None:
        chat["max_completion_tokens"] = doc["max_output_tokens"]
    if doc.get("tools") is not None:
        chat["tools"] = [_tool(tool) for tool in doc["tools"]]
    if doc.get("tool_choice") is not None:
        chat["tool_choice"] = _tool_choice(doc["tool_choice"])
    return chat | _text(doc.get("text") or {}) | _reasoning(doc) | _include(doc)


def _kept(doc: Json) -> list[Json]:
    told = {key: doc[key] for key in STATE if doc.get(key)}
    if doc.get("truncation") not in {None, "disabled"}:
        told["truncation"] = doc["truncation"]
    return [
        {"origin": NAME, "name": key, "value": value, "must": STATE.get(key, _DISABLED)}
        for key, value in told.items()
    ]


_DISABLED = "only `disabled` can be given to another API"
_TRANSLATED = frozenset({
    "input", "instructions", "max_output_tokens", "tools", "tool_choice", "text", "reasoning",
    "include", "truncation", *STATE,
})  # fmt: skip


def _tool(tool: Json) -> Json:
    """Flat to nested. A built-in tool stays as it is."""
    kind = tool.get("type")
    if kind == "function":
        names = {"name", "description", "parameters", "strict"}
        function = {key: value for key, value in tool.items() if key in names and value is not None}
        return {"type": kind, "function": function} | without(tool, {*names, "type"})
    if kind == "custom":
        names = {"name", "description", "format"}
        custom = {key: value for key, value in tool.items() if key in names}
        if "format" in custom:
            custom["format"] = _grammar(custom["format"])
        return {"type": kind, "custom": custom} | without(tool, {*names, "type"})
    return tool


def _grammar(told: Json) -> Json:
    if told.get("type") != "grammar":
        return told
    return {"type": "grammar", "grammar": without(told, {"type"})}


def _tool_choice(choice: Json) -> Json:
    if isinstance(choice, str):
        return choice
    kind = choice.get("type")
    if kind in {"function", "custom"}:
        return {"type": kind, kind: {"name": choice.get("name")}}
    if kind == "allowed_tools":
        tools = [_tool_choice(tool) for tool in choice.get("tools") or ()]
        return {"type": kind, "allowed_tools": {"mode": choice.get("mode", "auto"), "tools": tools}}
    return choice


def _text(text: Json) -> Json:
    """`text.format` and `text.verbosity`."""
    out: Json = {}
    if text.get("verbosity") is not None:
        out["verbosity"] = text["verbosity"]
    told = text.get("format") or {"type": "text"}
    if told["type"] == "json_schema":
        out["response_format"] = {"type": "json_schema", "json_schema": without(told, {"type"})}
    elif told["type"] != "text":
        out["response_format"] = told
    return out


def _reasoning(doc: Json) -> Json:
    told = {key: value for key, value in (doc.get("reasoning") or {}).items() if value is not None}
    effort = told.pop("effort", None)
    out: Json = {"reasoning": told} if told else {}
    return out | ({"reasoning_effort": effort} if effort is not None else {})


def _include(doc: Json) -> Json:
    told = list(doc.get("include") or ())
    out: Json = {"logprobs": True} if _LOGPROBS in told or doc.get("top_logprobs") else {}
    rest = [name for name in told if name != _LOGPROBS]
    return out | ({"include": rest} if rest else {})
