"""Shapes that are rare: each has been seen at some provider, or is allowed by the vendor's own
types."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.sdk.wire.dialects import dialect_golden as golden
from tests.sdk.wire.dialects.dialect_golden import USER, answer, asked, chunk, message_of, user

from nexus_sdk.errors import Malformed, UpstreamFailed
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialect import event as new_event
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report

if TYPE_CHECKING:
    from nexus_sdk.wire.sse import StreamEvent


def anthropic_events(*docs: Any) -> list[StreamEvent]:
    start = {
        "type": "message_start",
        "message": {"id": "msg_1", "model": "m", "usage": {"output_tokens": 1}},
    }
    return [new_event(doc["type"], doc) for doc in (start, *docs)]


def block(index: int, content: Any, *deltas: Any) -> list[Any]:
    pieces = [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    begin = {"type": "content_block_start", "index": index, "content_block": content}
    return [begin, *pieces, {"type": "content_block_stop", "index": index}]


# ---- Anthropic


def test_a_block_may_begin_with_its_text() -> None:
    told = message_of(
        anthropic_events(
            *block(0, {"type": "thinking", "thinking": "So", "signature": "c2ln"}),
            *block(1, {"type": "text", "text": "Hi"}, {"type": "text_delta", "text": "!"}),
        )
    )
    assert (told["reasoning_content"], told["content"]) == ("So", "Hi!")
    assert told["reasoning_blocks"][0]["block"] == {
        "type": "thinking",
        "thinking": "So",
        "signature": "c2ln",
    }


def test_empty_and_unknown_deltas_say_nothing() -> None:
    hidden = block(
        0, {"type": "thinking", "thinking": ""}, {"type": "thinking_delta", "thinking": ""}
    )
    strange = block(1, {"type": "text", "text": ""}, {"type": "new_delta", "news": "?"})
    stray = [
        {"type": "content_block_delta", "index": 9, "delta": {"type": "text_delta", "text": "?"}}
    ]
    stray += [{"type": "content_block_stop", "index": 9}, {"type": "new_event"}]
    assert message_of(anthropic_events(*hidden, *strange, *stray)) == {
        "role": "assistant",
        "content": "",
    }


def test_a_servers_tool_input_that_is_no_json_is_the_upstreams_failure() -> None:
    tool = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    events = anthropic_events(*block(0, tool, {"type": "input_json_delta", "partial_json": "{"}))
    with pytest.raises(UpstreamFailed, match="not JSON"):
        golden.chunks("anthropic", events)


def test_a_message_without_a_stop_reason_has_no_finish() -> None:
    chat = DIALECTS["anthropic"].decode_response({"content": [], "stop_reason": None})
    assert chat["choices"][0]["finish_reason"] is None


def test_a_citation_of_a_document_comes_back() -> None:
    citation = {
        "type": "char_location",
        "cited_text": "x",
        "document_index": 0,
        "start_char_index": 4,
    }
    doc = {
        "content": [
            {"type": "text", "text": "So."},
            {"type": "text", "text": "Yes", "citations": [citation]},
        ]
    }
    chat = DIALECTS["anthropic"].decode_response(doc)
    note = chat["choices"][0]["message"]["annotations"][0]
    assert (note["type"], note["start_index"], note["end_index"]) == ("citation", 3, 6)
    back = DIALECTS["anthropic"].encode_response(chat, golden.reply())
    assert back["content"] == doc["content"]
    items = DIALECTS["openai_responses"].encode_response(chat, golden.reply())["output"]
    assert items[0]["content"][0]["annotations"] == []


def test_a_citation_outside_of_the_text_is_left_out() -> None:
    note = {
        "type": "url_citation",
        "url_citation": {"start_index": 5, "end_index": 90, "url": "u", "title": ""},
    }
    body = DIALECTS["anthropic"].encode_response(
        answer({"content": "short", "annotations": [note]}), golden.reply()
    )
    assert body["content"] == [{"type": "text", "text": "short"}]


def test_citations_that_come_after_their_text_block_are_left_out() -> None:
    note = {
        "index": 0,
        "type": "url_citation",
        "url_citation": {"start_index": 0, "end_index": 2, "url": "u"},
    }
    chunks = [
        chunk({"content": "Hi"}),
        chunk({"reasoning_content": "Hm"}),
        chunk({"annotations": [note]}),
    ]
    wire = golden.wire(golden.encoded("anthropic", chunks))
    assert b"citation" not in wire


def test_a_whole_reasoning_block_that_was_not_streamed_is_told_with_its_text() -> None:
    entry = {
        "index": 0,
        "origin": "anthropic",
        "block": {"type": "thinking", "thinking": "So", "signature": "c2ln"},
    }
    empty = {
        "index": 1,
        "origin": "anthropic",
        "block": {"type": "thinking", "thinking": "", "signature": "c2ln"},
    }
    chunks = [chunk({"reasoning_blocks": [entry, empty]}), chunk({"content": "Hi"})]
    told = message_of(golden.encoded("anthropic", chunks))
    assert told["reasoning_content"] == "So"
    assert [one["block"] for one in told["reasoning_blocks"]] == [entry["block"], empty["block"]]
    told = message_of(golden.encoded("openai_responses", chunks), "openai_responses")
    assert told["reasoning_content"] == "So"
    assert [one["block"] for one in told["reasoning_blocks"]] == [
        entry["block"],
        {"type": "thinking", "signature": "c2ln", "thinking": ""},
    ]


def test_text_in_the_middle_of_a_calls_arguments_waits_for_their_end() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"a":'}}
    rest = {"index": 0, "function": {"arguments": "1}"}}
    chunks = [
        chunk({"tool_calls": [call]}),
        chunk({"content": "By the way"}),
        chunk({"tool_calls": [rest]}),
    ]
    told = message_of(golden.encoded("anthropic", chunks))
    assert told["tool_calls"][0]["function"]["arguments"] == '{"a":1}'
    assert told["content"] == "By the way"


def test_a_call_that_never_ends_is_told_as_far_as_it_came() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"a":"\\"]}'}}
    told = message_of(golden.encoded("anthropic", [chunk({"tool_calls": [call]}, "length")]))
    assert told["tool_calls"][0]["function"]["arguments"] == '{"a":"\\"]}'


def test_a_choice_of_a_tool() -> None:
    decode = DIALECTS["anthropic"].decode_request
    doc = {
        "model": "m",
        "max_tokens": 1,
        "messages": USER,
        "tools": [{"name": "f", "input_schema": {}}],
    }
    chat = decode(doc | {"tool_choice": {"type": "tool", "name": "f"}})
    assert chat["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert DIALECTS["anthropic"].encode_request(chat, Report())["tool_choice"] == {
        "type": "tool",
        "name": "f",
    }
    with pytest.raises(Malformed) as refused:
        decode(doc | {"tool_choice": {"type": "some"}})
    assert refused.value.param == "tool_choice.type"


def test_parallel_calls_are_switched_off_without_a_choice() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    body, _ = asked("anthropic", {"tools": tools, "parallel_tool_calls": False})
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    body, _ = asked(
        "anthropic", {"tools": tools, "tool_choice": "none", "parallel_tool_calls": False}
    )
    assert body["tool_choice"] == {"type": "none"}


def test_an_effort_that_anthropic_does_not_have_is_told() -> None:
    body, report = asked("anthropic", {"reasoning_effort": "none"})
    assert "output_config" not in body
    assert [loss.param for loss in report.omissions] == ["reasoning_effort"]
    body, _ = asked("anthropic", {"reasoning": {"effort": "high"}})
    assert body["output_config"] == {"effort": "high"}


def test_an_image_that_is_a_file_of_anthropics_stays_its_own() -> None:
    part = {"type": "image", "source": {"type": "file", "file_id": "file_1"}}
    doc = {"model": "m", "max_tokens": 1, "messages": user(part)}
    chat = DIALECTS["anthropic"].decode_request(doc)
    assert DIALECTS["anthropic"].encode_request(chat, Report()) == doc


def test_a_turn_of_a_refusal_and_of_audio() -> None:
    parts = [{"type": "refusal", "refusal": "No."}, {"type": "text", "text": ""}]
    messages = [*USER, {"role": "assistant", "content": parts, "audio": {"id": "audio_1"}}]
    body, report = asked("anthropic", {"messages": messages})
    assert body["messages"][1]["content"] == [{"type": "text", "text": "No."}]
    assert [loss.param for loss in report.drops] == ["messages.1.audio"]
    items, report = asked("openai_responses", {"messages": messages})
    assert items["input"][1]["content"][0] == {"type": "refusal", "refusal": "No."}
    assert [loss.param for loss in report.drops] == ["messages.1.audio"]
    body, _ = asked("anthropic", {"messages": user({"type": "refusal", "refusal": "No."})})
    assert body["messages"][0]["content"] == [{"type": "text", "text": "No."}]


@pytest.mark.parametrize("target", ["anthropic", "openai_responses", "gemini"])
def test_reasoning_without_a_signature_is_not_sent_back(target: str) -> None:
    messages = [*USER, {"role": "assistant", "content": "4", "reasoning_content": "Add."}, *USER]
    body, report = asked(target, {"messages": messages})
    assert "Add." not in json.dumps(body)
    assert [loss.param for loss in report.omissions] == ["messages.1.reasoning_content"]


def test_thinking_without_a_signature_is_text_alone() -> None:
    turn = [
        {"type": "thinking", "thinking": "", "signature": "c2ln"},
        {"type": "thinking", "thinking": "So"},
    ]
    messages = [*USER, {"role": "assistant", "content": turn}]
    chat = DIALECTS["anthropic"].decode_request(
        {"model": "m", "max_tokens": 1, "messages": messages}
    )
    assert chat["messages"][1]["reasoning_content"] == "So"
    assert len(chat["messages"][1]["reasoning_blocks"]) == 1


def test_another_vendors_reasoning_without_text_is_sealed() -> None:
    entry = {
        "origin": "openai_responses",
        "block": {"type": "reasoning", "id": "rs_1", "encrypted_content": "Z0"},
    }
    body = DIALECTS["anthropic"].encode_response(
        answer({"content": "4", "reasoning_blocks": [entry]}), golden.reply()
    )
    assert [told["type"] for told in body["content"]] == ["redacted_thinking", "text"]


# ---- chat completions


def test_mistrals_parts_of_content_are_made_plain() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "So"}]},
        {"type": "text", "text": "4"},
    ]
    chat = DIALECTS["openai_chat"].decode_response(answer({"content": parts}))
    assert without(chat["choices"][0]["message"], {"native"}) == {
        "role": "assistant",
        "content": "4",
        "reasoning_content": "So",
    }
    back = DIALECTS["openai_chat"].encode_response(chat, golden.reply())
    assert back["choices"][0]["message"] == {"role": "assistant", "content": parts}
    odd = [{"type": "image_url", "image_url": {}}]
    chat = DIALECTS["openai_chat"].decode_response(answer({"content": odd}))
    assert chat["choices"][0]["message"]["content"] == odd


def test_groqs_and_openrouters_reasoning_goes_back_as_it_came() -> None:
    detail = {"type": "reasoning.text", "text": "So", "signature": "c2ln"}
    doc = answer({"content": "4", "reasoning": "So", "reasoning_details": [detail]})
    message = DIALECTS["openai_chat"].decode_response(doc)["choices"][0]["message"]
    assert message["reasoning_content"] == "So"
    messages = [*USER, message, *USER]
    body, _ = asked("openai_chat", {"messages": messages})
    assert body["messages"][1]["reasoning_details"] == [detail]
    kept = DIALECTS["openai_chat"].strip_foreign({"messages": messages}, Report())
    assert kept["messages"][1]["reasoning_details"] == [detail]
    empty = answer({"content": "4", "reasoning": None, "reasoning_details": []})
    message = DIALECTS["openai_chat"].decode_response(empty)["choices"][0]["message"]
    assert without(message, {"native"}) == {"role": "assistant", "content": "4"}


def test_a_result_of_images_only_has_an_empty_text() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/i.png"}}
    messages = [*USER, {"role": "tool", "tool_call_id": "c", "content": [image]}]
    body, _ = asked("openai_chat", {"messages": messages})
    assert [message["role"] for message in body["messages"]] == ["user", "tool", "user"]
    assert body["messages"][1]["content"] == ""
    assert body["messages"][2]["content"] == [image]


def test_audio_goes_through_and_citations_stay_behind() -> None:
    audio = {"type": "input_audio", "input_audio": {"data": "aWk=", "format": "wav"}}
    cited = {"type": "text", "text": "x", "citations": [{"type": "char_location"}]}
    for target in ("openai_chat", "openai_responses"):
        body, report = asked(target, {"messages": [{"role": "user", "content": [audio, cited]}]})
        parts = (body.get("messages") or body["input"])[0]["content"]
        assert parts[0] == audio
        assert "citations" not in parts[1]
        assert [loss.param for loss in report.omissions] == ["messages.0.content.1.citations"]


def test_a_turn_that_held_only_another_vendors_items_is_left_out() -> None:
    items = [{"role": "user", "content": "hi"}, {"type": "web_search_call", "id": "ws_1"}]
    chat = DIALECTS["openai_responses"].decode_request({"model": "m", "input": items})
    body, report = asked("openai_chat", chat)
    assert [message["role"] for message in body["messages"]] == ["user"]
    assert any("messages.1" in change for change in report.changes)
    assert [loss.param for loss in report.drops] == ["messages.1.provider_blocks"]


def test_calls_of_custom_tools_are_read() -> None:
    call = {"id": "c", "type": "custom", "custom": {"name": "sh", "input": "date"}}
    DIALECTS["openai_chat"].read(
        {"model": "m", "messages": [{"role": "assistant", "tool_calls": [call]}]}
    )


def test_a_documents_context_and_citations_are_told_as_lost() -> None:
    source = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    part = {"type": "document", "source": source, "context": "old", "citations": {"enabled": True}}
    chat = DIALECTS["anthropic"].decode_request(
        {"model": "m", "max_tokens": 1, "messages": user(part)}
    )
    for target in ("openai_chat", "openai_responses"):
        _, report = asked(target, chat)
        assert [loss.param.rpartition(".")[2] for loss in report.drops] == ["citations", "context"]
