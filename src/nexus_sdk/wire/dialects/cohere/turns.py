"""Canonical messages → Cohere's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from nexus_sdk.errors import Malformed, Unsupported
from nexus_sdk.wire import carrier
from nexus_sdk.wire.canonical import (
    Place,
    foreign,
    interleave,
    opaque,
    pieces,
    placed,
    plain_text,
    stranded,
    tell_file_extras,
    tool_calls,
    without,
)
from nexus_sdk.wire.dialects.cohere.words import NAME
from nexus_sdk.wire.json import dumps
from nexus_sdk.wire.tool_queue import CANONICAL_ONLY

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

_LABELS = ("name", "cache_control")


def conversation(
    messages: list[Json], report: Report, *, grounded: bool
) -> tuple[list[Json], list[Json]]:
    """The messages, and the documents that stood among a user's parts. `grounded`: documents may
    go beside the messages; else they are text. Images of tools' results come in a user's message
    after the last of them, as a result holds text and documents only."""
    out: list[Json] = []
    beside: list[Json] = []
    images: list[Json] = []
    for place, message in enumerate(messages):
        if images and message["role"] != "tool":
            out.append({"role": "user", "content": images})
            images = []
        turn = _Turn(f"messages.{place}", report, beside if grounded else None, images)
        if (told := turn.of(message)) is not None:
            out.append(told)
    return ([*out, {"role": "user", "content": images}] if images else out), beside


class _Turn:
    """One message on its way."""

    def __init__(
        self, path: str, report: Report, beside: list[Json] | None, images: list[Json]
    ) -> None:
        self._path = path
        self._report = report
        self._beside = beside
        self._images = images

    def of(self, message: Json) -> Json | None:
        role = message["role"]
        if role not in _TURNS:
            known = ", ".join(_TURNS)
            raise Malformed(f"{self._path}.role must be one of {known}", param=f"{self._path}.role")
        for key in _LABELS:
            if message.get(key):
                self._report.omitted(f"{self._path}.{key}", "messages have no such member")
        return _TURNS[role](self, without(message, {*_LABELS, "id", "status", "phase"}))

    def system(self, message: Json) -> Json:
        if message["role"] != "system":
            self._report.coerced(f"{self._path}.role: {message['role']}->system")
        return message | {"role": "system", "content": self._content(message)}

    def user(self, message: Json) -> Json:
        return message | {"content": self._content(message)}

    def tool(self, message: Json) -> Json:
        if message.get("is_error"):
            self._report.coerced(f"{self._path}.is_error->(content alone)")
        parts = self._content(message)
        if isinstance(parts, list):
            shown = [part for part in parts if part["type"] == "image_url"]
            if shown:
                self._report.coerced(f"{self._path}.content->a user message with its images")
            self._images += shown
            parts = [part for part in parts if part["type"] != "image_url"] or ""
        return without(message, {"is_error"}) | {"content": parts}

    def assistant(self, message: Json) -> Json | None:
        self._tell_foreign(message)
        told = {"role": "assistant"} | answered(message, _own_reasoning(message))
        bare = message.get("reasoning_content") if not message.get("reasoning_blocks") else None
        if bare:
            self._reason(told, bare)
        annotations = message.get("annotations") or ()
        if cited := [one["block"] for one in annotations if one.get("origin") == NAME]:
            told["citations"] = cited
        if told.keys() == {"role"}:
            self._report.coerced(f"{self._path}: an empty turn->(left out)")
            return None
        return told

    def _reason(self, told: Json, text: str) -> None:
        """Reasoning without a block of its own: the plan of the tools that it leads to, or
        thinking."""
        if "tool_calls" in told:
            self._report.coerced(f"{self._path}.reasoning_content->tool_plan")
            told["tool_plan"] = text
            return
        content = told.get("content") or []
        said = [{"type": "text", "text": content}] if isinstance(content, str) else content
        told["content"] = [{"type": "thinking", "thinking": text}, *said]

    def _tell_foreign(self, message: Json) -> None:
        path, report = self._path, self._report
        if foreign(message, "reasoning_blocks", NAME):
            report.omitted(
                f"{path}.reasoning_blocks", "the reasoning of another vendor stays with it"
            )
        if stranded(message, NAME):
            report.dropped(
                f"{path}.provider_blocks",
                "the items of another vendor's tools cannot be given to this one",
            )
        if any(told.get("origin") != NAME for told in message.get("annotations") or ()):
            report.omitted(f"{path}.annotations", "the citations of another vendor stay with it")
        if message.get("audio"):
            report.dropped(f"{path}.audio", "there is no audio")
        if any("custom" in call for call in message.get("tool_calls") or ()):
            report.coerced(f"{path}.tool_calls: custom->function with the argument input")

    def _content(self, message: Json) -> Json:
        content = message.get("content") or ""
        if isinstance(content, str):
            return content
        result = message["role"] == "tool"
        told = [
            self._part(item, f"{self._path}.content.{i}", result=result)
            for i, item in enumerate(content)
        ]
        return [part for part in told if part is not None]

    def _part(self, item: Json, path: str, *, result: bool) -> Json | None:
        kind = item.get("type")
        if "cache_control" in item:
            self._report.omitted(f"{path}.cache_control", "it caches without markers")
        text = plain_text(item) if kind in _READABLE else None
        if text is not None:
            return self._document(item, text, path, result=result)
        if kind not in _PARTS:
            raise Unsupported(f"Cohere has no content of type {kind!r}", param=f"{path}.type")
        return _PARTS[kind](item, path, self._report)

    def _document(self, item: Json, text: str, path: str, *, result: bool) -> Json | None:
        """A document: in its place in a tool's result, else beside the messages, where there is
        room."""
        if result and "document" in item:
            return {"type": "document", "document": item["document"]}
        if not result and self._beside is None:
            self._report.coerced(f"{path}: {item['type']}->text")
            return {"type": "text", "text": text}
        tell_file_extras(without(item, _DOCUMENT), path, self._report)
        told = item.get("document") or document(item)
        if result:
            self._report.coerced(f"{path}: {item['type']}->document")
            return {"type": "document", "document": told}
        self._report.coerced(f"{path}: {item['type']}->documents")
        assert self._beside is not None
        self._beside.append(told)
        return None


_TURNS: dict[str, Callable[[_Turn, Json], Json | None]] = {
    "system": _Turn.system,
    "developer": _Turn.system,
    "user": _Turn.user,
    "assistant": _Turn.assistant,
    "tool": _Turn.tool,
}
_READABLE = frozenset({"document", "search_result"})
_DOCUMENT = frozenset(
    {"source", "title", "content", "document", "context", "citations", "cache_control"}
)


def document(part: Json) -> Json:
    """Anthropic's document of text, or its search result, as Cohere's. Text that is a JSON object
    is the document's data itself."""
    source = part.get("source")
    if isinstance(source, str):
        text = "\n\n".join(inner.get("text") or "" for inner in part.get("content") or ())
        return {"data": _named(part, {"url": source, "text": text})}
    text = source.get("data") or "".join(
        inner.get("text") or "" for inner in source.get("content") or ()
    )
    data = (
        _object(text) if part.keys() <= {"type", "source", "citations", "cache_control"} else None
    )
    return {"data": _named(part, {"text": text}) if data is None else data}


def _named(part: Json, data: Json) -> Json:
    return {key: part[key] for key in ("title", "context") if part.get(key)} | data


def _object(text: str) -> Json | None:
    if not text.startswith("{"):
        return None
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return data if isinstance(data, dict) else None


def _text(item: Json, path: str, report: Report) -> Json:
    if item.get("citations") or item.get("annotations"):
        report.omitted(f"{path}.citations", "the citations of another vendor stay with it")
    return {"type": "text", "text": item["text"]}


def _image(item: Json, path: str, report: Report) -> Json:  # noqa: ARG001
    if item["image_url"].get("url") is None:
        raise Unsupported("the file of another vendor cannot be read", param=f"{path}.image_url")
    return {"type": "image_url", "image_url": item["image_url"]}


def _refusal(item: Json, path: str, report: Report) -> Json:  # noqa: ARG001
    return {"type": "text", "text": item["refusal"]}


_PARTS: dict[str | None, Callable[[Json, str, Report], Json]] = {
    "text": _text,
    "image_url": _image,
    "refusal": _refusal,
}


def _own_reasoning(message: Json) -> list[tuple[Place, Json]]:
    return opaque(message, "reasoning_blocks", NAME)


def all_reasoning(message: Json) -> list[tuple[Place, Json]]:
    """Every reasoning block in a form that Cohere's clients show and send back; other vendors' are
    packed."""
    text = message.get("reasoning_content") or ""
    if not message.get("reasoning_blocks"):
        return [((0, 0), {"type": "thinking", "thinking": text})] if text else []
    return [(place, thinking(entry)) for place, entry in placed(message, "reasoning_blocks")]


def thinking(entry: Json) -> Json:
    """The block of one entry of `reasoning_blocks`. Cohere's clients keep members that they do not
    know, so that another vendor's signature comes back."""
    if entry["origin"] == NAME:
        return dict(entry["block"])
    text = carrier.text_of(entry["block"])
    return {"type": "thinking", "thinking": text, "signature": carrier.pack(entry)}


def answered(message: Json, reasoning: list[tuple[Place, Json]]) -> Json:
    """Content, plan and calls of an assistant's message. `content` stays a string where nothing
    stands beside it."""
    plans = [block["text"] for _, block in reasoning if block["type"] == "tool_plan"]
    inside = [told for told in reasoning if told[1]["type"] != "tool_plan"]
    inside += opaque(message, "provider_blocks", NAME)
    told = {
        "content": _blocks(message, inside),
        "tool_plan": "\n\n".join(plans),
        "tool_calls": [call_of(call) for call in tool_calls(message)],
    }
    return {key: value for key, value in told.items() if value}


def _blocks(message: Json, inside: list[tuple[Place, Json]]) -> Json:
    content = message.get("content") or ""
    if isinstance(content, str) and not inside and not message.get("refusal"):
        return content
    return interleave(_texts(message, [at for (at, _), _ in inside]), inside)


def _texts(message: Json, marks: list[int]) -> list[tuple[int, Json]]:
    content = message.get("content") or ""
    parts = [content] if isinstance(content, str) else [_said(item) for item in content]
    if message.get("refusal"):
        parts.append(message["refusal"])
    found: list[tuple[int, Json]] = []
    place = 0
    for text in parts:
        inner = [mark - place for mark in marks]
        found += [
            (place + start, {"type": "text", "text": piece}) for start, piece in pieces(text, inner)
        ]
        place += len(text)
    return found


def _said(item: Json) -> str:
    return str(item.get("text") or item.get("refusal") or "")


def call_of(call: Json) -> Json:
    """A call; a custom tool's input is the one member of an object."""
    rest = without(call, {"id", "cache_control", *CANONICAL_ONLY})
    if "custom" in call:
        given = dumps({"input": call["custom"]["input"]}).decode()
        function = {"name": call["custom"]["name"], "arguments": given}
    else:
        function = call["function"] | {"arguments": call["function"].get("arguments") or "{}"}
    return {"id": call["id"], "type": "function", "function": function} | rest
