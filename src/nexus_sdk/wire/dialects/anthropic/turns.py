"""Canonical messages → turns of content blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from nexus_sdk.errors import Malformed, Unsupported
from nexus_sdk.wire import carrier, grounding
from nexus_sdk.wire.canonical import (
    Place,
    foreign,
    interleave,
    is_data_url,
    opaque,
    pieces,
    placed,
    split_data_url,
    stranded,
    tool_calls,
    without,
)
from nexus_sdk.wire.dialects.anthropic.words import DEFAULT_FILENAME, NAME, NATIVE_PARTS
from nexus_sdk.wire.tool_queue import CANONICAL_ONLY

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json


def conversation(messages: list[Json], report: Report) -> tuple[Json, list[Json]]:
    """`system`, and the turns. Results of tools that follow each other, and what the user says
    after them, are one turn, as Anthropic wants all results in the turn after their calls."""
    system, rest = _leading_system(messages)
    turns: list[Json] = []
    open_results = False
    for place, message in enumerate(rest, start=len(messages) - len(rest)):
        turn = _turn(message, f"messages.{place}", report)
        if turn is None:
            continue
        if open_results and turn["role"] == "user":
            turns[-1]["content"] += _as_blocks(turn["content"])
        else:
            turns.append(turn)
        open_results = message["role"] == "tool"
    return system, turns


def _leading_system(messages: list[Json]) -> tuple[Json, list[Json]]:
    count = 0
    while count < len(messages) and messages[count]["role"] in {"system", "developer"}:
        count += 1
    if count == 0:
        return None, messages
    contents = [_system_content(message) for message in messages[:count]]
    if count == 1:
        return contents[0], messages[1:]
    return [block for content in contents for block in _as_blocks(content)], messages[count:]


def _system_content(message: Json) -> Json:
    content = message.get("content") or ""
    if not isinstance(content, str):
        return [part for part in content if part.get("text") != ""]
    marker = message.get("cache_control")
    return [{"type": "text", "text": content, "cache_control": marker}] if marker else content


def _as_blocks(content: Json) -> list[Json]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return list(content)


def _turn(message: Json, path: str, report: Report) -> Json | None:
    role = message["role"]
    if role not in _TURNS:
        raise Malformed(f"{path}.role must be one of {', '.join(_TURNS)}", param=f"{path}.role")
    if message.get("name"):
        report.omitted(f"{path}.name", "turns have no names")
    return _TURNS[role](message, path, report)


def _system(message: Json, path: str, report: Report) -> Json:  # noqa: ARG001
    """A system message in mid-conversation, which the API takes in its place."""
    return {"role": "system", "content": _system_content(message)}


def _user(message: Json, path: str, report: Report) -> Json:
    content = message.get("content") or ""
    if not isinstance(content, str):
        content = [part(item, f"{path}.content.{i}", report) for i, item in enumerate(content)]
    return without(message, {"name", "id", "status"}) | {"role": "user", "content": content}


def _tool(message: Json, path: str, report: Report) -> Json:
    content = message.get("content") or ""
    if not isinstance(content, str):
        content = [part(item, f"{path}.content.{i}", report) for i, item in enumerate(content)]
    result = {"type": "tool_result", "tool_use_id": message.get("tool_call_id"), "content": content}
    rest = without(message, {"role", "tool_call_id", "content", "name", "id", "status"})
    return {"role": "user", "content": [result | rest]}


def _assistant(message: Json, path: str, report: Report) -> Json | None:
    if foreign(message, "reasoning_blocks", NAME):
        report.omitted(f"{path}.reasoning_blocks", "the reasoning of another vendor stays with it")
    if stranded(message, NAME):
        report.dropped(
            f"{path}.provider_blocks",
            "the items of another vendor's tools cannot be given to this one",
        )
    if message.get("reasoning_content") and not message.get("reasoning_blocks"):
        report.omitted(f"{path}.reasoning_content", "reasoning without its signature is not taken")
    if message.get("audio"):
        report.dropped(f"{path}.audio", "there is no audio")
    content = message.get("content")
    if isinstance(content, str) and content and not (message.keys() - {"role", "content", "name"}):
        return {"role": "assistant", "content": content}
    blocks = answer_blocks(message, path, reasoning=_own_reasoning(message))
    if not blocks:
        report.coerced(f"{path}: an empty turn->(left out)")
        return None
    return {"role": "assistant", "content": blocks}


_TURNS: dict[str, Callable[[Json, str, Report], Json | None]] = {
    "system": _system,
    "developer": _system,
    "user": _user,
    "assistant": _assistant,
    "tool": _tool,
}


def _own_reasoning(message: Json) -> list[tuple[Place, Json]]:
    return opaque(message, "reasoning_blocks", NAME)


def all_reasoning(message: Json) -> list[tuple[Place, Json]]:
    """Every reasoning block in a form that Anthropic's clients show and send back; other vendors'
    are packed."""
    text = message.get("reasoning_content") or ""
    if not message.get("reasoning_blocks"):
        return [((0, 0), {"type": "thinking", "thinking": text, "signature": ""})] if text else []
    return [(place, thinking(entry)) for place, entry in placed(message, "reasoning_blocks")]


def thinking(entry: Json) -> Json:
    """The block of one entry of `reasoning_blocks`."""
    if entry["origin"] == NAME:
        return dict(entry["block"])
    text = carrier.text_of(entry["block"])
    if not text:
        return sealed(entry)
    return {"type": "thinking", "thinking": text, "signature": carrier.pack(entry)}


def sealed(entry: Json) -> Json:
    """A block of the opaque part alone."""
    return {"type": "redacted_thinking", "data": carrier.pack(entry)}


def answer_blocks(message: Json, path: str, *, reasoning: list[tuple[Place, Json]]) -> list[Json]:
    """An assistant's blocks: reasoning and native blocks in their places among the text, then the
    tool calls."""
    native = opaque(message, "provider_blocks", NAME)
    texts = _texts(message, [at for (at, _), _ in (*reasoning, *native)])
    calls = [
        _tool_use(call, f"{path}.tool_calls.{i}") for i, call in enumerate(tool_calls(message))
    ]
    return interleave(texts, [*reasoning, *native]) + calls


def _texts(message: Json, marks: list[int]) -> list[tuple[int, Json]]:
    content = message.get("content") or ""
    if isinstance(content, str):
        found = _cited(content, message.get("annotations") or (), marks)
    else:
        found, place = [], 0
        for item in content:
            text = item.get("text") or item.get("refusal") or ""
            if text:
                found.append(
                    (place, without(item, {"refusal", "annotations", "logprobs"}) | _block(text))
                )
            place += len(text)
    if message.get("refusal"):
        found.append((sum(len(block["text"]) for _, block in found), _block(message["refusal"])))
    return found


def _block(text: str) -> Json:
    return {"type": "text", "text": text}


def _cited(text: str, annotations: Json, marks: list[int]) -> list[tuple[int, Json]]:
    """`text` as blocks, each citation on the block that begins where the citation does."""
    citations: dict[int, list[Json]] = {}
    for annotation in annotations:
        start, end, citation = citation_of(annotation)
        if 0 <= start < end <= len(text):
            citations.setdefault(start, []).append(citation)
            marks = [*marks, start, end]
    blocks = [(start, _block(piece)) for start, piece in pieces(text, marks)]
    return [
        (start, block | {"citations": citations[start]} if start in citations else block)
        for start, block in blocks
    ]


def citation_of(annotation: Json) -> tuple[int, int, Json]:
    """Where an annotation stands, and Anthropic's citation for it."""
    told = annotation.get("url_citation") or annotation
    start, end = told.get("start_index") or 0, told.get("end_index") or 0
    if annotation.get("origin") == NAME:
        return start, end, annotation["block"]
    return start, end, {
        "type": "web_search_result_location",
        "url": told.get("url") or "",
        "title": told.get("title"),
        "cited_text": "",
        "encrypted_index": "",
    }  # fmt: skip


def _tool_use(call: Json, path: str) -> Json:
    """A call as a block. A custom tool's input, which is any text, is the one member of an
    object."""
    rest = without(call, {"id", *CANONICAL_ONLY})
    if "custom" in call:
        name, given = call["custom"]["name"], {"input": call["custom"]["input"]}
    else:
        name = call["function"]["name"]
        given = arguments(call["function"].get("arguments") or "", path)
    return {"type": "tool_use", "id": call["id"], "name": name, "input": given} | rest


def arguments(text: str, path: str) -> Json:
    """A tool call's arguments as an object; no text is an empty one. Raises Malformed."""
    param = f"{path}.function.arguments"
    try:
        value = orjson.loads(text) if text.strip() else {}
    except orjson.JSONDecodeError:
        raise Malformed(f"{param} is not valid JSON", param=param) from None
    if not isinstance(value, dict):
        raise Malformed(f"{param} must hold a JSON object", param=param)
    return value


def part(item: Json, path: str, report: Report) -> Json:
    """A canonical content part as a block. Raises Unsupported."""
    kind = item.get("type")
    if kind == "document" and "document" in item:
        report.coerced(f"{path}: Cohere's document->text document")
        return grounding.source(item["document"])
    if kind in NATIVE_PARTS or kind in {"image", "document"}:
        return item
    if kind not in _PARTS:
        raise Unsupported(f"Anthropic has no content of type {kind!r}", param=f"{path}.type")
    return _PARTS[kind](item, path, report)


def _text(item: Json, path: str, report: Report) -> Json:  # noqa: ARG001
    return without(item, {"annotations", "logprobs"})


def _image(item: Json, path: str, report: Report) -> Json:
    url = item["image_url"].get("url")
    if url is None:
        raise Unsupported("the file of another vendor cannot be read", param=f"{path}.image_url")
    if item["image_url"].get("detail") not in {None, "auto"}:
        report.omitted(f"{path}.image_url.detail", "images have no such setting")
    return {"type": "image", "source": _source(url, path)} | without(item, {"type", "image_url"})


def _file(item: Json, path: str, report: Report) -> Json:  # noqa: ARG001
    file = item["file"]
    url = file.get("file_data") or file.get("file_url")
    if url is None:
        raise Unsupported("the file of another vendor cannot be read", param=f"{path}.file.file_id")
    source = _source(url, f"{path}.file.file_data")
    if source["type"] == "base64" and source["media_type"] != "application/pdf":
        raise Unsupported("only PDF files are taken", param=f"{path}.file.file_data")
    name = file.get("filename") or DEFAULT_FILENAME
    title = {} if name == DEFAULT_FILENAME else {"title": name}
    return {"type": "document", "source": source} | title | without(item, {"type", "file"})


def _source(url: str, path: str) -> Json:
    if not is_data_url(url):
        return {"type": "url", "url": url}
    media_type, data = split_data_url(url, path)
    return {"type": "base64", "media_type": media_type, "data": data}


def _refusal(item: Json, path: str, report: Report) -> Json:  # noqa: ARG001
    return _block(item["refusal"])


_PARTS: dict[str, Callable[[Json, str, Report], Json]] = {
    "text": _text,
    "image_url": _image,
    "file": _file,
    "refusal": _refusal,
}
