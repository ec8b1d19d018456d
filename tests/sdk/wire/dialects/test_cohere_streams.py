"""Cohere's streams: event by event, cut anywhere, with every text seen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.cutting import cuts
from tests.sdk.wire.dialects import dialect_golden as golden
from tests.sdk.wire.dialects.dialect_golden import chunk, user

from nexus_sdk.wire.dialect import event as new_event
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.sse import Decoder, StreamEvent
from nexus_sdk.wire.texts import leaves

if TYPE_CHECKING:
    from pathlib import Path

COHERE = DIALECTS["cohere"]
STREAMS = [path for path in golden.cases("streams") if path.parent.name == "cohere"]
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


# ---- streams


@pytest.mark.parametrize("path", STREAMS, ids=golden.name)
def test_a_stream_survives_its_own_codec_event_by_event(path: Path) -> None:
    events = golden.events(path.read_bytes())
    back = golden.encoded("cohere", golden.chunks("cohere", events))
    assert [(event.name, event.doc) for event in back] == [
        (event.name, event.doc) for event in events
    ]


@pytest.mark.parametrize("path", STREAMS, ids=golden.name)
def test_a_stream_says_the_same_however_it_is_cut(path: Path) -> None:
    raw = path.read_bytes()
    whole = golden.chunks("cohere", golden.events(raw))
    for pieces in cuts(raw):
        decoder = Decoder()
        events = [event for piece in pieces for event in decoder.feed(piece)] + decoder.close()
        for event in events:
            event.doc = json.loads(event.data)
        assert golden.chunks("cohere", events) == whole


@pytest.mark.parametrize("path", STREAMS, ids=golden.name)
def test_no_beginning_of_a_stream_is_taken_for_the_whole(path: Path) -> None:
    raw = path.read_bytes()
    end = raw.rindex(b"event: message-end")
    for place in range(0, end, 7):
        events = Decoder().feed(raw[:place])
        for event in events:
            event.doc = json.loads(event.data)
        assert not any(COHERE.terminal(event) for event in events)


def events(*docs: Any) -> Any:
    return [new_event(doc["type"], doc) for doc in docs]


def content(kind: str, index: int, told: Any) -> Any:
    return {"type": kind, "index": index, "delta": {"message": {"content": told}}}


END = {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}


def test_parts_may_come_without_their_beginning_or_their_end() -> None:
    told = golden.message_of(
        events(
            content("content-delta", 0, {"thinking": "Hm."}),
            content("content-delta", 1, {"text": "Hi"}),
            {"type": "content-end", "index": 9},
            {"type": "debug", "prompt": "<turn>"},
            {"type": "new-event"},
            END,
        ),
        "cohere",
    )
    assert (told["content"], told["reasoning_content"]) == ("Hi", "Hm.")
    assert told["reasoning_blocks"][0]["block"] == {"type": "thinking", "thinking": "Hm."}


def test_a_part_may_begin_with_its_text_and_a_call_with_its_arguments() -> None:
    call = CALL | {"function": {"name": "f", "arguments": "{}"}}
    told = golden.message_of(
        events(
            content("content-start", 0, {"type": "text", "text": "Hi"}),
            content("content-start", 1, {"type": "chart", "rows": [1]}),
            content("content-delta", 1, {"note": "x"}),
            {"type": "content-end", "index": 1},
            {
                "type": "tool-call-start",
                "index": 0,
                "delta": {"message": {"tool_calls": call}},
            },
            {
                "type": "tool-call-delta",
                "index": 0,
                "delta": {"message": {"tool_calls": {"function": {}}}},
            },
            END,
        ),
        "cohere",
    )
    assert told["content"] == "Hi"
    assert told["tool_calls"][0]["function"]["arguments"] == "{}"
    block = told["provider_blocks"][0]["block"]
    assert block == {"type": "chart", "rows": [1], "note": "x"}


def test_blocks_of_reasoning_are_parted_and_parts_again_in_the_callers_stream() -> None:
    docs = [
        {"type": "message-start", "id": "s", "delta": {"message": {"role": "assistant"}}},
        content("content-start", 0, {"type": "thinking", "thinking": ""}),
        content("content-delta", 0, {"thinking": "One."}),
        {"type": "content-end", "index": 0},
        content("content-start", 1, {"type": "thinking", "thinking": ""}),
        content("content-delta", 1, {"thinking": "Two."}),
        {"type": "content-end", "index": 1},
        {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "Plan."}}},
        END,
    ]
    chunks = golden.chunks("cohere", events(*docs))
    assert golden.merged(chunks)["choices"][0]["message"]["reasoning_content"] == (
        "One.\n\nTwo.\n\nPlan."
    )
    back = [event.doc for event in golden.encoded("cohere", chunks)]
    assert back[1:-1] == docs[1:-1]


def test_calls_in_turns_are_told_one_after_the_other() -> None:
    source = golden.ROOT / "streams/openai_chat/interleaved_tools.sse"
    told = golden.encoded(
        "cohere", golden.chunks("openai_chat", golden.events(source.read_bytes()))
    )
    kinds = [(event.name, event.doc["index"]) for event in told if event.name.startswith("tool-")]
    indexes = [index for _, index in kinds]
    assert indexes == sorted(indexes)
    for index in set(indexes):
        names = [name for name, place in kinds if place == index]
        assert (names[0], names[-1]) == ("tool-call-start", "tool-call-end")


def test_a_citation_follows_the_text_that_it_is_of() -> None:
    cited: Any = {"index": 0, "type": "url_citation", "url_citation": {"url": "https://e.com"}}
    cited["url_citation"] |= {"start_index": 0, "end_index": 2}
    beyond = {"index": 1, "type": "citation", "start_index": 5, "end_index": 9}
    chunks = [chunk({"content": "Hi"}), chunk({"annotations": [cited, beyond]}, "stop")]
    told = [event.doc for event in golden.encoded("cohere", chunks)]
    (citation,) = [doc for doc in told if doc["type"] == "citation-start"]
    assert citation["delta"]["message"]["citations"]["text"] == "Hi"
    assert told[-1]["delta"]["finish_reason"] == "COMPLETE"


def test_a_native_part_goes_back_whole() -> None:
    block = {"type": "chart", "rows": [1]}
    entries = [{"index": 0, "origin": "cohere", "block": block}, {"origin": "x", "block": {}}]
    told = golden.encoded("cohere", [chunk({"provider_blocks": entries})])
    parts = [event.doc for event in told if event.name == "content-start"]
    assert [part["delta"]["message"]["content"] for part in parts] == [block]


def test_a_plan_that_was_not_streamed_is_told_once() -> None:
    entry = {"index": 0, "origin": "cohere", "block": {"type": "tool_plan", "text": "Plan."}}
    told = golden.encoded("cohere", [chunk({"reasoning_blocks": [entry]})] * 2)
    plans = [event for event in told if event.name == "tool-plan-delta"]
    assert [event.doc["delta"]["message"]["tool_plan"] for event in plans] == ["Plan."]


def test_reasoning_is_told_once_whenever_its_block_comes() -> None:
    """With its text, after it, or long after it."""
    entry = {"index": 0, "origin": "cohere", "block": {"type": "thinking", "thinking": "Hm."}}
    whole = [chunk({"reasoning_blocks": [entry]})]
    late = [chunk({"reasoning_content": "Hm."}), chunk({"content": "Hi"}), *whole]
    for chunks in (whole, late):
        told = golden.message_of(golden.encoded("cohere", chunks), "cohere")
        assert told["reasoning_content"] == "Hm."
        assert len(told["reasoning_blocks"]) == 1


def test_an_empty_part_of_thinking_is_no_block() -> None:
    opened = content("content-start", 0, {"type": "thinking", "thinking": ""})
    empty = {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": ""}}}
    told = golden.message_of(
        events(opened, {"type": "content-end", "index": 0}, empty, END), "cohere"
    )
    assert told == {}


def test_choices_beyond_the_first_are_not_told() -> None:
    second = chunk({"content": "two"})
    second["choices"][0]["index"] = 1
    assert b"two" not in golden.wire(golden.encoded("cohere", [chunk({"content": "one"}), second]))


def test_held_text_of_a_plan_goes_out_before_the_first_call() -> None:
    path = golden.ROOT / "streams/cohere/planned_tools.sse"
    closing = [
        event.name
        for event in golden.events(path.read_bytes())
        if ("plan",) in COHERE.closes(event.doc, event.name)
    ]
    assert closing == ["tool-call-start"] * 2


ERRORS = [
    (END | {"delta": {"finish_reason": "ERROR", "error": "too much"}}, "too much"),
    (END | {"delta": {"finish_reason": "ERROR"}}, "the generation failed"),
    ({"message": "too much", "id": "e"}, "too much"),
]


@pytest.mark.parametrize(("doc", "said"), ERRORS)
def test_an_error_ends_a_stream_in_any_of_coheres_shapes(doc: Any, said: str) -> None:
    event = new_event(doc.get("type", ""), doc)
    error = COHERE.stream_error(event)
    assert error is not None
    assert said in error.message
    assert COHERE.terminal(event)
    assert COHERE.stream_error(new_event("message-end", END)) is None
    assert COHERE.stream_error(StreamEvent("", b"[DONE]")) is None


# ---- enforcement

SLOTS = [
    (content("content-start", 0, {"type": "text", "text": "secret"}), "text"),
    (content("content-delta", 0, {"thinking": "secret"}), "text"),
    (content("content-delta", 0, {"caption": "secret"}), "whole"),
    ({"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "secret"}}}, "text"),
    (
        {
            "type": "tool-call-delta",
            "index": 0,
            "delta": {"message": {"tool_calls": {"function": {"arguments": "secret"}}}},
        },
        "json",
    ),
    (
        {
            "type": "tool-call-start",
            "index": 0,
            "delta": {"message": {"tool_calls": {"function": {"name": "secret"}}}},
        },
        "whole",
    ),
    (
        {
            "type": "citation-start",
            "index": 0,
            "delta": {"message": {"citations": {"sources": [{"document": {"id": "secret"}}]}}},
        },
        "whole",
    ),
    ({"type": "debug", "prompt": "secret"}, "whole"),
    ({"type": "message-end", "delta": {"error": "secret"}}, "whole"),
]


@pytest.mark.parametrize(("doc", "kind"), SLOTS)
def test_every_text_of_an_event_is_seen(doc: Any, kind: str) -> None:
    found = COHERE.slots(doc, "")
    assert [(slot.holder[slot.field], slot.kind) for slot in found] == [("secret", kind)]
    if kind != "whole":
        made = COHERE.delta(found[0].channel, "more", doc)
        again = COHERE.slots(made.doc, made.name)
        assert [(slot.channel, slot.kind) for slot in again] == [(found[0].channel, kind)]


def test_probabilities_of_tokens_are_a_slot_of_their_own() -> None:
    doc = content("content-delta", 0, {"text": "Hi"}) | {"logprobs": {"text": "Hi"}}
    kinds = {slot.kind: slot.channel for slot in COHERE.slots(doc, "")}
    assert kinds == {"text": ("content", 0, "text"), "logprobs": ("content", 0, "text")}


def test_words_of_the_protocol_are_no_text_and_documents_are() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aWk=", "detail": "x"}}
    assert leaves(user(image), COHERE.text) == []
    doc = {"documents": [{"id": "d", "data": {"id": "seen", "type": "seen"}}]}
    assert [leaf.text for leaf in leaves(doc, COHERE.text)] == ["seen", "seen"]
    call = {"tool_calls": [CALL]}
    assert [leaf.json_text for leaf in leaves(call, COHERE.text)] == [False, True]
