"""Canonical messages → `contents`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from nexus_sdk.errors import Malformed, Unsupported
from nexus_sdk.wire.canonical import (
    Place,
    foreign,
    interleave,
    opaque,
    pieces,
    stranded,
    text_of,
    tool_calls,
)
from nexus_sdk.wire.dialects.gemini import parts
from nexus_sdk.wire.dialects.gemini.contents import wrapped
from nexus_sdk.wire.dialects.gemini.model_turn import MADE
from nexus_sdk.wire.dialects.gemini.words import NAME, RESULT_EXTRAS, SKIP_SIGNATURE, generation

if TYPE_CHECKING:
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

type Placed = list[tuple[Place, Json]]
type Own = list[tuple[int, int, Json]]
"""Texts that were parts of their own: where they begin, their characters, and what they bear."""

_RESULT = frozenset({"role", "tool_call_id", "content", "name", "is_error", "id", "status",
                     "cache_control"})  # fmt: skip


class Conversation:
    """The turns of one request. Results of tools that follow each other are one turn, in the order
    of their calls where Gemini can match them by their order alone."""

    def __init__(self, model: str, report: Report) -> None:
        self._report = report
        self._model = model
        self._names: dict[str, str] = {}
        self._order: list[str] = []
        self._results: list[tuple[str, Json]] = []
        self._shown: list[Json] = []
        self._skipped = False
        self.contents: list[Json] = []

    def add(self, message: Json, path: str) -> None:
        role = message["role"]
        if message.get("name") and role != "tool":
            self._report.omitted(f"{path}.name", "turns have no names")
        if role == "tool":
            self._result(message, path)
            return
        self.flush()
        if role == "assistant":
            self._assistant(message, path)
        elif role in {"user", "system", "developer"}:
            self._user(message, path)
        else:
            known = "system, developer, user, assistant, tool"
            raise Malformed(f"{path}.role must be one of {known}", param=f"{path}.role")

    def flush(self) -> None:
        """Tells the results that wait for a turn."""
        if not self._results:
            return
        if any(name.startswith(MADE) for name, _ in self._results):
            self._results.sort(key=lambda result: self._rank(result[0]))
        told = [{"functionResponse": result} for _, result in self._results]
        self.contents.append({"role": "user", "parts": [*told, *self._shown]})
        self._results, self._shown = [], []

    def _rank(self, name: str) -> int:
        return self._order.index(name) if name in self._order else len(self._order)

    def _user(self, message: Json, path: str) -> None:
        if message["role"] != "user":
            self._report.coerced(f"{path}: a {message['role']} message->a user's turn in its place")
        if "cache_control" in message:
            self._report.omitted(f"{path}.cache_control", "there are no cache markers")
        self.contents.append({"role": "user", "parts": self._content(message, path)})

    def _content(self, message: Json, path: str) -> list[Json]:
        content = message.get("content") or ""
        if isinstance(content, str):
            return [{"text": content}]
        return [
            parts.encode(item, f"{path}.content.{i}", self._report, self._model)
            for i, item in enumerate(content)
        ]

    def _result(self, message: Json, path: str) -> None:
        content = message.get("content") or ""
        shown = [] if isinstance(content, str) else self._media(message, path)
        name = message.get("tool_call_id") or ""
        told: Json = {"name": message.get("name") or self._names.get(name, name)}
        if not name.startswith(MADE):
            told = {"id": name} | told
        told["response"] = wrapped(text_of(content), failed=bool(message.get("is_error")))
        if shown and generation(self._model) >= (3, 0):
            told["parts"] = shown
        elif shown:
            self._report.coerced(f"{path}.content->parts after the results with its media")
            self._shown += shown
        if "cache_control" in message:
            self._report.omitted(f"{path}.cache_control", "there are no cache markers")
        for key in sorted(message.keys() - _RESULT - RESULT_EXTRAS):
            self._report.omitted(f"{path}.{key}", "Gemini's results have no such member")
        rest = {key: message[key] for key in message if key in RESULT_EXTRAS}
        self._results.append((name, told | rest))

    def _media(self, message: Json, path: str) -> list[Json]:
        """The parts of a result that are no text."""
        told = self._content(message, path)
        return [part for part in told if "text" not in part]

    def _assistant(self, message: Json, path: str) -> None:
        self._tell(message, path)
        told = model_parts(message, path, [])
        if not told:
            self._report.coerced(f"{path}: an empty turn->(left out)")
            return
        if generation(self._model) >= (3, 0) and unsigned(told, message):
            told = with_word_for_none(told)
            if not self._skipped:
                self._report.coerced(f"{path}: an unsigned call->{SKIP_SIGNATURE}")
            self._skipped = True
        self._order = [call["id"] for call in tool_calls(message)]
        self._names |= {call["id"]: _name(call) for call in tool_calls(message)}
        self.contents.append({"role": "model", "parts": told})

    def _tell(self, message: Json, path: str) -> None:
        report = self._report
        if foreign(message, "reasoning_blocks", NAME):
            report.omitted(
                f"{path}.reasoning_blocks", "the reasoning of another vendor stays there"
            )
        elif message.get("reasoning_content") and not message.get("reasoning_blocks"):
            report.omitted(f"{path}.reasoning_content", "unsigned reasoning is not sent back")
        if message.get("annotations"):
            report.omitted(f"{path}.annotations", "citations are not sent back")
        if stranded(message, NAME):
            report.dropped(
                f"{path}.provider_blocks",
                "the items of another vendor's tools cannot be given to this one",
            )
        if message.get("audio"):
            report.dropped(f"{path}.audio", "an earlier answer's audio cannot be given")


def _name(call: Json) -> str:
    return str((call.get("custom") or call.get("function") or {}).get("name") or "")


def model_parts(message: Json, path: str, foreign_thoughts: Placed) -> list[Json]:
    """An assistant's message as parts: Gemini's own in their places among the text, each with its
    signature, then the calls that have no place. `foreign_thoughts` are parts already."""
    own = opaque(message, "reasoning_blocks", NAME)
    calls = {
        call["id"]: _call_part(call, f"{path}.tool_calls.{i}")
        for i, call in enumerate(tool_calls(message))
    }
    blocks: Placed = [*foreign_thoughts, *opaque(message, "provider_blocks", NAME)]
    own_texts: Own = []
    for (at, order), block in own:
        part = _block_part(block, calls)
        if part is not None:
            blocks.append(((at, order), part))
        elif block.get("type") == "text":
            own_texts.append((at, _size(block), signed(block)))
    texts = _texts(message, path, [at for (at, _), _ in blocks], own_texts)
    blocks += _sign(texts, own_texts)
    return interleave(texts, blocks) + list(calls.values())


def _block_part(block: Json, calls: dict[str, Json]) -> Json | None:
    """The part of an entry that is one by itself: a thought, or a call that has a place (which then
    is no longer among `calls`)."""
    if block.get("type") == "call" and block.get("id") in calls:
        return calls.pop(block["id"]) | signed(block)
    if block.get("type") == "thought":
        return {"text": block.get("text") or "", "thought": True} | signed(block)
    return None


def signed(block: Json) -> Json:
    """What an entry puts on its part: the signature, and members that are not known here."""
    extra = {
        k: v for k, v in block.items() if k not in {"type", "id", "signature", "format", "text"}
    }
    return extra | ({"thoughtSignature": block["signature"]} if block.get("signature") else {})


def _size(block: Json) -> int:
    told = str(block.get("format") or "0")
    return int(told) if told.isdecimal() else 0


def _sign(texts: list[tuple[int, Json]], own: Own) -> Placed:
    """Puts signatures on the texts that they belong to. The others are parts with no text."""
    starts = {start: place for place, (start, _) in enumerate(texts)}
    out: Placed = []
    for order, (at, size, extra) in enumerate(own):
        if size and at in starts:
            place = starts[at]
            texts[place] = (at, texts[place][1] | extra)
        else:
            out.append(((at, order), {"text": ""} | extra))
    return out


def _texts(message: Json, path: str, marks: list[int], own: Own) -> list[tuple[int, Json]]:
    """The texts cut where parts stand between them, and where a part began or ended. A text that
    was signed is one."""
    content = message.get("content") or ""
    texts: list[str] = []
    items = [{"type": "text", "text": content}] if isinstance(content, str) else content
    for i, item in enumerate(items):
        text = item.get("text") if item.get("type") == "text" else item.get("refusal")
        if text is None:
            param = f"{path}.content.{i}.type"
            raise Unsupported("an assistant's turn holds text and calls only", param=param)
        marks = [*marks, sum(map(len, texts))]
        texts.append(text)
    inside = [range(at + 1, at + size) for at, size, _ in own]
    marks = [mark for mark in marks if not any(mark in span for span in inside)]
    marks += [end for at, size, _ in own for end in (at, at + size)]
    said = "".join(texts)
    found = [(at, {"text": piece}) for at, piece in pieces(said, marks) if piece]
    if message.get("refusal"):
        found.append((len(said), {"text": message["refusal"]}))
    return found


def _call_part(call: Json, path: str) -> Json:
    """A call as a part. A custom tool's input, which is any text, is the one member of its
    arguments."""
    if "custom" in call:
        told: Json = {"name": call["custom"]["name"], "args": {"input": call["custom"]["input"]}}
    else:
        function = call["function"]
        told = {"name": function["name"], "args": arguments(function.get("arguments") or "", path)}
    return {"functionCall": told if call["id"].startswith(MADE) else {"id": call["id"]} | told}


def arguments(text: str, path: str) -> Json:
    """A call's arguments as an object; no text is an empty one. Raises Malformed."""
    param = f"{path}.function.arguments"
    try:
        value = orjson.loads(text) if text.strip() else {}
    except orjson.JSONDecodeError:
        raise Malformed(f"{param} is not valid JSON", param=param) from None
    if not isinstance(value, dict):
        raise Malformed(f"{param} must hold a JSON object", param=param)
    return value


def unsigned(told: list[Json], message: Json) -> bool:
    """Does a turn call tools, and none of its calls bears Gemini's signature? A call without an id
    of its own is Gemini's, of a model that does not sign."""
    calls = [part for part in told if "functionCall" in part]
    return bool(
        calls
        and not any("thoughtSignature" in part for part in calls)
        and not any(call["id"].startswith(MADE) for call in tool_calls(message))
    )


def with_word_for_none(told: list[Json]) -> list[Json]:
    """The first call with Google's word for a signature that there is not."""
    first = next(place for place, part in enumerate(told) if "functionCall" in part)
    marked = told[first] | {"thoughtSignature": SKIP_SIGNATURE}
    return [*told[:first], marked, *told[first + 1 :]]
