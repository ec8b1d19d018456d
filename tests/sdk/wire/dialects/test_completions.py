"""Legacy completions: a door to any chat model, and refused as a target of conversations."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import openai
import pytest
from openai.types import Completion
from pydantic import TypeAdapter
from tests.cutting import cuts
from tests.sdk.wire.dialects import dialect_golden as golden
from tests.sdk.wire.dialects.dialect_golden import USER, answer, chunk

from nexus_sdk.errors import Blocked, Malformed, Unsupported, UpstreamFailed
from nexus_sdk.model import Usage
from nexus_sdk.wire.dialect import Facts
from nexus_sdk.wire.dialect import event as new_event
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report
from nexus_sdk.wire.sse import Decoder
from nexus_sdk.wire.texts import leaves

COMPLETIONS = DIALECTS["openai_completions"]
MINIMAL: Any = {"model": "m", "prompt": "hi"}
ANSWER = golden.load(golden.ROOT / "completions/answer.json")
STREAM = (golden.ROOT / "completions/stream.sse").read_bytes()

FACTS = [
    ({}, Facts("m", max_output_tokens=16)),
    ({"max_tokens": 5, "n": 2, "best_of": 3}, Facts("m", max_output_tokens=5, n=3)),
    ({"prompt": ["a", "b"], "n": 2}, Facts("m", max_output_tokens=16, n=4)),
    ({"prompt": [1, 2, 3]}, Facts("m", max_output_tokens=16)),
    ({"prompt": [[1], [2]]}, Facts("m", max_output_tokens=16, n=2)),
    (
        {"stream": True, "stream_options": {"include_usage": True}, "seed": 1, "user": "u"},
        Facts("m", True, 16, deterministic=True, wants_stream_usage=True, user="u"),
    ),
]


@pytest.mark.parametrize(("more", "facts"), FACTS)
def test_the_facts_of_a_request(more: Any, facts: Facts) -> None:
    assert COMPLETIONS.read(MINIMAL | more) == facts


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"model": None}, "model"),
        ({"prompt": 4}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [None]}, "prompt"),
        ({"prompt": [True]}, "prompt"),
        ({"logprobs": True}, "logprobs"),
        ({"echo": "yes"}, "echo"),
        ({"best_of": 0}, "best_of"),
        ({"Prompt": "x"}, "Prompt"),
    ],
)
def test_a_request_of_the_wrong_shape_is_refused_by_name(more: Any, param: str) -> None:
    with pytest.raises(Malformed) as refused:
        COMPLETIONS.read(MINIMAL | more)
    assert refused.value.param == param


@pytest.mark.parametrize("doc", [None, [], "x"])
def test_a_body_that_is_no_object_is_refused(doc: Any) -> None:
    with pytest.raises(Malformed, match="object"):
        COMPLETIONS.read(doc)


def test_a_prompt_is_what_a_user_says() -> None:
    doc = MINIMAL | {
        "prompt": ["hi"],
        "max_tokens": 9,
        "logprobs": 2,
        "stop": "END",
        "n": 2,
        "best_of": 2,
        "echo": False,
        "suffix": "",
        "user": "u",
        "new_field": 1,
    }
    assert COMPLETIONS.decode_request(doc) == {
        "model": "m",
        "messages": USER,
        "max_tokens": 9,
        "logprobs": True,
        "top_logprobs": 2,
        "stop": "END",
        "n": 2,
        "user": "u",
        "new_field": 1,
    }
    assert COMPLETIONS.decode_request(MINIMAL)["max_tokens"] == 16


@pytest.mark.parametrize(
    ("more", "param", "why"),
    [
        ({"prompt": ["a", "b"]}, "prompt", "one prompt at a time"),
        ({"prompt": [1, 2]}, "prompt", "send text"),
        ({"prompt": [[1], [2]]}, "prompt", "send text"),
        ({"prompt": None}, "prompt", "some text"),
        ({"prompt": ""}, "prompt", "some text"),
        ({"suffix": "end"}, "suffix", "suffix"),
        ({"echo": True}, "echo", "repeat"),
        ({"best_of": 2}, "best_of", "choose"),
    ],
)
def test_what_no_conversation_can_ask_is_refused_by_name(more: Any, param: str, why: str) -> None:
    with pytest.raises(Unsupported, match=why) as refused:
        COMPLETIONS.decode_request(MINIMAL | more)
    assert refused.value.param == param


def test_a_prompt_reaches_every_chat_upstream() -> None:
    for target in golden.CHATS:
        body = DIALECTS[target].encode_request(COMPLETIONS.decode_request(MINIMAL), Report())
        DIALECTS[target].read(body)
        assert "hi" in json.dumps(body)


def test_a_conversation_is_refused_by_a_target_of_completions_alone() -> None:
    with pytest.raises(Unsupported, match="chat endpoint") as refused:
        COMPLETIONS.encode_request({"model": "m", "messages": USER}, Report())
    assert refused.value.param == "messages"
    assert COMPLETIONS.strip_foreign(MINIMAL, Report()) is MINIMAL


# ---- answers


def test_an_answer_survives_its_own_codec() -> None:
    back = COMPLETIONS.encode_response(COMPLETIONS.decode_response(ANSWER), golden.reply())
    assert back == ANSWER
    assert COMPLETIONS.usage(ANSWER) == Usage(33, 42)


@pytest.mark.parametrize("doc", [None, [], {}, {"choices": 4}, {"choices": [{"message": {}}]}])
def test_a_document_that_is_no_completion_is_the_upstreams_failure(doc: Any) -> None:
    with pytest.raises(UpstreamFailed):
        COMPLETIONS.decode_response(doc)


@pytest.mark.parametrize("source", golden.cases("answers"), ids=golden.name)
def test_every_answer_reaches_a_completions_client(source: Any) -> None:
    chat = DIALECTS[source.parent.name].decode_response(golden.load(source))
    body = COMPLETIONS.encode_response(chat, golden.reply())
    TypeAdapter(Completion).validate_json(json.dumps(body))
    message = chat["choices"][0]["message"]
    text = (message["content"] or "") + (message.get("refusal") or "")
    assert body["choices"][0]["text"] == text
    assert body["choices"][0].get("reasoning_content") == message.get("reasoning_content")


def test_probabilities_of_a_conversation_are_told_in_columns() -> None:
    chat = answer({"content": "Hi!"})
    tokens = [
        {"token": "Hi", "logprob": -0.1, "top_logprobs": [{"token": "Ho", "logprob": -3}]},
        {"token": "!", "logprob": None},
    ]
    chat["choices"][0]["logprobs"] = {"content": tokens}
    told = COMPLETIONS.encode_response(chat, golden.reply())["choices"][0]["logprobs"]
    assert told == {
        "tokens": ["Hi", "!"],
        "token_logprobs": [-0.1, -9999.0],
        "top_logprobs": [{"Ho": -3}, {}],
        "text_offset": [0, 2],
    }
    short = {"choices": [{"text": "a", "index": 0, "logprobs": {"tokens": ["a"]}}]}
    (token,) = COMPLETIONS.decode_response(short)["choices"][0]["logprobs"]["content"]
    assert (token["logprob"], token["top_logprobs"], "text_offset" in token) == (-9999.0, [], False)


def test_reasoning_stands_beside_the_text() -> None:
    body = COMPLETIONS.encode_response(
        answer({"content": "4", "reasoning_content": "Add."}), golden.reply()
    )
    assert body["choices"][0]["reasoning_content"] == "Add."
    back = COMPLETIONS.decode_response(body)["choices"][0]["message"]
    assert back == {"role": "assistant", "content": "4", "reasoning_content": "Add."}


# ---- streams


def chunks(raw: bytes) -> list[Any]:
    return golden.chunks("openai_completions", golden.events(raw))


def test_a_stream_survives_its_own_codec_event_by_event() -> None:
    back = golden.encoded("openai_completions", chunks(STREAM))
    assert [event.doc for event in back] == [event.doc for event in golden.events(STREAM)]


def test_a_stream_says_the_same_however_it_is_cut() -> None:
    whole = chunks(STREAM)
    for pieces in cuts(STREAM):
        decoder = Decoder()
        told = [event for piece in pieces for event in decoder.feed(piece)] + decoder.close()
        for event in told:
            event.doc = json.loads(event.data) if event.data.startswith(b"{") else None
        assert golden.chunks("openai_completions", told) == whole


@pytest.mark.parametrize("source", golden.cases("streams"), ids=golden.name)
def test_every_stream_reaches_a_completions_client(source: Any) -> None:
    told = golden.chunks(source.parent.name, golden.events(source.read_bytes()))
    body = golden.wire(golden.encoded("openai_completions", told))
    answer = lambda request: httpx2.Response(  # noqa: E731
        200, headers={"content-type": "text/event-stream"}, content=body
    )
    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    client = openai.OpenAI(api_key="k", base_url="http://up/v1", http_client=http, max_retries=0)
    read = list(client.completions.create(model="m", prompt="hi", stream=True))
    message = golden.merged(told)["choices"][0]["message"]
    text = (message.get("content") or "") + (message.get("refusal") or "")
    assert "".join(one.choices[0].text for one in read if one.choices) == text
    assert [one.choices[0].finish_reason for one in read if one.choices][-1] in {"stop", "length"}
    assert read[-1].usage is not None


def test_counts_are_told_to_those_who_asked() -> None:
    quiet = golden.encoded("openai_completions", chunks(STREAM), {"stream_options": None})
    assert b"prompt_tokens" not in golden.wire(quiet)
    assert COMPLETIONS.stream_usage(golden.events(STREAM)[3].doc) == Usage(33, 42)


def test_a_stream_ends_with_its_marker_or_with_an_error() -> None:
    told = golden.events(STREAM)
    assert [COMPLETIONS.terminal(event) for event in told] == [False] * 4 + [True]
    (event,) = COMPLETIONS.error_events(Blocked("no", rules=["r"]), "req_1")
    assert COMPLETIONS.terminal(event)
    error = COMPLETIONS.stream_error(event)
    assert error is not None
    assert error.code == "policy_blocked"
    assert golden.chunks("openai_completions", [new_event("", {"x": 1})]) == []


# ---- enforcement


def test_every_text_of_an_event_is_seen_and_can_be_sent() -> None:
    probabilities = {"tokens": ["a"]}
    choice = {
        "index": 1,
        "text": "a",
        "reasoning_content": "b",
        "logprobs": probabilities,
        "note": "c",
    }
    doc = {"choices": [choice], "warning": "d"}
    found = COMPLETIONS.slots(doc, "")
    assert [(slot.channel, slot.kind) for slot in found] == [
        ((1, "text"), "text"),
        ((1, "reasoning_content"), "text"),
        ((1, "rest", "note"), "whole"),
        ((1, "text"), "logprobs"),
        (("event", "warning"), "whole"),
    ]
    for slot in found[:2]:
        made = COMPLETIONS.delta(slot.channel, "more", doc)
        again = COMPLETIONS.slots(made.doc, "")
        assert [(one.channel, one.holder[one.field]) for one in again] == [(slot.channel, "more")]
    assert COMPLETIONS.delta((0, "text"), "x", None).doc["id"] == ""
    assert COMPLETIONS.slots(None, "") == []


def test_a_finish_reason_ends_its_choice_and_the_marker_all() -> None:
    told = golden.events(STREAM)
    assert [COMPLETIONS.closes(event.doc, "") for event in told] == [[], [], [(0,)], [], [()]]


def test_the_prompt_and_the_text_are_seen() -> None:
    found = leaves({"model": "m", "prompt": ["a", "b"], "suffix": "c"}, COMPLETIONS.text)
    assert [leaf.text for leaf in found] == ["a", "b", "c"]
    assert [leaf.text for leaf in leaves(ANSWER, COMPLETIONS.text)] == [" Paris", " the"]


def test_a_call_of_a_tool_ends_a_completion() -> None:
    (event,) = golden.encoded("openai_completions", [chunk({}, "tool_calls")])[:-1]
    assert event.doc["choices"][0]["finish_reason"] == "stop"
