"""The texts of a partial answer, for enforcement on a stream in this dialect.

Channels: `(candidate, "text")` and `(candidate, "thought")` for what streams; below
`(candidate, "part")` and `(candidate, "beside")` for what comes all at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire import failures, texts
from nexus_sdk.wire.dialect import Channel, Slot, event
from nexus_sdk.wire.dialects.gemini import response
from nexus_sdk.wire.dialects.gemini.words import TEXT
from nexus_sdk.wire.json import at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent

_CANDIDATE = frozenset({"content", "index", "finishReason", "logprobsResult", "safetyRatings"})
_NAMES = ("modelVersion", "responseId")


def slots(doc: Json, name: str) -> list[Slot]:  # noqa: ARG001  one signature for all dialects
    if not isinstance(doc, dict):
        return []
    found: list[Slot] = []
    for place, candidate in enumerate(doc.get("candidates") or ()):
        found += _candidate(candidate, candidate.get("index", place))
    found += _leaves(doc, ("answer",), {"candidates"})
    return found


def _candidate(candidate: Json, index: int) -> Iterator[Slot]:
    for place, part in enumerate((candidate.get("content") or {}).get("parts") or ()):
        kind = "thought" if part.get("thought") else "text"
        if isinstance(part.get("text"), str) and part["text"]:
            yield Slot((index, kind), part, "text", "text")
        yield from _leaves(part, (index, "part", place), {"text"})
    if not candidate.keys() <= _CANDIDATE:
        yield from _leaves(candidate, (index, "beside"), _CANDIDATE)
    if candidate.get("logprobsResult"):
        yield Slot((index, "text"), candidate, "logprobsResult", "logprobs")


def _leaves(holder: Json, channel: Channel, known: frozenset[str] | set[str]) -> list[Slot]:
    """Every text below `holder` but in the members that are known, each a channel of its own."""
    rest = {key: value for key, value in holder.items() if key not in known}
    return [
        Slot(
            (*channel, *leaf.path),
            at(holder, leaf.path[:-1]),
            leaf.path[-1],
            "whole",
        )
        for leaf in texts.leaves(rest, TEXT)
        if not leaf.number
    ]


def closes(doc: Json, name: str) -> list[Channel]:  # noqa: ARG001
    """A reason ends its candidate; a prompt that is blocked ends all."""
    if not isinstance(doc, dict):
        return []
    if response.blocked(doc):
        return [()]
    return [
        (candidate.get("index", place),)
        for place, candidate in enumerate(doc.get("candidates") or ())
        if candidate.get("finishReason")
    ]


def delta(channel: Channel, text: str, like: Json) -> StreamEvent:
    part: Json = {"text": text} | ({"thought": True} if channel[1] == "thought" else {})
    candidate = {"content": {"parts": [part], "role": "model"}, "index": channel[0]}
    named = {key: like[key] for key in _NAMES if key in (like or {})}
    return event("", {"candidates": [candidate]} | named)


def terminal(event: StreamEvent) -> bool:
    """There is no end marker: a stream is whole once a candidate told why it ended."""
    doc = event.doc
    ended = isinstance(doc, dict) and bool(closes(doc, ""))
    return ended or failures.in_stream(event) is not None
