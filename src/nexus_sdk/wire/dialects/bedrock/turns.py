"""Canonical messages → turns of content blocks."""

from __future__ import annotations

import base64
from itertools import groupby
from typing import TYPE_CHECKING

import orjson

from nexus_sdk.errors import Malformed
from nexus_sdk.wire import carrier
from nexus_sdk.wire.canonical import (
    Place,
    foreign,
    interleave,
    opaque,
    pieces,
    placed,
    stranded,
    text_of,
    tool_calls,
    without,
)
from nexus_sdk.wire.dialects.bedrock.names import call_id
from nexus_sdk.wire.dialects.bedrock.parts import Parts
from nexus_sdk.wire.dialects.bedrock.words import NAME
from nexus_sdk.wire.tool_queue import CANONICAL_ONLY

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

_LABELS = frozenset({"role", "content", "name", "id", "status", "cache_control"})
_TOOL_USE = frozenset({"toolUseId", "name", "input", "type"})
_TOOL_RESULT = frozenset({"toolUseId", "content", "status", "type"})


def conversation(messages: list[Json], report: Report) -> tuple[list[Json], list[Json]]:
    """`system`, and the turns. Turns of one role that follow each other become one, since Bedrock
    wants the roles to alternate; the results of tools and what the user says after them are one
    turn anyway."""
    turner = _Turner(report)
    count = 0
    while count < len(messages) and messages[count]["role"] in {"system", "developer"}:
        count += 1
    system = [block for i in range(count) for block in turner.system(messages[i], f"messages.{i}")]
    turns: list[Json] = []
    after_result = False
    for place, message in enumerate(messages[count:], start=count):
        role, content = turner.turn(message, f"messages.{place}")
        if not content:
            report.coerced(f"messages.{place}: an empty turn->(left out)")
            continue
        if turns and turns[-1]["role"] == role:
            if not after_result:
                report.coerced(f"messages.{place}: joined with the turn before it")
            turns[-1]["content"] += content
        else:
            turns.append({"role": role, "content": content})
        after_result = message["role"] == "tool"
    return system, turns


class _Turner:
    """Makes the turns of one request."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._parts = Parts(report)

    def turn(self, message: Json, path: str) -> tuple[str, list[Json]]:
        """Role and blocks. Raises Malformed for a role that is not known."""
        told = _ROLES.get(message["role"])
        if told is None:
            raise Malformed(f"{path}.role must be one of {', '.join(_ROLES)}", param=f"{path}.role")
        if message.get("name"):
            self._report.omitted(f"{path}.name", "turns have no names")
        role, make = told
        return role, make(self, message, path)

    def system(self, message: Json, path: str) -> list[Json]:
        """In the middle of a conversation such a message stays in its place, as a turn of its
        own."""
        return self.user(message, path)

    def user(self, message: Json, path: str) -> list[Json]:
        content = self._parts.blocks(message.get("content"), f"{path}.content")
        for key in sorted(message.keys() - _LABELS):
            if message[key] is not None:
                self._report.omitted(f"{path}.{key}", "a turn has no such member")
        return content + (self._parts.point(message, path) if content else [])

    def tool(self, message: Json, path: str) -> list[Json]:
        content = self._parts.result(message.get("content"), f"{path}.content")
        given = message.get("tool_call_id") or ""
        result: Json = {"toolUseId": self._call_id(given, f"{path}.tool_call_id")}
        result["content"] = content
        if message.get("is_error") is not None:
            result["status"] = "error" if message["is_error"] else "success"
        result |= without(message, {*_LABELS, "tool_call_id", "is_error"})
        self._own_members(result, _TOOL_RESULT, path)
        return [{"toolResult": result}, *self._parts.point(message, path)]

    def assistant(self, message: Json, path: str) -> list[Json]:
        self._tell(message, path)
        own = opaque(message, "reasoning_blocks", NAME)
        reasoning = [(place, reasoning_block(block)) for place, block in own]
        blocks = self._interleaved(message, path, reasoning)
        for place, call in enumerate(tool_calls(message)):
            here = f"{path}.tool_calls.{place}"
            told = tool_use(call, here)["toolUse"]
            self._own_members(told, _TOOL_USE, here)
            told["toolUseId"] = self._call_id(call["id"], f"{here}.id")
            blocks += [{"toolUse": told}, *self._parts.point(call, here)]
        return blocks

    def _own_members(self, told: Json, own: frozenset[str], path: str) -> None:
        """Takes out of a new object what Bedrock's has not."""
        for key in sorted(told.keys() - own):
            del told[key]
            self._report.omitted(f"{path}.{key}", "Bedrock has no such member")

    def _interleaved(
        self, message: Json, path: str, reasoning: list[tuple[Place, Json]]
    ) -> list[Json]:
        """The texts, with their cache points, and the opaque blocks between them."""
        native = opaque(message, "provider_blocks", NAME)
        marks = [at for (at, _), _ in (*reasoning, *native)]
        own = [one for one in message.get("annotations") or () if one.get("origin") == NAME]
        content = message.get("content") or ""
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        texts: list[tuple[int, Json]] = []
        place = 0
        for i, item in enumerate(content):
            text, here = item.get("text") or item.get("refusal") or "", f"{path}.content.{i}"
            if item.get("citations") or item.get("annotations"):
                why = "the citations of another vendor stay with it"
                self._report.omitted(f"{here}.citations", why)
            texts += cited(text, own, marks, place)
            place += len(text)
            texts += [(place, point) for point in self._parts.point(item, here)]
        if message.get("refusal"):
            texts.append((place, {"text": message["refusal"]}))
        return interleave(texts, [*reasoning, *native])

    def _tell(self, message: Json, path: str) -> None:
        """What of an assistant's turn stays behind."""
        report = self._report
        if foreign(message, "reasoning_blocks", NAME):
            why = "the reasoning of another vendor stays with it"
            report.omitted(f"{path}.reasoning_blocks", why)
        elif message.get("reasoning_content") and not message.get("reasoning_blocks"):
            why = "only reasoning that Bedrock made is taken"
            report.omitted(f"{path}.reasoning_content", why)
        if stranded(message, NAME):
            report.dropped(
                f"{path}.provider_blocks",
                "the items of another vendor's tools cannot be given to this one",
            )
        if message.get("audio"):
            report.dropped(f"{path}.audio", "an answer of audio cannot be given again")
        if foreign_notes := [
            one for one in message.get("annotations") or () if one.get("origin") != NAME
        ]:
            report.omitted(
                f"{path}.annotations",
                f"{len(foreign_notes)} citations of another vendor stay with it",
            )

    def _call_id(self, given: str, path: str) -> str:
        made = call_id(given)
        if made != given:
            self._report.coerced(f"{path}->{made}")
        return made


_ROLES: dict[str, tuple[str, Callable[[_Turner, Json, str], list[Json]]]] = {
    "system": ("system", _Turner.system),
    "developer": ("system", _Turner.system),
    "user": ("user", _Turner.user),
    "assistant": ("assistant", _Turner.assistant),
    "tool": ("user", _Turner.tool),
}


def reasoning_block(block: Json) -> Json:
    """Bedrock's own block of an entry of `reasoning_blocks`, in its form on the wire."""
    kind, rest = block.get("type"), without(block, {"type"})
    if kind == "redactedContent":
        return {"reasoningContent": {"redactedContent": rest["data"]}}
    return {"reasoningContent": {"reasoningText": rest} if kind == "reasoningText" else rest}


def shown_reasoning(entry: Json) -> Json:
    """The block of any entry, in a form that Bedrock's clients show and send back: another vendor's
    is packed."""
    if entry["origin"] == NAME:
        return reasoning_block(entry["block"])
    text = carrier.text_of(entry["block"])
    if not text:
        return sealed(entry)
    told = {"text": text, "signature": carrier.pack(entry)}
    return {"reasoningContent": {"reasoningText": told}}


def sealed(entry: Json) -> Json:
    """A block of the opaque part alone. What is a blob on the wire is base64 of our token."""
    data = base64.b64encode(carrier.pack(entry).encode()).decode()
    return {"reasoningContent": {"redactedContent": data}}


def answer_blocks(message: Json, path: str) -> list[Json]:
    """An answer's blocks, for a client: every vendor's reasoning, and every citation."""
    text = message.get("reasoning_content") or ""
    reasoning = [
        (place, shown_reasoning(entry)) for place, entry in placed(message, "reasoning_blocks")
    ]
    if text and not reasoning:
        reasoning = [((0, 0), {"reasoningContent": {"reasoningText": {"text": text}}})]
    native = opaque(message, "provider_blocks", NAME)
    marks = [at for (at, _), _ in (*reasoning, *native)]
    content = text_of(message.get("content"))
    texts = cited(content, message.get("annotations") or (), marks, 0)
    if message.get("refusal"):
        texts.append((len(content), {"text": message["refusal"]}))
    calls = [tool_use(call, f"{path}.tool_calls.{i}") for i, call in enumerate(tool_calls(message))]
    return interleave(texts, [*reasoning, *native]) + calls


def cited(text: str, annotations: Json, marks: list[int], start: int) -> list[tuple[int, Json]]:
    """`text`, which begins at character `start` of the message, in blocks; those that an annotation
    spans exactly bear its citation."""
    if not text:
        return []
    end = start + len(text)
    spans = [(span, one) for one in annotations if (span := _span(one, start, end))]
    cuts = [*(mark - start for mark in marks)]
    cuts += [edge - start for span, _ in spans for edge in span]
    citations = {
        span: [citation_of(one) for _, one in group]
        for span, group in groupby(sorted(spans, key=lambda one: one[0]), lambda one: one[0])
    }
    blocks: list[tuple[int, Json]] = []
    for at, piece in pieces(text, cuts):
        span = (start + at, start + at + len(piece))
        block: Json = {"text": piece}
        if span in citations:
            block = {"citationsContent": {"content": [block], "citations": citations.pop(span)}}
        blocks.append((span[0], block))
    return _longer(blocks, citations)


def _longer(
    blocks: list[tuple[int, Json]], left: dict[tuple[int, int], list[Json]]
) -> list[tuple[int, Json]]:
    """Citations whose range was cut in pieces go to the piece that they begin with."""
    for (begin, _), told in left.items():
        for place, (at, block) in enumerate(blocks):
            if at != begin:
                continue
            if "text" in block:
                block = {"citationsContent": {"content": [block], "citations": []}}  # noqa: PLW2901
                blocks[place] = (at, block)
            block["citationsContent"]["citations"] += told
    return blocks


def _span(annotation: Json, start: int, end: int) -> tuple[int, int] | None:
    """The range of an annotation, where it lies in the text between `start` and `end`."""
    told = annotation.get("url_citation") or annotation
    first, last = told.get("start_index") or 0, told.get("end_index") or 0
    return (first, last) if start <= first < last <= end else None


def citation_of(annotation: Json) -> Json:
    """Bedrock's citation for an annotation."""
    if annotation.get("origin") == NAME:
        return annotation["block"]
    told = annotation.get("url_citation") or annotation
    title = {"title": told["title"]} if told.get("title") else {}
    return title | {"location": {"web": {"url": told.get("url") or ""}}}


def tool_use(call: Json, path: str) -> Json:
    """A call as a block. A custom tool's input, which is any text, is the one member of an
    object."""
    rest = without(call, {"id", "cache_control", *CANONICAL_ONLY})
    if "custom" in call:
        name, given = call["custom"]["name"], {"input": call["custom"]["input"]}
    else:
        name = call["function"]["name"]
        given = _arguments(call["function"].get("arguments") or "", path)
    return {"toolUse": {"toolUseId": call["id"], "name": name, "input": given} | rest}


def _arguments(text: str, path: str) -> Json:
    """A tool call's arguments as an object; no text is an empty one. Raises Malformed."""
    param = f"{path}.function.arguments"
    try:
        value = orjson.loads(text) if text.strip() else {}
    except orjson.JSONDecodeError:
        raise Malformed(f"{param} is not valid JSON", param=param) from None
    if not isinstance(value, dict):
        raise Malformed(f"{param} must hold a JSON object", param=param)
    return value
