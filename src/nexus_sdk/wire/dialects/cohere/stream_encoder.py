"""Canonical chunks → a stream of chat events.

Calls are told one after the other: Cohere's clients keep one open call at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nexus_sdk.wire import carrier, natives
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialect import event
from nexus_sdk.wire.dialects.cohere import citations, response, turns
from nexus_sdk.wire.dialects.cohere.words import NAME
from nexus_sdk.wire.tool_queue import ToolQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.dialect import Reply
    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent
    from nexus_sdk.wire.tool_queue import Call


class Encoder:
    """One stream's. Only the first choice can be told in this dialect."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._out: list[StreamEvent] = []
        self._started = False
        self._index = -1
        self._open = ""
        self._text = ""
        self._start = 0
        self._thought = ""
        self._thoughts: list[str] = []
        self._planned = ""
        self._citations = 0
        self._tools = ToolQueue()
        self._call: Call | None = None
        self._calls = -1
        self._finish: Json = {}
        self._usage: Json = {}

    def feed(self, chunk: Json) -> list[StreamEvent]:
        if chunk.get("usage"):
            self._usage = chunk["usage"]
        if told := natives.own_event(chunk, NAME):
            self._emit(told["type"], without(told, {"type"}))
        for choice in chunk["choices"]:
            if choice.get("index", 0) != 0:
                continue
            self._begin(chunk)
            self._choice(choice)
            if choice.get("finish_reason") is not None:
                self._finish = choice
        return self._take()

    def close(self) -> list[StreamEvent]:
        self._begin({})
        self._tools.finish()
        while self._flush() and self._call is not None:
            self._end_call()
        self._end()
        ended = {
            "finish_reason": response.stop(self._finish, called=self._tools.any),
            "usage": response.own_usage(self._usage),
        }
        self._emit("message-end", {"delta": ended})
        return self._take()

    def _take(self) -> list[StreamEvent]:
        out, self._out = self._out, []
        return out

    def _emit(self, name: str, members: Json) -> None:
        self._out.append(event(name, {"type": name} | members))

    def _tell(self, name: str, message: Json, index: int | None = None, more: Json = ()) -> None:
        place = {} if index is None else {"index": index}
        self._emit(name, place | {"delta": {"message": message}} | dict(more))

    def _begin(self, chunk: Json) -> None:
        if self._started:
            return
        self._started = True
        empty: Json = {"content": [], "tool_plan": "", "tool_calls": [], "citations": []}
        told = {"id": chunk.get("id") or self._reply.id}
        self._emit("message-start", told | {"delta": {"message": {"role": "assistant"} | empty}})

    def _choice(self, choice: Json) -> None:
        delta = choice.get("delta") or {}
        if text := delta.get("reasoning_content"):
            (self._plan if choice.get("tool_plan") else self._think)(text)
        for key, tell in self._MEMBERS.items():
            if value := delta.get(key):
                tell(self, value)
        text, tokens = delta.get("content"), (choice.get("logprobs") or {}).get("content") or []
        if text or tokens:
            self._say(text or "", tokens)
        for told in delta.get("annotations") or ():
            self._cite(told)
        for piece in delta.get("tool_calls") or ():
            self._called(piece)

    # ---- content ----------------------------------------------------------------------------

    def _part(self, kind: str) -> None:
        """Opens a content part, unless it is the one that is open."""
        if self._open == kind:
            return
        self._end()
        self._index += 1
        self._open = kind
        self._start = len(self._text)
        self._tell("content-start", {"content": {"type": kind, kind: ""}}, self._index)

    def _end(self, more: Json = ()) -> None:
        """Ends the open part, if there is one."""
        if self._open == "thinking":
            self._thoughts.append(self._thought)
            self._thought = ""
        if self._open:
            self._emit("content-end", {"index": self._index} | dict(more))
        self._open = ""

    def _say(self, text: str, tokens: Json = ()) -> None:
        self._part("text")
        self._text += text
        more = {"logprobs": response.chunk_of(tokens)} if tokens else {}
        self._tell("content-delta", {"content": {"text": text}}, self._index, more)

    def _think(self, text: str) -> None:
        if self._open != "thinking" and (self._thoughts or self._planned):
            # The canonical form parts blocks of reasoning by an empty line; here they are parts.
            text = text.removeprefix("\n\n")
        self._part("thinking")
        self._thought += text
        self._tell("content-delta", {"content": {"thinking": text}}, self._index)

    def _plan(self, text: str) -> None:
        if not self._planned and (self._thoughts or self._thought):
            text = text.removeprefix("\n\n")
        self._end()
        self._planned += text
        self._tell("tool-plan-delta", {"tool_plan": text})

    def _reasoned(self, entries: list[Json]) -> None:
        """A whole reasoning block: its text has been told, so it ends; or it is told now."""
        for told in entries:
            block = turns.thinking(told)
            if block["type"] == "tool_plan":
                if block["text"] not in {self._planned, *self._thoughts, self._thought}:
                    self._plan(block["text"])
                continue
            text = carrier.text_of(block)
            if self._open != "thinking" and text in self._thoughts and "signature" not in block:
                continue
            if self._open != "thinking":
                self._part("thinking")
                if text and text not in self._thoughts:
                    self._think(text)
            seal = without(block, {"type", "thinking"})
            self._end({"delta": {"message": {"content": seal}}} if seal else {})

    def _native(self, entries: list[Json]) -> None:
        for told in entries:
            if told["origin"] == NAME:
                self._end()
                self._index += 1
                self._tell("content-start", {"content": told["block"]}, self._index)
                self._emit("content-end", {"index": self._index})

    def _cite(self, told: Json) -> None:
        part = (max(self._index, 0), self._start)
        citation = citations.of(told, self._text, part, self._reply.request.get("documents") or ())
        if citation is None:
            return
        self._tell("citation-start", {"citations": citation}, self._citations)
        self._emit("citation-end", {"index": self._citations})
        self._citations += 1

    # ---- tools ------------------------------------------------------------------------------

    def _called(self, piece: Json) -> None:
        self._tools.take(piece)
        while self._flush() and self._call is not None and self._call.braces.complete:
            self._end_call()

    def _flush(self) -> bool:
        """Tells what can be told of the current call. False when there is none that is ready."""
        call = self._call or self._tools.current()
        if call is None or not {"id", "name"} <= call.head.keys():
            return False
        if self._call is None:
            self._call = call
            self._end()
            self._calls += 1
            rest = without(call.head, {"id", "name", "cache_control"})
            function = {"name": call.head["name"], "arguments": ""}
            head = {"id": call.head["id"], "type": "function", "function": function} | rest
            self._tell("tool-call-start", {"tool_calls": head}, self._calls)
        for text in call.waiting:
            told = {"tool_calls": {"function": {"arguments": text}}}
            self._tell("tool-call-delta", told, self._calls)
        call.waiting.clear()
        return True

    def _end_call(self) -> None:
        assert self._call is not None
        self._call.done = True
        self._call = None
        self._emit("tool-call-end", {"index": self._calls})

    _MEMBERS: ClassVar[dict[str, Callable[[Encoder, Json], None]]] = {
        "reasoning_blocks": _reasoned,
        "provider_blocks": _native,
        "refusal": _say,
    }
    """What comes before the text of the same chunk."""
