"""Input and output items ⇄ canonical messages, as far as whole documents share it.

One canonical message of an assistant is one run of its items: reasoning, a message, calls. A second
message item, or anything that is not the assistant's, begins a new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed, Unsupported
from nexus_sdk.wire import carrier
from nexus_sdk.wire.canonical import Placing, entry, text_of, without
from nexus_sdk.wire.dialects.openai_responses.words import NAME, NATIVE_ITEMS, OURS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json


def messages(told: Json) -> list[Json]:
    """The canonical messages of a request's input. Raises Unsupported, Malformed."""
    if isinstance(told, str):
        return [{"role": "user", "content": told}]
    out: list[Json] = []
    run = Run()
    for place, item in enumerate(told):
        path = f"input.{place}"
        kind = item.get("type") or "message"
        joins = kind in NATIVE_ITEMS or (
            kind in RUN and item.get("role", "assistant") == "assistant"
        )
        if not joins or (kind == "message" and run.texts):
            out += run.messages()
            run = Run()
        try:
            if joins:
                RUN[kind](run, item)
            else:
                out.append(_other(item, kind, path))
        except KeyError as err:
            missing = f"{path}.{err.args[0]}"
            raise Malformed(f"{missing} is missing", param=missing) from None
    return out + run.messages()


def _other(item: Json, kind: str, path: str) -> Json:
    if kind == "message":
        content = item["content"]
        if not isinstance(content, str):
            content = [part(told, f"{path}.content.{i}") for i, told in enumerate(content)]
        return without(item, {"type"}) | {"content": content}
    if kind in {"function_call_output", "custom_tool_call_output"}:
        output = item["output"]
        if not isinstance(output, str):
            output = [part(told, f"{path}.output.{i}") for i, told in enumerate(output)]
        rest = without(item, {"type", "call_id", "output"})
        return {"role": "tool", "tool_call_id": item["call_id"], "content": output} | rest
    raise Unsupported(
        f"items of type {kind!r} cannot be given to another API", param=f"{path}.type"
    )


def strip_foreign(doc: Json, report: Report) -> Json:
    """Without reasoning that OpenAI did not make, and without the ids of items that it does not
    know."""
    told = doc.get("input")
    if not isinstance(told, list):
        return doc
    kept: list[Json] = []
    for place, item in enumerate(told):
        made = OURS in (item.get("id") or "")
        if item.get("type") == "reasoning" and (
            made or carrier.is_packed(item.get("encrypted_content"))
        ):
            report.omitted(f"input.{place}", "reasoning that OpenAI did not make")
            continue
        kept.append(without(item, {"id"}) if made else item)
    return doc if kept == told else doc | {"input": kept}


class Run:
    """An assistant's items while they are read."""

    def __init__(self) -> None:
        self.texts: list[Json] = []
        self.length = 0
        self.calls: list[Json] = []
        self.unplaced: list[str] = []
        self.thoughts: list[str] = []
        self.placing = Placing()
        self.lists: Json = {"reasoning_blocks": [], "provider_blocks": []}

    def message(self, item: Json) -> None:
        """A message item. Its names (`id`, `phase`) are kept as a native item without content:
        OpenAI wants the reasoning before it and the message back together."""
        if name := header(item):
            self.put("provider_blocks", name)
        content = item["content"]
        if isinstance(content, str):
            content = [{"type": "output_text", "text": content}]
        for told in content:
            text = part(told, "output")
            self.texts.append(text)
            self.length += len(text_of([text]))

    def function_call(self, item: Json) -> None:
        function = {"name": item["name"], "arguments": item["arguments"]}
        self._call(item, {"type": "function", "function": function}, {"name", "arguments"})

    def custom_call(self, item: Json) -> None:
        custom = {"name": item["name"], "input": item["input"]}
        self._call(item, {"type": "custom", "custom": custom}, {"name", "input"})

    def _call(self, item: Json, call: Json, told: set[str]) -> None:
        own = call_id(item)
        rest = without(item, {"type", "id", "call_id", "status", *told})
        self.calls.append({"id": item["call_id"]} | call | own | rest)
        self.unplaced.append(item["call_id"])

    def reasoning(self, item: Json) -> None:
        text = carrier.text_of(item)
        if text:
            self.thoughts.append(text)
        if told := thought(item):
            self.put("reasoning_blocks", told)

    def native(self, item: Json) -> None:
        self.put("provider_blocks", entry(NAME, item))

    def put(self, field: str, told: Json) -> None:
        """A call stands after everything else, unless something followed it: then its place is
        kept, since OpenAI wants the reasoning back right before its call."""
        unplaced, self.unplaced = self.unplaced, []
        for name in unplaced:
            self.put("provider_blocks", entry(NAME, {"type": "call", "call_id": name}))
        self.lists[field].append(self.placing.put(field, told, self.length)[1])

    def messages(self) -> list[Json]:
        """The message of this run, if it has anything."""
        told = {
            "tool_calls": self.calls,
            "reasoning_content": "\n\n".join(self.thoughts),
            **self.lists,
        }
        members = {key: value for key, value in told.items() if value}
        if not self.texts and not members:
            return []
        return [{"role": "assistant", "content": self.texts or None} | members]


def call_id(item: Json) -> Json:
    """A call item's own id, which is not the call's; not when we made it."""
    told = item.get("id") or OURS
    return {} if OURS in told else {"item_id": told}


def thought(item: Json) -> Json | None:
    """The entry of a reasoning item: another vendor's block that came in its ciphertext, or the
    item itself; None for one that we made of plain text."""
    sealed = item.get("encrypted_content") or ""
    packed = carrier.unpack(sealed, carrier.text_of(item))
    if packed is None and not sealed and OURS in (item.get("id") or ""):
        return None
    return packed or entry(NAME, item)


def header(item: Json) -> Json | None:
    """The entry that keeps the names of a message item, None when it has none."""
    names = without(item, {"type", "content", "status", "role"})
    if OURS in (names.get("id") or ""):
        del names["id"]
    return entry(NAME, {"type": "message"} | names) if names else None


RUN: Mapping[str, Callable[[Run, Json], None]] = {
    "message": Run.message,
    "function_call": Run.function_call,
    "custom_tool_call": Run.custom_call,
    "reasoning": Run.reasoning,
} | dict.fromkeys(NATIVE_ITEMS, Run.native)
"""Items that belong to an assistant's turn; those of its own tools' results too, so that they keep
their places."""


def part(item: Json, path: str) -> Json:
    """A content part as a canonical one. Raises Unsupported."""
    kind = item.get("type")
    if kind not in _PARTS:
        told = f"content parts of type {kind!r} are not known, so they cannot be translated"
        raise Unsupported(told, param=f"{path}.type")
    return _PARTS[kind](item)


def _text(told: Json) -> Json:
    empty = {key for key in ("annotations", "logprobs") if not told.get(key)}
    return without(told, empty) | {"type": "text"}


def _image(told: Json) -> Json:
    names = {"image_url": "url", "detail": "detail", "file_id": "file_id"}
    image = {names[key]: value for key, value in told.items() if key in names and value is not None}
    return {"type": "image_url", "image_url": image} | without(told, {"type", *names})


def _file(told: Json) -> Json:
    names = {"file_data", "file_id", "filename", "file_url"}
    file = {key: value for key, value in told.items() if key in names and value is not None}
    return {"type": "file", "file": file} | without(told, {"type", *names})


def _as_it_is(told: Json) -> Json:
    return told


_PARTS: dict[str, Callable[[Json], Json]] = {
    "input_text": _text,
    "output_text": _text,
    "text": _text,
    "summary_text": _text,
    "input_image": _image,
    "input_file": _file,
    "input_audio": _as_it_is,
    "refusal": _as_it_is,
}
