"""Shapes of the Responses API that are rare, and the counts of tokens."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sdk.wire.dialects import dialect_golden as golden
from tests.sdk.wire.dialects.dialect_golden import USER, answer, asked, chunk, message_of, user

from nexus_sdk.model import Usage
from nexus_sdk.wire import canonical, counts
from nexus_sdk.wire.dialect import event as new_event
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report
from nexus_sdk.wire.sse import StreamEvent
from nexus_sdk.wire.tool_queue import Braces


def test_a_choice_among_allowed_tools() -> None:
    allowed = {
        "type": "allowed_tools",
        "mode": "required",
        "tools": [{"type": "function", "name": "f"}],
    }
    doc = {
        "model": "m",
        "input": "hi",
        "tools": [{"type": "function", "name": "f"}],
        "tool_choice": allowed,
    }
    chat = DIALECTS["openai_responses"].decode_request(doc)
    told = chat["tool_choice"]["allowed_tools"]
    assert told == {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]}
    assert asked("openai_responses", chat)[0]["tool_choice"] == allowed
    assert asked("openai_chat", chat)[0]["tool_choice"] == chat["tool_choice"]
    body, report = asked("anthropic", chat)
    assert "tool_choice" not in body
    assert [loss.param for loss in report.drops] == ["tool_choice"]


@pytest.mark.parametrize("choice", ["auto", {"type": "web_search"}])
def test_other_choices_go_through_to_openai(choice: Any) -> None:
    doc = {"model": "m", "input": "hi", "tools": [{"type": "web_search"}], "tool_choice": choice}
    chat = DIALECTS["openai_responses"].decode_request(doc)
    assert asked("openai_responses", chat)[0]["tool_choice"] == choice


def test_a_custom_tool_of_plain_text() -> None:
    tools = [
        {"type": "custom", "name": "a", "format": {"type": "text"}},
        {"type": "custom", "name": "b"},
    ]
    chat = DIALECTS["openai_responses"].decode_request(
        {"model": "m", "input": "hi", "tools": tools}
    )
    assert asked("openai_responses", chat)[0]["tools"] == tools


def test_an_assistants_turn_of_one_string() -> None:
    items = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]
    chat = DIALECTS["openai_responses"].decode_request({"model": "m", "input": items})
    assert chat["messages"][1]["content"] == [{"type": "text", "text": "yes"}]


def test_reasoning_that_we_made_of_plain_text_is_text_alone_when_it_comes_back() -> None:
    shown = DIALECTS["openai_responses"].encode_response(
        answer({"content": "4", "reasoning_content": "Add."}), golden.reply()
    )
    doc = {"model": "m", "input": [{"role": "user", "content": "2+2"}, *shown["output"]]}
    message = DIALECTS["openai_responses"].decode_request(doc)["messages"][1]
    assert message.keys() == {"role", "content", "reasoning_content"}


def test_a_file_by_url_has_no_name() -> None:
    source = {"type": "url", "url": "https://example.com/a.pdf"}
    doc = {"model": "m", "max_tokens": 1, "messages": user({"type": "document", "source": source})}
    body, _ = asked("openai_responses", DIALECTS["anthropic"].decode_request(doc))
    assert body["input"][0]["content"] == [{"type": "input_file", "file_url": source["url"]}]
    assert (
        DIALECTS["anthropic"].encode_request(DIALECTS["anthropic"].decode_request(doc), Report())
        == doc
    )


def test_two_texts_of_one_message_and_their_probabilities() -> None:
    texts: list[Any] = [
        {
            "type": "output_text",
            "text": text,
            "annotations": [],
            "logprobs": [{"token": text, "logprob": -1}],
        }
        for text in ("One", "Two")
    ]
    file = {"type": "file_citation", "file_id": "f", "filename": "n", "index": 1}
    texts[1]["annotations"] = [file]
    item = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": texts,
    }
    doc = {"id": "r", "status": "completed", "output": [item, {"type": "brand_new", "id": "x"}]}
    chat = DIALECTS["openai_responses"].decode_response(doc)
    choice = chat["choices"][0]
    assert choice["message"]["content"] == "OneTwo"
    assert [one["token"] for one in choice["logprobs"]["content"]] == ["One", "Two"]
    back = DIALECTS["openai_responses"].encode_response(chat, golden.reply())["output"]
    assert back[1] == {"type": "brand_new", "id": "x"}
    assert back[0]["content"][0]["annotations"] == [file | {"index": 4}]
    replayed, _ = asked(
        "openai_responses",
        {"messages": [*USER, {"role": "assistant", "content": chat_parts(texts)}]},
    )
    assert [part["text"] for part in replayed["input"][1]["content"]] == ["One", "Two"]


def chat_parts(texts: list[Any]) -> list[Any]:
    return [{"type": "text", "text": part["text"]} for part in texts]


def responses_events(*docs: Any) -> list[StreamEvent]:
    start = {"type": "response.created", "response": {"id": "r", "model": "m", "created_at": 1}}
    told = [{"sequence_number": i} | doc for i, doc in enumerate((start, *docs))]
    return [new_event(doc["type"], doc) for doc in told]


def test_a_provider_that_sends_only_whole_items_is_heard() -> None:
    reasoning = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "So"}],
    }
    text = {"type": "output_text", "text": "Hi"}
    said = {
        "type": "message",
        "id": "msg_1",
        "content": [text, {"type": "refusal", "refusal": "No"}],
    }
    call = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"}
    items = [reasoning, said, call]
    events = responses_events(
        *(
            {"type": "response.output_item.done", "output_index": i, "item": item}
            for i, item in enumerate(items)
        )
    )
    told = message_of(events, "openai_responses")
    assert (told["reasoning_content"], told["content"], told["refusal"]) == ("So", "Hi", "No")
    assert told["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}


def test_a_provider_that_sends_only_the_ends_of_texts_is_heard_once() -> None:
    item = {"type": "message", "id": "msg_1", "content": []}
    at = {"output_index": 0, "content_index": 0}
    events = responses_events(
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_text.delta", "delta": "", "logprobs": []} | at,
        {
            "type": "response.output_text.done",
            "text": "Hi",
            "logprobs": [{"token": "Hi", "logprob": 0}],
        }
        | at,
        {"type": "response.output_text.done", "text": "Hi"} | at,
    )
    chunks = golden.chunks("openai_responses", [*events, StreamEvent("", b"[DONE]")])
    assert golden.merged(chunks)["choices"][0]["message"]["content"] == "Hi"
    assert chunks[-1]["choices"][0]["logprobs"] == {"content": [{"token": "Hi", "logprob": 0}]}
    told = golden.encoded("openai_responses", chunks)
    assert b'"logprobs":[{"token":"Hi","logprob":0}]' in golden.wire(told)


def test_reasoning_that_resumes_after_text_is_an_item_of_its_own() -> None:
    deltas = [
        {"reasoning_content": "One"},
        {"content": "Hi"},
        {"reasoning_content": "\n\nTwo"},
        {"content": "!"},
    ]
    events = golden.encoded("openai_responses", [chunk(delta) for delta in deltas])
    items = events[-1].doc["response"]["output"]
    texts: list[Any] = [
        item["summary"][0]["text"] if "summary" in item else item["content"][0]["text"]
        for item in items
    ]
    assert texts == ["One", "Hi", "Two", "!"]


def test_an_empty_line_alone_begins_no_reasoning() -> None:
    deltas = [{"reasoning_content": "One"}, {"content": "Hi"}, {"reasoning_content": "\n\n"}]
    events = golden.encoded("openai_responses", [chunk(delta) for delta in deltas])
    assert [item["type"] for item in events[-1].doc["response"]["output"]] == [
        "reasoning",
        "message",
    ]


def test_a_call_whose_head_comes_in_pieces_is_told_when_it_is_known() -> None:
    deltas = [
        {
            "tool_calls": [
                {"index": 0, "id": "c", "type": "function", "function": {"arguments": '{"a"'}}
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": ":1}"}}]},
    ]
    for target in ("openai_responses", "anthropic"):
        told = message_of(golden.encoded(target, [chunk(delta) for delta in deltas]), target)
        assert told["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a":1}'}


def test_a_note_without_a_text_to_stand_in_is_left_out() -> None:
    url = {
        "type": "url_citation",
        "url_citation": {"start_index": 0, "end_index": 1, "url": "u", "title": ""},
    }
    document = {"type": "citation", "start_index": 0, "origin": "anthropic", "block": {}}
    chunks = [
        chunk({"annotations": [url]}),
        chunk({"refusal": "No"}),
        chunk({"annotations": [url, document]}),
    ]
    assert b"url_citation" not in golden.wire(golden.encoded("openai_responses", chunks))


def test_an_answer_cut_by_its_length_marks_its_last_item() -> None:
    body = DIALECTS["openai_responses"].encode_response(
        answer({"content": "It was"}, "length"), golden.reply()
    )
    assert body["output"][-1]["status"] == "incomplete"
    empty = DIALECTS["openai_responses"].encode_response(
        answer({"content": None}, "length"), golden.reply()
    )
    assert (empty["output"], empty["status"], empty["usage"]) == ([], "incomplete", None)


def test_an_unknown_reason_for_an_incomplete_answer_is_kept() -> None:
    doc = {"status": "incomplete", "output": [], "incomplete_details": {"reason": "steered"}}
    choice = DIALECTS["openai_responses"].decode_response(doc)["choices"][0]
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("length", "steered")


def test_an_event_without_a_number_is_not_renumbered() -> None:
    event = StreamEvent("", b"{}", {"type": "keepalive"})
    assert DIALECTS["openai_responses"].resequencer()(event) is event


def test_probabilities_in_whole_items_are_slots() -> None:
    part: Any = {"type": "output_text", "text": "", "logprobs": [{"token": "Hi"}]}
    item: Any = {"type": "message", "content": [part]}
    slots = DIALECTS["openai_responses"].slots
    events: list[Any] = [
        {"type": "response.output_item.done", "output_index": 2, "item": item},
        {"type": "response.content_part.done", "output_index": 2, "content_index": 0, "part": part},
    ]
    for doc in events:
        assert [(slot.channel, slot.kind) for slot in slots(doc, "")] == [
            ((2, "text", 0), "logprobs")
        ]


def test_media_on_a_stream_is_no_text() -> None:
    doc = {"type": "response.audio.delta", "output_index": 0, "delta": "aaaa"}
    assert DIALECTS["openai_responses"].slots(doc, "") == []
    long_number = {"type": "response.output_item.done", "item": {"type": "x", "size": 10**12}}
    assert DIALECTS["openai_responses"].slots(long_number, "") == []


def test_a_delta_like_an_event_without_items_has_no_id() -> None:
    made = DIALECTS["openai_responses"].delta(
        (3, "text", 0), "held", {"type": "response.failed", "response": {}}
    )
    assert made.doc["item_id"] == ""


def test_an_items_end_gives_its_id_to_a_delta() -> None:
    like = {"type": "response.output_item.done", "output_index": 0, "item": {"id": "msg_1"}}
    assert (
        DIALECTS["openai_responses"].delta((0, "text", 0), "held", like).doc["item_id"] == "msg_1"
    )


# ---- counts and embeddings


def test_the_text_of_a_content_in_any_form() -> None:
    assert canonical.text_of("a") == "a"
    assert canonical.text_of(None) == ""
    assert canonical.text_of([{"text": "a"}, {"text": None}, "odd", {"text": "b"}]) == "ab"


def test_a_backslash_outside_of_a_string_is_no_escape() -> None:
    braces = Braces()
    for piece in ("\\", '{"a\\', '\\":[', "1]", "}"):
        assert not braces.complete
        braces.feed(piece)
    assert braces.complete


def test_counts_of_every_kind_go_round() -> None:
    usage = Usage(9, 8, cache_read=3, cache_write=2, reasoning=4, audio_input=1, audio_output=1)
    assert counts.read(counts.canonical(usage)) == usage


def test_embeddings_take_texts_and_tokens_alone_and_in_lists() -> None:
    for given in ("hi", ["hi", "ho"], [1, 2], [[1], [2]]):
        DIALECTS["openai_embeddings"].read({"model": "m", "input": given})


def test_calls_between_reasoning_keep_their_places_whole_and_streamed() -> None:
    thoughts = [
        {"type": "reasoning", "id": f"rs_{i}", "summary": [], "encrypted_content": f"Z{i}"}
        for i in range(2)
    ]
    calls = [
        {
            "type": "function_call",
            "id": f"fc_{i}",
            "call_id": f"call_{i}",
            "name": "look",
            "arguments": "{}",
            "status": "completed",
        }
        for i in range(2)
    ]
    output = [thoughts[0], calls[0], thoughts[1], calls[1]]
    doc = {"id": "r", "model": "m", "status": "completed", "output": output}
    spoken = DIALECTS["openai_responses"]
    assert spoken.encode_response(spoken.decode_response(doc), golden.reply())["output"] == output
    events = [
        {"type": f"response.output_item.{when}", "output_index": place, "item": item}
        for place, item in enumerate(output)
        for when in ("added", "done")
    ]
    end = {"type": "response.completed", "response": doc}
    told = golden.chunks("openai_responses", responses_events(*events, end))
    for chat in (spoken.decode_response(doc), golden.merged(told)):
        message = chat["choices"][0]["message"]
        for client in ("openai_chat", "openai_responses"):
            shown = DIALECTS[client].encode_response(chat, golden.reply())
            turn = shown["output"] if client == "openai_responses" else [message]
            history = {"model": "m", "input": turn, "messages": turn}
            body, report = asked("openai_responses", DIALECTS[client].decode_request(history))
            kept = [item for item in body["input"] if item["type"] != "message"]
            assert [item["id"] for item in kept] == ["rs_0", "fc_0", "rs_1", "fc_1"]
            assert report.drops == ()
        other, report = asked("anthropic", {"messages": [*USER, message, *USER]})
        assert report.drops == ()
        assert len(other["messages"][1]["content"]) == 2


def test_a_resolution_of_an_image_reaches_gemini_again() -> None:
    part = {
        "inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="},
        "mediaResolution": {"level": "MEDIA_RESOLUTION_HIGH"},
    }
    chat = DIALECTS["gemini"].decode_request({"contents": [{"role": "user", "parts": [part]}]})
    assert chat["messages"][0]["content"][0]["image_url"]["detail"] == "high"
    body, _ = asked("gemini", chat | {"model": "gemini-3-pro"})
    assert body["contents"][0]["parts"] == [part]


def test_the_citations_of_a_former_answer_are_told_where_they_stay_behind() -> None:
    cited = {"type": "text", "text": "So.", "citations": [{"type": "char_location"}]}
    messages = [*USER, {"role": "assistant", "content": [cited]}, *USER]
    for target in ("openai_responses", "gemini", "cohere"):
        _, report = asked(target, {"messages": messages})
        assert "messages.1.content.0.citations" in [loss.param for loss in report.omissions]
