"""Cohere's whole answers."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sdk.wire.dialects import dialect_golden as golden
from tests.sdk.wire.dialects.dialect_golden import USER, answer

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.model import Usage
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report

COHERE = DIALECTS["cohere"]
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def test_an_answer_that_failed_is_the_upstreams_failure() -> None:
    doc = {"id": "a", "finish_reason": "ERROR", "message": {"role": "assistant", "content": []}}
    with pytest.raises(UpstreamFailed, match="the generation failed"):
        COHERE.decode_response(doc)
    with pytest.raises(UpstreamFailed, match="too much"):
        COHERE.decode_response({"message": "too much", "id": "e"})


FINISHES = [
    ("COMPLETE", "stop", None),
    ("STOP_SEQUENCE", "stop", "STOP_SEQUENCE"),
    ("MAX_TOKENS", "length", None),
    ("TIMEOUT", "length", "TIMEOUT"),
    ("TOOL_CALL", "tool_calls", None),
    ("NEW_REASON", "stop", "NEW_REASON"),
    (None, None, None),
]


@pytest.mark.parametrize(("told", "finish", "native"), FINISHES)
def test_a_finish_reason_keeps_its_finer_word(told: Any, finish: Any, native: Any) -> None:
    doc = {"finish_reason": told, "message": {"role": "assistant", "content": []}}
    choice = COHERE.decode_response(doc)["choices"][0]
    assert (choice["finish_reason"], choice.get("native_finish_reason")) == (finish, native)


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ({"finish_reason": "stop", "stop_sequence": "END"}, "STOP_SEQUENCE"),
        ({"finish_reason": "content_filter"}, "CONTENT_FILTER"),
        ({"finish_reason": "function_call"}, "TOOL_CALL"),
        ({"finish_reason": "other"}, "COMPLETE"),
        ({"finish_reason": None}, "COMPLETE"),
    ],
)
def test_another_vendors_finish_in_coheres_words(choice: Any, told: str) -> None:
    chat = answer({"content": "x"})
    chat["choices"][0] |= choice
    assert COHERE.encode_response(chat, golden.reply())["finish_reason"] == told


def test_a_call_that_came_with_stop_is_a_call() -> None:
    body = COHERE.encode_response(answer({"content": None, "tool_calls": [CALL]}), golden.reply())
    assert body["finish_reason"] == "TOOL_CALL"
    assert body["message"]["tool_calls"] == [CALL]


USAGES = [
    ({"billed_units": {"input_tokens": 5.0, "output_tokens": 2}}, Usage(5, 2)),
    ({"tokens": {"input_tokens": 5, "output_tokens": 2}, "cached_tokens": 3}, Usage(5, 2, 3)),
    (
        {
            "billed_units": {"input_tokens": 5, "output_tokens": 2},
            "tokens": {"input_tokens": 500, "output_tokens": 9},
            "cached_tokens": 300,
        },
        Usage(5, 2, 5),
    ),
]


@pytest.mark.parametrize(("told", "usage"), USAGES)
def test_what_is_billed_is_what_counts(told: Any, usage: Usage) -> None:
    assert COHERE.usage({"usage": told}) == usage
    assert COHERE.stream_usage({"type": "message-end", "delta": {"usage": told}}) == usage
    assert COHERE.stream_usage({"type": "content-end", "index": 0}) is None


def test_a_client_of_another_api_is_told_the_models_tokens() -> None:
    doc = golden.load(golden.ROOT / "answers/cohere/logprobs.json")
    usage = COHERE.decode_response(doc)["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (33, 42)
    assert usage["billed_units"] == {"input_tokens": 5, "output_tokens": 42}


def test_probabilities_of_a_chunk_are_one_tokens() -> None:
    doc = golden.load(golden.ROOT / "answers/cohere/logprobs.json")
    doc["logprobs"].append({"text": "!", "token_ids": [1]})
    tokens = COHERE.decode_response(doc)["choices"][0]["logprobs"]["content"]
    assert [(token["token"], token["logprob"]) for token in tokens] == [
        ("Hello", -0.1),
        (" there", -0.75),
        ("!", -9999.0),
    ]
    back = COHERE.encode_response(COHERE.decode_response(doc), golden.reply())
    assert back["logprobs"] == doc["logprobs"]


def test_a_part_that_is_newer_than_the_table_stays_with_its_origin() -> None:
    content = [{"type": "text", "text": "a"}, {"type": "chart", "rows": [1]}]
    doc = {"id": "a", "finish_reason": "COMPLETE", "message": {"content": content}}
    chat = COHERE.decode_response(doc)
    assert chat["choices"][0]["message"]["provider_blocks"][0]["block"] == content[1]
    assert COHERE.encode_response(chat, golden.reply())["message"]["content"] == content


CITED: Any = {"origin": "anthropic", "block": {"type": "char_location", "cited_text": "snow"}}


def test_anothers_citation_names_the_callers_document() -> None:
    told = CITED | {"type": "citation", "start_index": 2, "end_index": 4}
    told["block"] = told["block"] | {"document_index": 1, "document_title": "Alps"}
    outside = {"type": "citation", "start_index": 3, "end_index": 99}
    chat = answer({"content": "It snows.", "annotations": [told, outside]})
    asked_with = golden.reply({"documents": ["x", {"id": "alps", "data": {}}]})
    (citation,) = COHERE.encode_response(chat, asked_with)["message"]["citations"]
    assert citation["text"] == " s"
    assert citation["sources"] == [
        {"type": "document", "id": "alps", "document": {"title": "Alps", "snippet": "snow"}}
    ]
    (nameless,) = COHERE.encode_response(chat, golden.reply())["message"]["citations"]
    assert nameless["sources"][0]["id"] == "doc:1"


def test_another_vendors_signature_comes_back_through_coheres_client() -> None:
    block = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
    told = {"origin": "anthropic", "block": block}
    chat = answer({"content": "4", "reasoning_content": "Hm.", "reasoning_blocks": [told]})
    shown = COHERE.encode_response(chat, golden.reply())["message"]
    again = {"model": "m", "messages": [*USER, shown]}
    assert COHERE.decode_request(again)["messages"][1]["reasoning_blocks"] == [told]
    report = Report()
    kept = COHERE.strip_foreign(again, report)["messages"][1]
    assert kept["content"] == [{"type": "text", "text": "4"}]
    assert [loss.param for loss in report.omissions] == ["messages.1.content"]
    bare = {"role": "assistant", "content": shown["content"][:1]}
    assert COHERE.strip_foreign({"messages": [*USER, bare]}, Report())["messages"] == USER
