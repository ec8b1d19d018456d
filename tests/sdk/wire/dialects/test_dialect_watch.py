"""What enforcement sees of a stream: every text, in the right channel, closed in time."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter
from tests.sdk.wire.dialects import dialect_golden as golden

from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.sse import StreamEvent

if TYPE_CHECKING:
    from pathlib import Path


PROTOCOL = {"input", "tools", "search", "date", "city", "zone"}
"""Words of the fixtures that are in words of the protocols too ("candidates"), and names of
arguments, which are keys where the arguments are no text."""


@pytest.mark.parametrize(("dialect", "path"), golden.STREAMS, ids=golden.dialect_and_case)
def test_no_text_goes_past_the_slots(dialect: str, path: Path) -> None:
    """Blank every slot: then nothing that the model wrote is left in the bytes, in any
    repetition."""
    events = golden.events(path.read_bytes())
    message = golden.merged(golden.chunks(dialect, events))["choices"][0]["message"]
    calls = [call.get("function") or call["custom"] for call in message.get("tool_calls") or ()]
    said = [message.get(key) or "" for key in ("content", "refusal", "reasoning_content")]
    said += [call.get("arguments") or call["input"] for call in calls]
    spoken = {word for text in said for word in re.findall(r"\w{4,}", text)}
    for event in events:
        for slot in DIALECTS[dialect].slots(event.doc, event.name):
            slot.holder[slot.field] = None if slot.kind == "logprobs" else ""
    left = " ".join(json.dumps(event.doc, ensure_ascii=False) for event in events if event.doc)
    assert spoken
    assert {word for word in spoken if word in left} <= PROTOCOL


@pytest.mark.parametrize(("dialect", "path"), golden.STREAMS, ids=golden.dialect_and_case)
def test_every_channel_is_closed_before_the_end_and_not_used_after(
    dialect: str, path: Path
) -> None:
    open_channels: set[Any] = set()
    closed: set[Any] = set()
    for event in golden.events(path.read_bytes()):
        for slot in DIALECTS[dialect].slots(event.doc, event.name):
            if slot.kind in {"text", "json"}:
                assert slot.channel not in closed
                open_channels.add(slot.channel)
        for prefix in DIALECTS[dialect].closes(event.doc, event.name):
            ended = {channel for channel in open_channels if channel[: len(prefix)] == prefix}
            closed |= ended
            open_channels -= ended
    assert not open_channels
    assert closed


@pytest.mark.parametrize(("dialect", "path"), golden.STREAMS, ids=golden.dialect_and_case)
def test_a_delta_of_our_own_fills_the_same_channel(dialect: str, path: Path) -> None:
    told = 0
    for event in golden.events(path.read_bytes()):
        for slot in DIALECTS[dialect].slots(event.doc, event.name):
            if slot.kind not in {"text", "json"}:
                continue
            made = DIALECTS[dialect].delta(slot.channel, "more", event.doc)
            again = [
                one
                for one in DIALECTS[dialect].slots(made.doc, made.name)
                if one.holder[one.field] == "more"
            ]
            assert [(one.channel, one.kind) for one in again] == [(slot.channel, slot.kind)]
            told += 1
    assert told


def test_a_whole_text_has_the_channel_of_its_pieces() -> None:
    source = golden.ROOT / "streams/openai_responses/reasoning_and_tools.sse"
    pieces: dict[Any, str] = {}
    wholes: dict[Any, set[str]] = {}
    for event in golden.events(source.read_bytes()):
        for slot in DIALECTS["openai_responses"].slots(event.doc, event.name):
            text = slot.holder[slot.field]
            if slot.kind in {"text", "json"}:
                pieces[slot.channel] = pieces.get(slot.channel, "") + text
            elif slot.channel[0] != "response":
                wholes.setdefault(slot.channel, set()).add(text)
    assert len(pieces) == 5
    assert {channel: {text} for channel, text in pieces.items()}.items() <= wholes.items()


def test_held_text_goes_out_at_every_kind_of_end_with_its_items_id() -> None:
    """`like` may be a `.done`, an item's end, or the last event, which has all items."""
    source = golden.ROOT / "streams/openai_responses/reasoning_and_tools.sse"
    dialect = DIALECTS["openai_responses"]
    ids = set()
    for event in golden.events(source.read_bytes()):
        if (1, "text", 0) in dialect.closes(event.doc, event.name) or event.doc[
            "type"
        ] == "response.completed":
            made = dialect.delta((1, "text", 0), "held", event.doc)
            TypeAdapter(ResponseStreamEvent).validate_json(made.data)
            ids.add((event.doc["type"], made.doc["item_id"]))
    assert {told for _, told in ids} == {"msg_1"}
    assert len(ids) == 3


def test_inserted_events_are_numbered_in_and_others_keep_their_bytes() -> None:
    source = golden.ROOT / "streams/openai_responses/refusal.sse"
    events = golden.events(source.read_bytes())
    dialect = DIALECTS["openai_responses"]
    renumber = dialect.resequencer()
    assert [renumber(event) is event for event in events] == [True] * len(events)
    renumber = dialect.resequencer()
    extra = dialect.delta((0, "refusal", 0), "held", events[4].doc)
    told = [renumber(event) for event in [*events[:5], extra, *events[5:]]]
    assert [event.doc["sequence_number"] for event in told] == list(range(len(told)))
    assert told[4] is events[4]


@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic", "bedrock"])
def test_streams_without_numbers_need_no_renumbering(dialect: str) -> None:
    event = StreamEvent("", b"{}", {})
    assert DIALECTS[dialect].resequencer()(event) is event


UNKNOWN = [
    ("openai_chat", {"choices": [{"index": 1, "delta": {"thoughts": "secret"}}]}, "text"),
    (
        "openai_chat",
        {"choices": [{"index": 0, "delta": {"content": [{"type": "text", "text": "secret"}]}}]},
        "text",
    ),
    (
        "openai_chat",
        {"choices": [{"index": 0, "delta": {"audio": {"data": "aaaa", "transcript": "secret"}}}]},
        "text",
    ),
    (
        "openai_chat",
        {"choices": [{"index": 0, "delta": {"function_call": {"arguments": "secret"}}}]},
        "json",
    ),
    ("openai_chat", {"choices": [], "citations": ["secret"]}, "whole"),
    ("openai_chat", {"choices": [{"index": 0, "delta": {"new": {"deep": ["secret"]}}}]}, "whole"),
    (
        "openai_chat",
        {
            "choices": [
                {
                    "index": 0,
                    "delta": {"content": [{"type": "thinking", "thinking": [{"text": "secret"}]}]},
                }
            ]
        },
        "text",
    ),
    (
        "anthropic",
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "new_delta", "note": "secret"},
        },
        "whole",
    ),
    (
        "anthropic",
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": "secret"},
        },
        "text",
    ),
    (
        "anthropic",
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "x", "content": [{"title": "secret"}]},
        },
        "whole",
    ),
    (
        "anthropic",
        {
            "type": "message_delta",
            "delta": {"stop_reason": "refusal", "stop_details": {"explanation": "secret"}},
        },
        "whole",
    ),
    ("bedrock", {"contentBlockIndex": 0, "delta": {"text": "secret"}, "p": "abc"}, "text"),
    (
        "bedrock",
        {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "secret"}}},
        "text",
    ),
    ("bedrock", {"contentBlockIndex": 0, "delta": {"toolUse": {"input": "secret"}}}, "json"),
    ("bedrock", {"contentBlockIndex": 0, "delta": {"news": {"deep": ["secret"]}}}, "whole"),
    (
        "bedrock",
        {"contentBlockIndex": 0, "delta": {"citation": {"sourceContent": [{"text": "secret"}]}}},
        "whole",
    ),
    ("bedrock", {"contentBlockIndex": 0, "start": {"toolResult": {"note": "secret"}}}, "whole"),
    ("bedrock", {"stopReason": "x", "additionalModelResponseFields": {"a": "secret"}}, "whole"),
    ("bedrock", {"usage": {}, "trace": {"guardrail": {"modelOutput": ["secret"]}}}, "whole"),
    ("bedrock", {"role": "assistant", "p": "secret"}, "whole"),
    (
        "openai_responses",
        {"type": "response.new_thing.delta", "output_index": 0, "delta": "secret"},
        "text",
    ),
    (
        "openai_responses",
        {"type": "response.new_thing.done", "output_index": 0, "words": "secret"},
        "whole",
    ),
    (
        "openai_responses",
        {"type": "response.mcp_call_arguments.delta", "output_index": 0, "delta": "secret"},
        "json",
    ),
    (
        "openai_responses",
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {"type": "mcp_call", "output": "secret"},
        },
        "whole",
    ),
    (
        "openai_responses",
        {"type": "response.created", "response": {"instructions": "secret", "output": []}},
        "whole",
    ),
]


@pytest.mark.parametrize(("dialect", "doc", "kind"), UNKNOWN)
def test_texts_in_places_that_are_rare_or_new_are_seen(dialect: str, doc: Any, kind: str) -> None:
    found = DIALECTS[dialect].slots(doc, "")
    assert [(slot.holder[slot.field], slot.kind) for slot in found] == [("secret", kind)]
    if kind in {"text", "json"}:
        made = DIALECTS[dialect].delta(found[0].channel, "more", doc)
        again = DIALECTS[dialect].slots(made.doc, made.name)
        assert [(slot.channel, slot.kind) for slot in again] == [(found[0].channel, kind)]


UNKNOWN += [
    (
        "gemini",
        {"candidates": [{"index": 1, "content": {"parts": [{"text": "secret"}]}}]},
        "text",
    ),
    (
        "gemini",
        {"candidates": [{"content": {"parts": [{"text": "secret", "thought": True}]}}]},
        "text",
    ),
    (
        "gemini",
        {"candidates": [{"content": {"parts": [{"functionCall": {"args": {"a": ["secret"]}}}]}}]},
        "whole",
    ),
    ("gemini", {"candidates": [{"finishMessage": "secret"}]}, "whole"),
    ("gemini", {"promptFeedback": {"blockReasonMessage": "secret"}}, "whole"),
    ("gemini", {"candidates": [{"content": {"parts": [{"new": {"deep": "secret"}}]}}]}, "whole"),
]


SILENT: list[tuple[str, Any]] = [
    ("openai_chat", {"choices": [{"index": 0, "delta": {"tokens": 4, "content": None}}]}),
    ("openai_responses", {"type": "response.output_text.delta", "output_index": 0, "delta": ""}),
    ("anthropic", {"type": "ping"}),
    ("bedrock", {"contentBlockIndex": 0, "p": "abcdefghijklmnopqrstuvwxyzABC"}),
    ("bedrock", {"contentBlockIndex": 0, "delta": {"text": ""}}),
    (
        "gemini",
        {"candidates": [{"content": {"parts": [{"text": ""}, {"thoughtSignature": "aWk="}]}}]},
    ),
]


@pytest.mark.parametrize(("dialect", "doc"), SILENT)
def test_an_event_without_a_text_has_no_slots(dialect: str, doc: Any) -> None:
    assert DIALECTS[dialect].slots(doc, "") == []


def test_probabilities_of_tokens_are_slots_of_their_own() -> None:
    probabilities = {"content": [{"token": "Hi", "logprob": -0.1}]}
    doc: Any = {"choices": [{"index": 0, "delta": {"content": "Hi"}, "logprobs": probabilities}]}
    kinds = {slot.kind: slot.channel for slot in DIALECTS["openai_chat"].slots(doc, "")}
    assert kinds == {"text": (0, "content"), "logprobs": (0, "content")}
    doc = {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "Hi"}
    doc["logprobs"] = [{"token": "Hi"}]
    kinds = {slot.kind: slot.channel for slot in DIALECTS["openai_responses"].slots(doc, "")}
    assert kinds == {"whole": (0, "text", 0), "logprobs": (0, "text", 0)}


@pytest.mark.parametrize("dialect", golden.CHATS)
def test_an_event_without_a_document_has_no_slots(dialect: str) -> None:
    assert DIALECTS[dialect].slots(None, "") == []
    closes = [()] if dialect == "openai_chat" else []
    assert DIALECTS[dialect].closes(None, "") == closes
