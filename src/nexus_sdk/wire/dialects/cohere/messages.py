"""Cohere's messages → canonical ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed, Unsupported
from nexus_sdk.wire import carrier
from nexus_sdk.wire.canonical import Placing, entry, without
from nexus_sdk.wire.dialects.cohere import citations
from nexus_sdk.wire.dialects.cohere.words import NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

PARTS = frozenset({"text", "image_url", "document"})
"""Parts of a message that is not the assistant's. All have one form here and there."""
_OWN = frozenset({"content", "tool_plan", "citations"})


def message(told: Json, path: str) -> Json:
    if told["role"] == "assistant":
        return without(told, _OWN) | assistant(told, path)
    content = told.get("content")
    for place, part in enumerate(content if isinstance(content, list) else ()):
        if part.get("type") not in PARTS:
            raise Unsupported(
                f"content parts of type {part.get('type')!r} are not known, so they cannot be "
                "translated",
                param=f"{path}.content.{place}.type",
            )
    return dict(told)


def assistant(told: Json, path: str) -> Json:
    """An assistant's content, plan and citations as members of a canonical message; `content` is a
    string where it was one, else a list of text parts, or None."""
    turn = Turn()
    content = told.get("content")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    for place, part in enumerate(parts):
        try:
            _PARTS.get(part.get("type"), Turn.native)(turn, part)
        except KeyError as err:
            missing = f"{path}.content.{place}.{err.args[0]}"
            raise Malformed(f"{missing} is missing", param=missing) from None
    if told.get("tool_plan"):
        turn.plan(told["tool_plan"])
    for citation in told.get("citations") or ():
        turn.cite(citation)
    members = turn.members()
    return members | {"content": content} if isinstance(content, str) else members


class Turn:
    """An assistant's turn while its parts are read."""

    def __init__(self) -> None:
        self.texts: list[Json] = []
        self.length = 0
        self.starts: dict[int, int] = {}
        self.thoughts: list[str] = []
        self.placing = Placing()
        self.lists: Json = {"reasoning_blocks": [], "provider_blocks": [], "annotations": []}
        self._parts = 0

    def text(self, part: Json) -> None:
        self._begin()
        self.texts.append(part)
        self.length += len(part["text"])

    def thinking(self, part: Json) -> None:
        self._begin()
        if part["thinking"]:
            self.thoughts.append(part["thinking"])
        if part["thinking"] or part.get("signature"):
            self._put("reasoning_blocks", thought(part))

    def native(self, part: Json) -> None:
        """A part that is newer than this table: it is kept for its origin."""
        self._begin()
        self._put("provider_blocks", entry(NAME, part))

    def plan(self, text: str) -> None:
        self.thoughts.append(text)
        self._put("reasoning_blocks", plan(text))

    def cite(self, citation: Json) -> None:
        start = self.starts.get(citation.get("content_index") or 0, 0)
        self.lists["annotations"].append(citations.annotation(citation, start))

    def _begin(self) -> None:
        self.starts[self._parts] = self.length
        self._parts += 1

    def _put(self, field: str, told: Json) -> None:
        self.lists[field].append(self.placing.put(field, told, self.length)[1])

    def members(self) -> Json:
        told = {"reasoning_content": "\n\n".join(self.thoughts), **self.lists}
        return {"content": self.texts or None} | {
            key: value for key, value in told.items() if value
        }


_PARTS: Mapping[str | None, Callable[[Turn, Json], None]] = {
    "text": Turn.text,
    "thinking": Turn.thinking,
}


def thought(part: Json) -> Json:
    """The entry of a thinking part: another vendor's block that came in our signature, or the part
    itself."""
    return carrier.unpack(part.get("signature") or "", part["thinking"]) or entry(NAME, part)


def plan(text: str) -> Json:
    """The entry of a plan of tools, which stands beside the content."""
    return entry(NAME, {"type": "tool_plan", "text": text})


def strip_foreign(doc: Json, report: Report) -> Json:
    """Without the reasoning of other vendors that our answers carry in a member which Cohere does
    not know."""
    told = list(doc["messages"])
    for place, turn in enumerate(told):
        content = turn.get("content")
        if turn["role"] != "assistant" or not isinstance(content, list):
            continue
        kept = [part for part in content if not carrier.is_packed(part.get("signature"))]
        if len(kept) < len(content):
            told[place] = turn | {"content": kept}
            report.omitted(f"messages.{place}.content", "reasoning that Cohere did not make")
    if told == doc["messages"]:
        return doc
    return doc | {"messages": [turn for turn in told if _says_something(turn)]}


def _says_something(turn: Json) -> bool:
    return bool(turn.get("content") or turn.get("tool_calls") or turn["role"] != "assistant")
