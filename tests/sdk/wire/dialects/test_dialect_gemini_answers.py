"""Answers, streams, errors and counts of Gemini, and those of others in its form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.genai import types
from tests.sdk.wire.dialects import dialect_golden as golden
from tests.sdk.wire.dialects.dialect_golden import answer, chunk
from tests.sdk.wire.dialects.gemini_lab import GEMINI, message, told

from nexus_sdk.errors import Blocked, LimitExceeded, Malformed, UpstreamFailed
from nexus_sdk.model import Usage
from nexus_sdk.wire.dialect import ErrorFacts
from nexus_sdk.wire.dialect import event as new_event
from nexus_sdk.wire.dialects.gemini.words import FINISH, FINISH_FINER

# ---- answers


@pytest.mark.parametrize("reason", [*FINISH, *FINISH_FINER])
def test_every_finish_reason_comes_back(reason: str) -> None:
    chat = GEMINI.decode_response(told({"text": "x"}, finishReason=reason))
    assert chat["choices"][0]["finish_reason"] in {"stop", "length", "content_filter"}
    back = GEMINI.encode_response(chat, golden.reply())
    assert back["candidates"][0]["finishReason"] == reason


def test_finish_reasons_of_other_vendors() -> None:
    for reason, own in (("tool_calls", "STOP"), ("length", "MAX_TOKENS"), ("odd", "OTHER")):
        body = GEMINI.encode_response(answer({"content": "x"}, reason), golden.reply())
        assert body["candidates"][0]["finishReason"] == own
    called = told({"functionCall": {"name": "f"}}, finishReason="UNEXPECTED_TOOL_CALL")
    choice = GEMINI.decode_response(called)["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["native_finish_reason"] == "UNEXPECTED_TOOL_CALL"
    open_end: Any = {"candidates": [{"content": {"parts": []}}]}
    assert GEMINI.decode_response(open_end)["choices"][0]["finish_reason"] is None


def test_an_answer_without_a_moment_or_an_odd_one() -> None:
    for moment, seconds in (("2026-02-17T11:12:40Z", 1771326760), ("soon", 0), (None, 0)):
        chat = GEMINI.decode_response(told({"text": "x"}) | {"createTime": moment})
        assert chat["created"] == seconds


def test_a_call_without_a_name_is_the_upstreams_failure() -> None:
    with pytest.raises(UpstreamFailed, match="no name"):
        message({"functionCall": {"partialArgs": [{"jsonPath": "$.a"}], "willContinue": True}})


def test_an_error_in_a_list_keeps_its_words() -> None:
    error = {"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}
    for doc in (error, [error]):
        with pytest.raises(UpstreamFailed, match="slow down"):
            GEMINI.decode_response(doc)


def test_sources_without_an_address_and_outside_of_the_text_are_no_annotations() -> None:
    web = {"web": {"uri": "https://example.com", "title": "t"}}
    chunks = [web, {"retrievedContext": {"text": "x"}}, {}]

    def noted(*supports: Any) -> Any:
        grounding = {"groundingChunks": chunks, "groundingSupports": list(supports)}
        return message({"text": "Für Paris."}, groundingMetadata=grounding).get("annotations")

    segment = {"startIndex": 5, "endIndex": 10, "text": "Paris"}
    assert noted({"segment": segment, "groundingChunkIndices": [1, 2, 9]}) is None
    note = noted({"segment": segment, "groundingChunkIndices": [0]})[0]["url_citation"]
    assert (note["start_index"], note["end_index"]) == (4, 9)
    shifted = {"startIndex": 90, "endIndex": 99, "partIndex": 2, "text": "Paris"}
    note = noted({"segment": shifted, "groundingChunkIndices": [0]})[0]["url_citation"]
    assert (note["start_index"], note["end_index"]) == (4, 9)
    absent = {"startIndex": 90, "endIndex": 99, "text": "London"}
    assert noted({"segment": absent, "groundingChunkIndices": [0]}) is None


def test_counts_of_other_vendors() -> None:
    counts = {
        "prompt_tokens": 9,
        "completion_tokens": 7,
        "prompt_tokens_details": {"audio_tokens": 4, "cached_tokens": 2},
        "completion_tokens_details": {"audio_tokens": 3, "reasoning_tokens": 1},
    }
    body = GEMINI.encode_response(answer({"content": "x"}) | {"usage": counts}, golden.reply())
    assert GEMINI.usage(body) == Usage(9, 7, 2, reasoning=1, audio_input=4, audio_output=3)
    types.GenerateContentResponse._from_response(response=body, kwargs={})
    assert "usageMetadata" not in GEMINI.encode_response(answer({"content": "x"}), golden.reply())


# ---- streams


def test_a_stream_of_a_prompt_that_was_blocked() -> None:
    source = golden.load(golden.ROOT / "answers/gemini/blocked.json")
    event = new_event("", source)
    assert GEMINI.terminal(event)
    assert GEMINI.closes(source, "") == [()]
    chunks = golden.chunks("gemini", [event])
    assert chunks[0]["choices"][0]["finish_reason"] == "content_filter"
    back = golden.encoded("gemini", chunks)
    assert [one.doc for one in back] == [
        source | {"usageMetadata": source["usageMetadata"] | {"candidatesTokenCount": 0}}
    ]


def test_two_candidates_on_one_stream() -> None:
    whole = golden.load(golden.ROOT / "answers/gemini/two_candidates.json")
    events = [
        new_event("", whole | {"candidates": [candidate]}) for candidate in whole["candidates"]
    ]
    chunks = golden.chunks("gemini", events)
    back = golden.encoded("gemini", chunks)
    last = back[-1].doc
    assert [one["finishReason"] for one in last["candidates"]] == ["STOP", "MAX_TOKENS"]
    assert last["candidates"][0]["avgLogprobs"] == -0.5
    tokens = [
        one["logprobsResult"]
        for event in back
        for one in event.doc["candidates"]
        if "logprobsResult" in one
    ]
    assert tokens == [whole["candidates"][0]["logprobsResult"]]


def test_an_event_of_counts_alone_says_nothing() -> None:
    assert golden.chunks("gemini", [new_event("", {"usageMetadata": {}})]) == []


def test_tokens_without_a_text_have_a_chunk_of_their_own() -> None:
    result = {"chosenCandidates": [{"token": "x"}]}
    doc = {"candidates": [{"index": 0, "logprobsResult": result}]}
    first, second = golden.chunks("gemini", [new_event("", doc), new_event("", doc)])[:2]
    for told_of in (first, second):
        assert told_of["choices"][0]["logprobs"]["content"][0]["token"] == "x"


def test_thoughts_of_a_stream_are_parted_as_in_a_whole_answer() -> None:
    parts = [{"text": "One", "thought": True, "thoughtSignature": "c2ln"}, {"text": "Hi"}]
    parts += [{"text": "Two", "thought": True}, {"text": "!", "thoughtSignature": "c2ln"}]
    events = [new_event("", told(part)) for part in parts]
    chunks = golden.chunks("gemini", events)
    streamed = golden.merged(chunks)["choices"][0]["message"]
    whole = message(*parts)
    assert streamed["reasoning_content"] == whole["reasoning_content"] == "One\n\nTwo"
    assert streamed["reasoning_blocks"] == whole["reasoning_blocks"]
    back = golden.chunks("gemini", golden.encoded("gemini", chunks))
    assert golden.merged(back)["choices"][0]["message"] == streamed


def test_a_thought_that_was_not_streamed_is_told_whole() -> None:
    block = {"type": "thought", "text": "So"}
    entry = {"index": 0, "origin": "gemini", "block": block}
    chunks = [chunk({"reasoning_blocks": [entry, entry]}), chunk({"reasoning_content": "So"})]
    chunks.append(chunk({"reasoning_blocks": [entry]}, "stop"))
    wire = golden.wire(golden.encoded("gemini", chunks))
    assert wire.count(b'"So"') == 3


def test_a_signature_whose_text_never_came_stands_alone() -> None:
    block = {"type": "text", "format": "2", "signature": "c2ln"}
    entry = {"index": 0, "origin": "gemini", "block": block}
    events = golden.encoded("gemini", [chunk({"reasoning_blocks": [entry]}, "stop")])
    parts = events[-1].doc["candidates"][0]["content"]["parts"]
    assert parts == [{"text": "", "thoughtSignature": "c2ln"}]


def test_a_call_that_is_cut_off_is_the_upstreams_failure() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"a":'}}
    for pieces in ([call], [call | {"function": {"name": "f", "arguments": "[]"}}]):
        with pytest.raises(UpstreamFailed, match="incomplete"):
            golden.encoded("gemini", [chunk({"tool_calls": pieces}, "length")])


def test_a_call_goes_out_when_the_next_one_begins() -> None:
    encoder = GEMINI.stream_encoder(golden.reply())
    first = {"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"a":1}'}}
    second = {"index": 1, "id": "b", "custom": {"name": "sh", "input": "date"}}
    assert encoder.feed(chunk({"tool_calls": [first]})) == []
    out = encoder.feed(chunk({"tool_calls": [second, first | {"function": {}}]}))
    assert [b'"name":"f"' in one.data for one in out] == [True]
    calls = golden.chunks("gemini", [*out, *encoder.close()])
    names = [call["function"]["name"] for one in calls for call in called(one)]
    assert names == ["f", "sh"]


def called(one: Any) -> Any:
    return [call for choice in one["choices"] for call in choice["delta"].get("tool_calls") or ()]


def test_an_empty_stream_of_chunks_is_an_empty_answer() -> None:
    (event,) = GEMINI.stream_encoder(golden.reply()).close()
    assert event.doc["candidates"][0]["content"]["parts"] == [{"text": ""}]


# ---- errors


def test_our_errors_in_googles_envelope() -> None:
    body = GEMINI.encode_error(Malformed("no such n", param="n"), "req_1")["error"]
    assert (body["code"], body["status"], body["message"]) == (400, "INVALID_ARGUMENT", "no such n")
    reason, violation, request = body["details"]
    assert reason["reason"] == "malformed_request"
    assert violation["fieldViolations"][0]["field"] == "n"
    assert request["requestId"] == "req_1"
    blocked = GEMINI.encode_error(Blocked("no", rules=["a", "b"]), "r")["error"]["details"][0]
    assert blocked["metadata"] == {"rules": "a,b"}
    limited = GEMINI.encode_error(LimitExceeded("no", retry_after_s=2.5), "r")["error"]
    assert limited["status"] == "RESOURCE_EXHAUSTED"
    assert limited["details"][1]["retryDelay"] == "2.5s"


def test_another_vendors_error_is_told_and_read_back() -> None:
    facts = ErrorFacts(429, "slow", "rate_limit_error", "tokens", "messages", 12.0)
    body = GEMINI.relay_error(facts, "r")
    again = GEMINI.decode_error(429, json.dumps(body).encode())
    assert again == ErrorFacts(429, "slow", "RESOURCE_EXHAUSTED", "tokens", "messages", 12.0)
    bare = GEMINI.relay_error(ErrorFacts(418, "tea"), "r")["error"]
    assert (bare["status"], len(bare["details"])) == ("INTERNAL", 1)
