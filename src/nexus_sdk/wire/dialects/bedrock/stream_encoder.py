"""Canonical chunks → a stream of Converse's events.

Each content block ends before the next begins, and has an index of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nexus_sdk.wire import carrier, natives
from nexus_sdk.wire.dialect import event
from nexus_sdk.wire.dialects.bedrock import response, turns
from nexus_sdk.wire.dialects.bedrock.words import NAME
from nexus_sdk.wire.json import dumps
from nexus_sdk.wire.tool_queue import ToolQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.dialect import Reply
    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent
    from nexus_sdk.wire.tool_queue import Call

_FIELDS = "additionalModelResponseFields"
_BESIDE = ("metrics", "trace", "performanceConfig", "serviceTier", "service_tier")
"""What the last event tells beside the counts."""


class Encoder:
    """One stream's. Only the first choice can be told in this dialect."""

    def __init__(self, reply: Reply) -> None:  # noqa: ARG002  the stream has neither id nor model
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
        self._fields: Json = {}
        self._last: Json = {}

    def feed(self, chunk: Json) -> list[StreamEvent]:
        if chunk.get("usage"):
            self._last["usage"] = chunk["usage"]
        self._last |= {key: chunk[key] for key in _BESIDE if chunk.get(key) is not None}
        if told := natives.own_event(chunk, NAME):
            self._emit(told["name"], told["doc"])
        for choice in chunk["choices"]:
            if choice.get("index", 0) != 0:
                continue
            self._start()
            self._delta(choice.get("delta") or {})
            if choice.get("finish_reason") is not None:
                self._finish = choice
                self._fields = {_FIELDS: chunk[_FIELDS]} if _FIELDS in chunk else {}
        return self._take()

    def close(self) -> list[StreamEvent]:
        self._start()
        self._settle()
        reason = response.stop(self._finish, called=self._tools.any, refused=self._refused)
        self._emit("messageStop", {"stopReason": reason} | self._fields)
        usage = response.own_usage(self._last.pop("usage", {}))
        self._emit("metadata", {"usage": usage} | response.beside(self._last))
        return self._take()

    def _take(self) -> list[StreamEvent]:
        out, self._out = self._out, []
        return out

    def _emit(self, name: str, doc: Json) -> None:
        self._out.append(event(name, doc))

    def _start(self) -> None:
        if not self._started:
            self._started = True
            self._emit("messageStart", {"role": "assistant"})

    def _delta(self, delta: Json) -> None:
        for key, tell in self._MEMBERS.items():
            value = delta.get(key)
            if value or (key == "annotations" and value is not None):
                # What comes while a call's arguments are unfinished waits: a block cannot be opened
                # again.
                if self._call is not None and key != "tool_calls" and not self._next_call():
                    self._late.append({key: value})
                else:
                    tell(self, value)

    # ---- blocks -----------------------------------------------------------------------------

    def _begin(self, kind: str, start: Json | None = None) -> None:
        """Only a tool's block is told to begin; of others the first piece says it."""
        self._end()
        self._index += 1
        self._open = kind
        if start is not None:
            self._emit("contentBlockStart", {"contentBlockIndex": self._index, "start": start})

    def _piece(self, delta: Json) -> None:
        self._emit("contentBlockDelta", {"contentBlockIndex": self._index, "delta": delta})

    def _end(self) -> None:
        if self._open == "reasoning":
            self._thoughts.append(self._thinking)
        if self._open:
            self._emit("contentBlockStop", {"contentBlockIndex": self._index})
        self._open = ""

    def _text(self, text: str) -> None:
        if self._open != "text":
            self._begin("text")
        self._piece({"text": text})

    def _refuse(self, text: str) -> None:
        self._refused = True
        self._text(text)

    def _think(self, text: str) -> None:
        if self._open != "reasoning":
            self._begin("reasoning")
            # The canonical form parts blocks of reasoning by an empty line; here they are blocks.
            text = text.removeprefix("\n\n") if self._thoughts else text
            self._thinking = ""
        self._thinking += text
        self._piece({"reasoningContent": {"text": text}})

    def _reasoned(self, entries: list[Json]) -> None:
        """A whole reasoning block: its text has been told, so its signature ends it; or it is told
        now."""
        for told in entries:
            block = turns.shown_reasoning(told)["reasoningContent"]
            text = carrier.text_of(told["block"])
            if self._open != "reasoning" and text and text in self._thoughts:
                # Its text has gone out in a block that is closed: only what nobody reads is left.
                block = turns.sealed(told)["reasoningContent"]
            if "reasoningText" not in block:
                self._begin("sealed")
                self._piece({"reasoningContent": block})
                self._end()
                continue
            if self._open != "reasoning":
                self._begin("reasoning")
                self._thinking = text
                self._piece({"reasoningContent": {"text": text}})
            if signature := block["reasoningText"].get("signature"):
                self._piece({"reasoningContent": {"signature": signature}})
            self._end()

    def _native(self, entries: list[Json]) -> None:
        for told in entries:
            if told["origin"] != NAME:
                continue
            for kind, value in told["block"].items():
                tell = self._NATIVE.get(kind)
                if tell is not None:
                    tell(self, value)
                else:
                    self._begin("native")
                    self._piece({kind: value})
                self._end()

    def _server_tool(self, told: Json) -> None:
        start = {key: value for key, value in told.items() if key != "input"}
        self._begin("native", {"toolUse": start})
        if "input" in told:
            self._piece({"toolUse": {"input": dumps(told["input"]).decode()}})

    def _server_result(self, told: Json) -> None:
        start = {key: value for key, value in told.items() if key != "content"}
        self._begin("native", {"toolResult": start})
        for piece in told.get("content") or ():
            self._piece({"toolResult": [piece]})

    def _image(self, told: Json) -> None:
        self._begin("native", {"image": {"format": told.get("format")}})
        self._piece({"image": {key: value for key, value in told.items() if key != "format"}})

    def _annotate(self, entries: list[Json]) -> None:
        """What an open text cites, if anything: with it the block ends."""
        if self._open == "text":
            for told in entries:
                self._piece({"citation": turns.citation_of(told)})
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
            start = {"toolUseId": call.head["id"], "name": call.head["name"]}
            self._begin("tool", {"toolUse": start})
        for text in call.waiting:
            self._piece({"toolUse": {"input": text}})
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
    _NATIVE: ClassVar[dict[str, Callable[[Encoder, Json], None]]] = {
        "toolUse": _server_tool,
        "toolResult": _server_result,
        "image": _image,
    }
