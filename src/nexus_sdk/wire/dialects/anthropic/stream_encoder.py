"""Canonical chunks → a stream of message events.

Each content block ends before the next begins, has an index of its own, and is told as its text
arrives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nexus_sdk.wire import carrier, natives
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialect import event
from nexus_sdk.wire.dialects.anthropic import response, turns
from nexus_sdk.wire.dialects.anthropic.words import NAME
from nexus_sdk.wire.tool_queue import ToolQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.dialect import Reply
    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent
    from nexus_sdk.wire.tool_queue import Call

_ENDING = ("container", "stop_details", "context_management")
"""What Anthropic tells beside the stop reason."""


class Encoder:
    """One stream's. Only the first choice can be told in this dialect."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._out: list[StreamEvent] = []
        self._started = False
        self._index = -1
        self._open = ""
        self._thinking = ""
        self._thoughts: list[str] = []
        self._call: Call | None = None
        self._tools = ToolQueue()
        self._late: list[Json] = []
        self._refused = False
        self._finish: Json = {}
        self._extras: Json = {}
        self._usage: Json = {}
        self._own: Json = {}

    def feed(self, chunk: Json) -> list[StreamEvent]:
        if chunk.get("usage"):
            self._usage = chunk["usage"]
        self._own = natives.own_answer(chunk, NAME) or self._own
        if told := natives.own_event(chunk, NAME):
            self._native_event(told)
        for choice in chunk["choices"]:
            if choice.get("index", 0) != 0:
                continue
            self._start(chunk)
            self._delta(choice.get("delta") or {})
            if choice.get("finish_reason") is not None:
                self._finish = choice
                self._extras = {key: chunk[key] for key in _ENDING if key in chunk}
        return self._take()

    def close(self) -> list[StreamEvent]:
        self._start({})
        self._settle()
        usage = self._own.get("usage") or response.own_usage(self._usage)
        stopped = response.stop(self._finish, called=self._tools.any, refused=self._refused)
        delta = self._extras | stopped
        self._emit("message_delta", {"delta": delta, "usage": usage})
        self._emit("message_stop", {})
        return self._take()

    def _take(self) -> list[StreamEvent]:
        out, self._out = self._out, []
        return out

    def _emit(self, name: str, members: Json) -> None:
        self._out.append(event(name, {"type": name} | members))

    def _start(self, chunk: Json) -> None:
        if self._started:
            return
        self._started = True
        usage = response.own_usage(self._usage) | {"output_tokens": 0}
        head = {
            "id": chunk.get("id") or self._reply.id,
            "type": "message",
            "role": "assistant",
            "model": chunk.get("model") or self._reply.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }
        self._emit("message_start", {"message": head | self._own.get("message", {})})

    def _delta(self, delta: Json) -> None:
        for key, tell in self._MEMBERS.items():
            if value := delta.get(key):
                # What comes while a call's arguments are unfinished waits: a block cannot be opened
                # again.
                if self._call is not None and key != "tool_calls" and not self._next_call():
                    self._late.append({key: value})
                else:
                    tell(self, value)

    # ---- blocks -----------------------------------------------------------------------------

    def _begin(self, kind: str, block: Json) -> None:
        self._end()
        self._index += 1
        self._open = kind
        self._emit("content_block_start", {"index": self._index, "content_block": block})

    def _piece(self, kind: str, field: str, value: Json) -> None:
        delta = {"type": kind, field: value}
        self._emit("content_block_delta", {"index": self._index, "delta": delta})

    def _end(self) -> None:
        if self._open == "thinking":
            self._thoughts.append(self._thinking)
        if self._open:
            self._emit("content_block_stop", {"index": self._index})
        self._open = ""

    def _whole(self, block: Json) -> None:
        """A block that comes all at once."""
        self._begin(block["type"], block)
        self._end()

    def _text(self, text: str) -> None:
        if self._open != "text":
            self._begin("text", {"type": "text", "text": ""})
        self._piece("text_delta", "text", text)

    def _refuse(self, text: str) -> None:
        self._refused = True
        self._text(text)

    def _think(self, text: str) -> None:
        if self._open != "thinking":
            self._begin("thinking", {"type": "thinking", "thinking": "", "signature": ""})
            # The canonical form parts blocks of reasoning by an empty line; here they are blocks.
            text = text.removeprefix("\n\n") if self._thoughts else text
            self._thinking = ""
        self._thinking += text
        self._piece("thinking_delta", "thinking", text)

    def _reasoned(self, entries: list[Json]) -> None:
        """A whole reasoning block: its text has been told, so its signature ends it; or it is told
        now."""
        for told in entries:
            block = turns.thinking(told)
            text = carrier.text_of(block)
            if self._open != "thinking" and text and text in self._thoughts:
                # Its text has gone out in a block that is closed: only what nobody reads is left.
                block = turns.sealed(told)
            if block["type"] != "thinking":
                self._whole(block)
                continue
            if self._open != "thinking":
                self._begin("thinking", {"type": "thinking", "thinking": "", "signature": ""})
                self._thinking = text
                if text:
                    self._piece("thinking_delta", "thinking", text)
            self._piece("signature_delta", "signature", block.get("signature") or "")
            self._end()

    def _native(self, entries: list[Json]) -> None:
        for told in entries:
            if told["origin"] == NAME:
                self._whole(told["block"])

    def _native_event(self, doc: Json) -> None:
        """An event of Anthropic's that is newer than our tables. One of a block belongs to the open
        one."""
        if doc["type"] == "content_block_start":
            self._begin("text", doc["content_block"] | {"text": ""})
            return
        place = {"index": max(self._index, 0)} if "index" in doc else {}
        self._emit(doc["type"], without(doc, {"type"}) | place)

    def _annotate(self, entries: list[Json]) -> None:
        if self._open == "text":
            for told in entries:
                self._piece("citations_delta", "citation", turns.citation_of(told)[2])
            self._end()

    # ---- tools ------------------------------------------------------------------------------

    def _called(self, pieces: list[Json]) -> None:
        for piece in pieces:
            self._tools.take(piece)
            while self._flush() and self._next_call():
                pass

    def _flush(self) -> bool:
        """Tells what can be told of the current call. False when there is none that is ready."""
        call = self._call or self._tools.current()
        if call is None or not {"id", "name"} <= call.head.keys():
            return False
        if self._call is None:
            self._call = call
            self._begin("tool_use", {"type": "tool_use"} | call.head | {"input": {}})
        for text in call.waiting:
            self._piece("input_json_delta", "partial_json", text)
        call.waiting.clear()
        return True

    def _next_call(self) -> bool:
        """Ends the current call when its arguments are complete."""
        if self._call is None or not self._call.braces.complete:
            return False
        self._call.done = True
        self._call = None
        self._end()
        return True

    def _settle(self) -> None:
        """The end of the answer: every call is told as far as it came, then what had to wait for
        them."""
        self._tools.finish()
        while self._flush() and self._call is not None:
            self._call.done = True
            self._call = None
            self._end()
        late, self._late = self._late, []
        for delta in late:
            self._delta(delta)
        self._end()

    _MEMBERS: ClassVar[dict[str, Callable[[Encoder, Json], None]]] = {
        "reasoning_content": _think,
        "reasoning_blocks": _reasoned,
        "provider_blocks": _native,
        "content": _text,
        "refusal": _refuse,
        "annotations": _annotate,
        "tool_calls": _called,
    }
