"""The items of an answer while it streams: what each tells when it begins, grows and ends.

An item appends its events to `tell`, and keeps the item that the end of the stream repeats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialects.openai_responses import output

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json


class Tell(Protocol):
    """Sends one event; adds its sequence number."""

    def __call__(self, name: str, members: Json) -> None: ...


class Item:
    """One output item. `doc` is it as a whole, so far."""

    def __init__(self, tell: Tell, output_index: int, doc: Json) -> None:
        self._tell = tell
        self._ids = {"item_id": doc.get("id", ""), "output_index": output_index}
        self._index = output_index
        self.doc = doc
        self.open = True

    def begin(self, empty: Json) -> None:
        self._tell(
            "response.output_item.added", {"output_index": self._index, "item": self.doc | empty}
        )

    def end(self) -> None:
        """Ends it, once."""
        if self.open:
            self.open = False
            self._finish()
            self._tell("response.output_item.done", {"output_index": self._index, "item": self.doc})

    def _finish(self) -> None:
        """What an item tells before its own end."""


class Message(Item):
    """Text and refusal, each a content part; one part at a time. `start`: characters of the
    answer's text before the part that is open."""

    def __init__(self, tell: Tell, output_index: int, names: Json) -> None:
        doc = {"type": "message", "role": "assistant", "status": "completed", "content": []} | names
        super().__init__(tell, output_index, doc)
        self.start = 0
        self.begin({"status": "in_progress", "content": []})

    def text(self, text: str, logprobs: list[Json], start: int) -> None:
        part = self._part("output_text", output.output_text("", []), start)
        part["text"] += text
        part["logprobs"] += logprobs
        members = {"delta": text, "logprobs": logprobs}
        self._tell("response.output_text.delta", self._place() | members)

    def refusal(self, text: str) -> None:
        part = self._part("refusal", {"type": "refusal", "refusal": ""}, 0)
        part["refusal"] += text
        self._tell("response.refusal.delta", self._place() | {"delta": text})

    def annotate(self, annotation: Json) -> None:
        parts = self.doc["content"]
        if parts and parts[-1]["type"] == "output_text":
            known = parts[-1]["annotations"]
            members = {"annotation_index": len(known), "annotation": annotation}
            known.append(annotation)
            self._tell("response.output_text.annotation.added", self._place() | members)

    def _part(self, kind: str, empty: Json, start: int) -> Json:
        parts = self.doc["content"]
        if not parts or parts[-1]["type"] != kind:
            self._finish()
            parts.append(empty)
            self.start = start
            told = empty | {"annotations": [], "logprobs": []} if kind == "output_text" else empty
            self._tell("response.content_part.added", self._place() | {"part": dict(told)})
        return parts[-1]

    def _place(self) -> Json:
        return self._ids | {"content_index": len(self.doc["content"]) - 1}

    def _finish(self) -> None:
        if not self.doc["content"]:
            return
        part = self.doc["content"][-1]
        members = (
            {"text": part["text"], "logprobs": part["logprobs"]}
            if "text" in part
            else {"refusal": part["refusal"]}
        )
        self._tell(f"response.{part['type']}.done", self._place() | members)
        self._tell("response.content_part.done", self._place() | {"part": part})


class _Thought(NamedTuple):
    """How one form of reasoning is told: the type of a part, the member of its index, its
    events."""

    type: str
    place: str
    event: str
    part: str


_THOUGHTS = {
    "summary": _Thought(
        "summary_text", "summary_index", "reasoning_summary_text", "reasoning_summary_part"
    ),
    "content": _Thought("reasoning_text", "content_index", "reasoning_text", "content_part"),
}


class Reasoning(Item):
    """A summary, or the reasoning itself (`content`), one part at a time. `seal` gives it what its
    vendor needs to take it back."""

    def __init__(self, tell: Tell, output_index: int, names: Json) -> None:
        super().__init__(tell, output_index, {"type": "reasoning", "summary": []} | names)
        self._field = "summary"
        self.begin({"summary": []})

    def text(self, text: str, field: str) -> None:
        if not self.doc.get(field):
            self.part(field)
        self.doc[field][-1]["text"] += text
        self._tell(f"response.{_THOUGHTS[field].event}.delta", self._place() | {"delta": text})

    def part(self, field: str) -> None:
        """Begins the next part."""
        self._finish()
        self._field = field
        part = {"type": _THOUGHTS[field].type, "text": ""}
        self.doc.setdefault(field, []).append(part)
        self._tell(f"response.{_THOUGHTS[field].part}.added", self._place() | {"part": dict(part)})

    def seal(self, item: Json) -> None:
        """Ends it with the opaque members of a whole item; the id that was told stays."""
        self.doc |= without(item, {"id", "summary", "content", "type"})
        self.end()

    def _place(self) -> Json:
        return self._ids | {_THOUGHTS[self._field].place: len(self.doc[self._field]) - 1}

    def _finish(self) -> None:
        for part in (self.doc.get(self._field) or ())[-1:]:
            names, place = _THOUGHTS[self._field], self._place()
            self._tell(f"response.{names.event}.done", place | {"text": part["text"]})
            self._tell(f"response.{names.part}.done", place | {"part": part})


class Call(Item):
    """A function's call, or a custom tool's."""

    def __init__(self, tell: Tell, output_index: int, names: Json) -> None:
        super().__init__(tell, output_index, names | {"status": "completed"})
        self._field, self._event = _BODIES[self.doc["type"]]
        self.doc[self._field] = ""
        self.begin({"status": "in_progress"})

    def text(self, text: str) -> None:
        self.doc[self._field] += text
        self._tell(f"response.{self._event}.delta", self._ids | {"delta": text})

    def _finish(self) -> None:
        named = {"name": self.doc["name"]} if self._field == "arguments" else {}
        members = {self._field: self.doc[self._field]} | named
        self._tell(f"response.{self._event}.done", self._ids | members)


_BODIES = {
    "function_call": ("arguments", "function_call_arguments"),
    "custom_tool_call": ("input", "custom_tool_call_input"),
}
