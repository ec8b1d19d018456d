"""Content blocks → canonical messages and parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed, Unsupported
from nexus_sdk.wire import carrier
from nexus_sdk.wire.canonical import Placing, data_url, entry, without
from nexus_sdk.wire.dialects.anthropic.words import (
    DEFAULT_FILENAME,
    NAME,
    NATIVE_BLOCKS,
    NATIVE_PARTS,
)
from nexus_sdk.wire.json import dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json


def messages(message: Json, path: str) -> list[Json]:
    """The canonical messages of one turn: results of tools are messages of their own, before the
    rest."""
    content, role = message["content"], message["role"]
    rest = without(message, {"content"})
    if isinstance(content, str):
        return [rest | {"content": content}]
    if role == "assistant":
        return [rest | assistant(content, path)]
    results = [
        _result(block, f"{path}.content.{i}")
        for i, block in enumerate(content)
        if _is_result(block)
    ]
    parts = [
        part(block, f"{path}.content.{i}")
        for i, block in enumerate(content)
        if not _is_result(block)
    ]
    return [*results, rest | {"content": parts}] if parts or not results else results


def strip_foreign(doc: Json, report: Report) -> Json:
    """Without reasoning that Anthropic did not sign: another vendor's, packed, or told without a
    signature."""
    turns = list(doc["messages"])
    for place, turn in enumerate(turns):
        content = turn["content"]
        if turn["role"] != "assistant" or not isinstance(content, list):
            continue
        kept = [block for block in content if not _is_foreign(block)]
        if len(kept) < len(content):
            turns[place] = turn | {"content": kept}
            report.omitted(f"messages.{place}.content", "reasoning that Anthropic did not sign")
    return (
        doc | {"messages": [turn for turn in turns if turn["content"]]}
        if turns != doc["messages"]
        else doc
    )


def _is_foreign(block: Json) -> bool:
    if block["type"] == "thinking":
        return not block.get("signature") or carrier.is_packed(block["signature"])
    return bool(block["type"] == "redacted_thinking" and carrier.is_packed(block.get("data")))


def _is_result(block: Json) -> bool:
    return bool(block["type"] == "tool_result")


def _result(block: Json, path: str) -> Json:
    content = block.get("content") or ""
    if isinstance(content, list):
        content = [part(inner, f"{path}.content.{i}") for i, inner in enumerate(content)]
    message = {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": content}
    return message | without(block, {"type", "tool_use_id", "content"})


def part(block: Json, path: str) -> Json:
    """A block of a user's turn or of a tool's result as a content part. Raises Unsupported."""
    kind = block.get("type")
    if kind in NATIVE_PARTS:
        return block
    if kind not in _PARTS:
        raise _unknown(kind, f"{path}.type")
    return _PARTS[kind](block)


def _unknown(kind: Json, param: str) -> Unsupported:
    known = f"content blocks of type {kind!r} are not known, so they cannot be translated"
    return Unsupported(known, param=param)


def _as_it_is(block: Json) -> Json:
    return block


def _image(block: Json) -> Json:
    url = _url(block)
    if url is None:
        return block
    return {"type": "image_url", "image_url": {"url": url}} | without(block, {"type", "source"})


def _document(block: Json) -> Json:
    """A PDF as a file part, its title as the file's name. Plain text, parts and Anthropic's own
    files stay."""
    url = _url(block)
    if url is None:
        return block
    file = {"filename": block.get("title") or DEFAULT_FILENAME}
    file["file_data" if block["source"]["type"] == "base64" else "file_url"] = url
    return {"type": "file", "file": file} | without(block, {"type", "source", "title"})


def _url(block: Json) -> str | None:
    source = block.get("source") or {}
    if source.get("type") == "base64":
        return data_url(source.get("media_type") or "", source.get("data") or "")
    return source.get("url") if source.get("type") == "url" else None


_PARTS: dict[str, Callable[[Json], Json]] = {
    "text": _as_it_is,
    "image": _image,
    "document": _document,
}


def assistant(content: list[Json], path: str) -> Json:
    """An assistant's blocks as the members of a canonical message, `content` a list of text parts
    or None."""
    turn = _Turn()
    for place, block in enumerate(content):
        kind = block["type"]
        if kind not in _BLOCKS:
            raise _unknown(kind, f"{path}.content.{place}.type")
        try:
            _BLOCKS[kind](turn, block)
        except KeyError as err:
            missing = f"{path}.content.{place}.{err.args[0]}"
            raise Malformed(f"{missing} is missing", param=missing) from None
    return turn.message()


class _Turn:
    """An assistant's turn while its blocks are read."""

    def __init__(self) -> None:
        self.texts: list[Json] = []
        self.length = 0
        self.calls: list[Json] = []
        self.thoughts: list[str] = []
        self.placing = Placing()
        self.reasoning: list[Json] = []
        self.provider: list[Json] = []

    def text(self, block: Json) -> None:
        self.texts.append(block)
        self.length += len(block["text"])

    def tool_use(self, block: Json) -> None:
        function = {"name": block["name"], "arguments": dumps(block["input"]).decode()}
        call = {"id": block["id"], "type": "function", "function": function}
        self.calls.append(call | without(block, {"type", "id", "name", "input"}))

    def thinking(self, block: Json) -> None:
        text, signature = block["thinking"], block.get("signature") or ""
        if text:
            self.thoughts.append(text)
        back = carrier.unpack(signature, text)
        if back or signature:
            self._reasoned(back or entry(NAME, block))

    def redacted_thinking(self, block: Json) -> None:
        back = carrier.unpack(block["data"], "")
        self._reasoned(back or entry(NAME, block))

    def _reasoned(self, told: Json) -> None:
        self.reasoning.append(self.placing.put("reasoning_blocks", told, self.length)[1])

    def native(self, block: Json) -> None:
        self.provider.append(
            self.placing.put("provider_blocks", entry(NAME, block), self.length)[1]
        )

    def message(self) -> Json:
        told = {
            "tool_calls": self.calls,
            "reasoning_content": "\n\n".join(self.thoughts),
            "reasoning_blocks": self.reasoning,
            "provider_blocks": self.provider,
        }
        return {"content": self.texts or None} | {
            key: value for key, value in told.items() if value
        }


_BLOCKS: Mapping[str, Callable[[_Turn, Json], None]] = {
    "text": _Turn.text,
    "tool_use": _Turn.tool_use,
    "thinking": _Turn.thinking,
    "redacted_thinking": _Turn.redacted_thinking,
} | dict.fromkeys(NATIVE_BLOCKS, _Turn.native)
