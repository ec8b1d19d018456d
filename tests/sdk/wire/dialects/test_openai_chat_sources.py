"""Sources that stand beside an answer become annotations of its text."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sdk.wire.dialects import dialect_golden as golden

from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.dialects.openai_chat import sources

CHAT = DIALECTS["openai_chat"]
FIRST, SECOND = "https://example.com/1", "https://example.com/2"
RESULTS = [{"title": "One", "url": FIRST, "date": None}, {"title": "Two", "url": SECOND}]
TEXT = "Boats float[2]. They do[2]."


def cited(start: int, end: int, url: str, title: str = "") -> dict[str, Any]:
    told = {"start_index": start, "end_index": end, "url": url, "title": title}
    return {"type": "url_citation", "url_citation": told}


NOTES = [
    cited(0, 27, FIRST, "One"),
    cited(11, 14, SECOND, "Two"),
    cited(23, 26, SECOND, "Two"),
]


def answer(message: dict[str, Any], **more: Any) -> Any:
    choices = [{"index": 0, "message": {"role": "assistant"} | message, "finish_reason": "stop"}]
    doc = {"id": "c", "model": "m", "choices": choices} | more
    return CHAT.decode_response(doc)["choices"][0]["message"]


def test_a_mark_places_its_source_and_a_source_without_one_stands_behind_all() -> None:
    told = answer({"content": TEXT}, search_results=RESULTS, citations=[FIRST, SECOND])
    assert told["annotations"] == NOTES


def test_addresses_alone_are_sources_too() -> None:
    assert answer({"content": "Yes."}, citations=[FIRST])["annotations"] == [cited(0, 4, FIRST)]


def test_annotations_of_the_answer_s_own_stay() -> None:
    own = [cited(0, 1, SECOND)]
    told = answer({"content": "Yes.", "annotations": own}, citations=[FIRST])
    assert told["annotations"] == own


@pytest.mark.parametrize(
    "more", [{}, {"citations": None}, {"citations": "x"}, {"citations": [1]}, {"search_results": 3}]
)
def test_nothing_usable_is_no_source(more: dict[str, Any]) -> None:
    assert sources.told(more) == []
    assert "annotations" not in answer({"content": "Yes."}, **more)


def test_a_stream_tells_them_once_at_its_end() -> None:
    decoder = CHAT.stream_decoder()
    pieces = [(TEXT[:13], None), (TEXT[13:], None), ("", "stop")]
    told = []
    for piece, finish in pieces:
        choices = [{"index": 0, "delta": {"content": piece}, "finish_reason": finish}]
        doc = {"id": "c", "model": "m", "choices": choices, "search_results": RESULTS}
        told += golden.events(b"data: " + golden.pretty(doc).replace("\n", "").encode() + b"\n\n")
    chunks = [chunk for event in told for chunk in decoder.feed(event)]
    assert golden.merged(chunks)["choices"][0]["message"]["annotations"] == NOTES
    assert [("annotations" in one["choices"][0]["delta"]) for one in chunks] == [
        False,
        False,
        True,
    ]


def test_signed_reasoning_comes_before_the_call_that_it_led_to() -> None:
    """OpenRouter's details, whose signature comes before the call: an Anthropic client gets its
    thinking signed, in one block."""
    detail = {"type": "reasoning.text", "index": 0, "format": "anthropic-claude-v1"}
    call = {"index": 0, "id": "c1", "type": "function"}
    deltas = [
        {"reasoning": "Hm", "reasoning_details": [detail | {"text": "Hm"}]},
        {"reasoning_details": [detail | {"signature": "c2ln"}]},
        {"tool_calls": [call | {"function": {"name": "f", "arguments": "{}"}}]},
    ]
    chunks = [golden.chunk(delta) for delta in deltas] + [golden.chunk({}, "tool_calls")]
    told = golden.events(
        b"".join(
            b"data: " + golden.pretty(one).replace("\n", "").encode() + b"\n\n" for one in chunks
        )
    )
    events = golden.encoded("anthropic", golden.chunks("openai_chat", told))
    begun = [one.doc["content_block"]["type"] for one in events if one.name.endswith("block_start")]
    assert begun == ["thinking", "tool_use"]
    assert any("signature_delta" in str(one.doc) for one in events)
