"""Canonical chunks → a stream of Responses events."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nexus_sdk.wire import carrier, natives
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialect import event
from nexus_sdk.wire.dialects.openai_responses import output, response_encode
from nexus_sdk.wire.dialects.openai_responses.open_items import Call, Item, Message, Reasoning
from nexus_sdk.wire.dialects.openai_responses.words import NAME
from nexus_sdk.wire.json import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.dialect import Reply
    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent


class Encoder:
    """One stream's. Only the first choice can be told. A tool's call stays open until the answer
    ends, since calls may come in turns; reasoning until its ciphertext comes, which some providers
    send late; a message ends when the next item begins."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._out: list[StreamEvent] = []
        self._number = 0
        self._response: Json = {}
        self._items: list[Item] = []
        self._current: Message | None = None
        self._thinking: Reasoning | None = None
        self._names: Json = {}
        self._calls: dict[int, Call] = {}
        self._heads: dict[int, Json] = {}
        self._length = 0
        self._thought = False
        self._thought_part = False
        self._raw = False
        self._choice: Json = {}
        self._extras: Json = {}
        self._usage: Json = None
        self._own: Json | None = None
        self._natives: dict[str, Item] = {}
        self._places: dict[int, int] = {}

    def feed(self, chunk: Json) -> list[StreamEvent]:
        if natives.ANSWER in chunk:
            self._own = natives.own_answer(chunk, NAME)
        if told := natives.own_event(chunk, NAME):
            self._native_event(told)
        if chunk.get("usage"):
            self._usage = chunk["usage"]
        for choice in chunk["choices"]:
            if choice.get("index", 0) != 0:
                continue
            self._start(chunk)
            self._delta(choice)
            if choice.get("finish_reason") is not None:
                self._choice = choice
            if chunk.get("service_tier") is not None:
                self._extras["service_tier"] = chunk["service_tier"]
        return self._take()

    def close(self) -> list[StreamEvent]:
        self._start({})
        for item in self._items:
            item.end()
        refused = any(
            part["type"] == "refusal"
            for item in self._items
            for part in item.doc.get("content") or ()
        )
        ended = response_encode.ending(self._choice | {"message": {"refusal": refused}})
        told = {
            "output": [item.doc for item in self._items],
            "usage": response_encode.own_usage(self._usage),
        }
        self._tell(
            f"response.{ended['status']}",
            {"response": self._response | ended | told | self._extras | (self._own or {})},
        )
        return self._take()

    def _take(self) -> list[StreamEvent]:
        out, self._out = self._out, []
        return out

    def _tell(self, name: str, members: Json) -> None:
        told = event(name, {"type": name, "sequence_number": self._number} | members)
        if not name.endswith(".delta"):
            # An item is told up to three times, and enforcement changes each event's document in
            # place.
            told.doc = parse(told.data, own_encoding=True)
        self._out.append(told)
        self._number += 1

    def _start(self, chunk: Json) -> None:
        if not self._response:
            self._response = response_encode.skeleton(chunk, self._reply)
            self._tell("response.created", {"response": self._response})
            if self._own is None:
                self._tell("response.in_progress", {"response": self._response})

    def _delta(self, choice: Json) -> None:
        delta = choice.get("delta") or {}
        self._raw = bool(((delta.get("native") or {}).get("form") or {}).get("raw"))
        for key, tell in self._MEMBERS.items():
            if value := delta.get(key):
                tell(self, value)
        if text := delta.get("content"):
            logprobs = (choice.get("logprobs") or {}).get("content") or []
            self._message().text(text, logprobs, self._length)
            self._length += len(text)
        if text := delta.get("refusal"):
            self._message().refusal(text)
        for annotation in delta.get("annotations") or ():
            self._annotate(annotation)
        for piece in delta.get("tool_calls") or ():
            self._called(piece)

    def _id(self, prefix: str) -> str:
        return output.item_id(prefix, self._response["id"], len(self._items))

    def _begin[I: Item](self, item: I) -> I:
        self._items.append(item)
        return item

    def _end_current(self) -> None:
        if self._current is not None:
            self._current.end()
        self._current = None

    def _message(self) -> Message:
        if self._current is None:
            names = {"id": self._id("msg")} | without(self._names, {"type"})
            self._names = {}
            self._current = self._begin(Message(self._tell, len(self._items), names))
        return self._current

    def _reasoning(self) -> Reasoning:
        if self._thinking is None:
            self._end_current()
            names = {"id": self._id("rs")}
            self._thinking = self._begin(Reasoning(self._tell, len(self._items), names))
        return self._thinking

    def _think(self, text: str) -> None:
        if self._thinking is not None and self._items[-1] is not self._thinking:
            self._thinking.end()
            self._thinking = None
        if self._thinking is None and self._thought:
            # The canonical form parts blocks of reasoning by an empty line; here they are items.
            text = text.removeprefix("\n\n")
        self._thought = True
        if self._thought_part and self._thinking is not None:
            self._thinking.part("content" if self._raw else "summary")
            text = text.removeprefix("\n\n")
        self._thought_part = False
        if text:
            self._reasoning().text(text, "content" if self._raw else "summary")

    def _reasoned(self, entries: list[Json]) -> None:
        for told in entries:
            text = carrier.text_of(told["block"])
            item = self._reasoning()
            if text and not item.doc["summary"] and not item.doc.get("content"):
                self._thought = True
                item.text(text, "summary")
            item.seal(output.reasoning(told))
            self._thinking = None

    def _native(self, entries: list[Json]) -> None:
        for told in entries:
            block = told["block"]
            if told["origin"] != NAME or block["type"] == "call":
                continue
            self._end_current()
            if block["type"] == "message":
                self._names = block
                continue
            item = self._natives.pop(block.get("id") or "", None)
            if item is None:
                item = self._begin(Item(self._tell, len(self._items), dict(block)))
                item.begin({})
            item.doc = dict(block)
            item.end()

    def _native_event(self, doc: Json) -> None:
        """An event of OpenAI's that has no canonical meaning: an item of a built-in tool begins or
        goes on, a summary has another part, or something newer."""
        kind, place = doc["type"], doc.get("output_index")
        if kind == "response.output_item.added":
            self._end_current()
            self._places[place] = len(self._items)
            self._native_item(dict(doc["item"]))
        elif kind == "response.output_item.done":
            self._end_told(doc["item"])
        elif kind == "response.reasoning_summary_part.added":
            self._thought_part = True
        else:
            moved = {"output_index": self._places.get(place, place)} if place is not None else {}
            self._tell(kind, without(doc, {"type", "sequence_number"}) | moved)

    def _end_told(self, item: Json) -> None:
        """A message or a call has ended."""
        if item["type"] == "message":
            self._end_current()
        for call in self._calls.values():
            if call.doc["call_id"] == item.get("call_id"):
                call.end()

    def _native_item(self, doc: Json) -> None:
        if doc["type"] == "reasoning":
            if self._thinking is not None:
                self._thinking.end()
            self._thinking = self._begin(Reasoning(self._tell, len(self._items), doc))
            return
        item = self._begin(Item(self._tell, len(self._items), doc))
        self._natives[doc.get("id") or ""] = item
        item.begin({})

    def _annotate(self, annotation: Json) -> None:
        flat = output.flat_annotation(annotation)
        if flat is None or self._current is None:
            return
        start = self._current.start
        moved = {key: flat[key] - start for key in ("start_index", "end_index") if key in flat}
        self._current.annotate(without(flat, {"origin", "block"}) | moved)

    def _called(self, piece: Json) -> None:
        """A piece of a call. Its head is told once its id and name are known."""
        index = piece.get("index", 0)
        kind = "custom" if "custom" in piece else "function"
        body = piece.get(kind) or {}
        call = self._calls.get(index)
        if call is None:
            head = self._heads.setdefault(index, {"text": ""})
            head |= {
                key: value for key, value in piece.items() if key not in {"function", "custom"}
            }
            head |= {"name": body["name"], "kind": kind} if body.get("name") else {}
            head["text"] += body.get("arguments") or body.get("input") or ""
            if "name" not in head or not head.get("id"):
                return
            call = self._calls[index] = self._open_call(head)
            text = head["text"]
        else:
            text = body.get("arguments") or body.get("input") or ""
        if text:
            call.text(text)

    def _open_call(self, head: Json) -> Call:
        self._end_current()
        field = {"function": "arguments", "custom": "input"}[head["kind"]]
        body = {"name": head["name"], field: ""}
        rest = without(head, {"kind", "text", "name"})
        item = output.call_item(rest | {head["kind"]: body})
        named = {"id": self._id("fc" if field == "arguments" else "ctc")} | item
        return self._begin(Call(self._tell, len(self._items), named))

    _MEMBERS: ClassVar[dict[str, Callable[[Encoder, Json], None]]] = {
        "reasoning_content": _think,
        "reasoning_blocks": _reasoned,
        "provider_blocks": _native,
    }


"""What comes before the text of the same chunk."""
