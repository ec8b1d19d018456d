"""What a translation refuses, and what it tells of the rest."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sdk.wire.dialects import dialect_golden as golden
from tests.sdk.wire.dialects.dialect_golden import MINIMAL, USER, user

from nexus_sdk.errors import Malformed, Unsupported, UpstreamFailed
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report

STATE = [
    "previous_response_id",
    "conversation",
    "prompt",
    "background",
    "store",
    "context_management",
]


@pytest.mark.parametrize("key", STATE)
def test_what_relies_on_openais_server_is_refused_for_other_targets(key: str) -> None:
    doc = MINIMAL["openai_responses"] | {key: "x"}
    chat = DIALECTS["openai_responses"].decode_request(doc)
    for target in {*golden.CHATS, "replicate"} - {"openai_responses"}:
        with pytest.raises(Unsupported) as refused:
            DIALECTS[target].encode_request(chat, Report())
        assert refused.value.param == key
    assert DIALECTS["openai_responses"].encode_request(chat, Report())[key] == "x"


@pytest.mark.parametrize("target", sorted({*golden.CHATS, "replicate"} - {"openai_responses"}))
def test_truncation_is_refused_unless_disabled(target: str) -> None:
    decode = DIALECTS["openai_responses"].decode_request
    auto = decode(MINIMAL["openai_responses"] | {"truncation": "auto"})
    with pytest.raises(Unsupported, match="truncation"):
        DIALECTS[target].encode_request(auto, Report())
    assert DIALECTS["openai_responses"].encode_request(auto, Report())["truncation"] == "auto"
    disabled = decode(MINIMAL["openai_responses"] | {"truncation": "disabled"})
    assert "truncation" not in DIALECTS[target].encode_request(disabled, Report())


UNKNOWN_PARTS = [
    ("anthropic", {"messages": user({"type": "hologram"})}, "messages.0.content.0.type"),
    (
        "anthropic",
        {"messages": [{"role": "assistant", "content": [{"type": "aura"}]}]},
        "messages.0.content.0.type",
    ),
    ("gemini", {"contents": [{"parts": [{"smell": {}}]}]}, "contents.0.parts.0.smell"),
    ("openai_responses", {"input": user({"type": "input_smell"})}, "input.0.content.0.type"),
    ("openai_responses", {"input": [{"type": "item_reference", "id": "x"}]}, "input.0.type"),
    ("bedrock", {"messages": user({"hologram": {}})}, "messages.0.content.0"),
    (
        "bedrock",
        {"messages": [{"role": "assistant", "content": [{"aura": {}}]}]},
        "messages.0.content.0",
    ),
    (
        "bedrock",
        {"messages": user({"toolUse": {"toolUseId": "t", "name": "f", "input": {}}})},
        "messages.0.content.0.toolUse",
    ),
    ("bedrock", {"toolConfig": {"tools": [{"newTool": {}}]}}, "toolConfig.tools.0"),
]


@pytest.mark.parametrize(("dialect", "more", "param"), UNKNOWN_PARTS)
def test_a_part_that_is_not_known_is_refused_by_its_address(
    dialect: str, more: Any, param: str
) -> None:
    with pytest.raises(Unsupported) as refused:
        DIALECTS[dialect].decode_request(MINIMAL[dialect] | more)
    assert refused.value.param == param


INEXPRESSIBLE = [
    ("anthropic", user({"type": "input_audio", "input_audio": {}}), "messages.0.content.0.type"),
    (
        "anthropic",
        user({"type": "image_url", "image_url": {"file_id": "f"}}),
        "messages.0.content.0.image_url",
    ),
    (
        "anthropic",
        user({"type": "image_url", "image_url": {"url": "data:x,y"}}),
        "messages.0.content.0",
    ),
    (
        "anthropic",
        user({"type": "file", "file": {"file_id": "f"}}),
        "messages.0.content.0.file.file_id",
    ),
    (
        "anthropic",
        user({"type": "file", "file": {"file_data": "data:text/csv;base64,YQ=="}}),
        "messages.0.content.0.file.file_data",
    ),
    (
        "openai_chat",
        user({"type": "file", "file": {"file_url": "https://x"}}),
        "messages.0.content.0.file.file_url",
    ),
    (
        "openai_chat",
        user({"type": "image_url", "image_url": {"file_id": "f"}}),
        "messages.0.content.0.image_url.file_id",
    ),
    (
        "openai_chat",
        user({"type": "container_upload", "file_id": "f"}),
        "messages.0.content.0.type",
    ),
    (
        "openai_chat",
        user({"type": "document", "source": {"type": "file", "file_id": "f"}}),
        "messages.0.content.0.source",
    ),
    (
        "openai_responses",
        user({"type": "container_upload", "file_id": "f"}),
        "messages.0.content.0.type",
    ),
    (
        "openai_responses",
        user({"type": "document", "source": {"type": "file", "file_id": "f"}}),
        "messages.0.content.0.source",
    ),
    ("anthropic", [{"role": "narrator", "content": "x"}], "messages.0.role"),
    ("bedrock", [{"role": "narrator", "content": "x"}], "messages.0.role"),
    ("bedrock", user({"type": "container_upload", "file_id": "f"}), "messages.0.content.0.type"),
    (
        "bedrock",
        user({"type": "image_url", "image_url": {"url": "https://x/i.png"}}),
        "messages.0.content.0.image_url",
    ),
    (
        "bedrock",
        user({"type": "image_url", "image_url": {"url": "data:image/tiff;base64,YQ=="}}),
        "messages.0.content.0.image_url",
    ),
    (
        "bedrock",
        user({"type": "image", "source": {"type": "file", "file_id": "f"}}),
        "messages.0.content.0.source",
    ),
    (
        "bedrock",
        user({"type": "file", "file": {"file_id": "f"}}),
        "messages.0.content.0.file",
    ),
    (
        "bedrock",
        user({"type": "file", "file": {"file_url": "s3://b/noformat"}}),
        "messages.0.content.0.file",
    ),
    (
        "bedrock",
        user({"type": "document", "source": {"type": "file", "file_id": "f"}}),
        "messages.0.content.0.source",
    ),
    ("gemini", [{"role": "narrator", "content": "x"}], "messages.0.role"),
    ("gemini", user({"type": "container_upload", "file_id": "f"}), "messages.0.content.0.type"),
    (
        "gemini",
        user({"type": "image_url", "image_url": {"file_id": "f"}}),
        "messages.0.content.0.image_url",
    ),
    (
        "gemini",
        user({"type": "file", "file": {"file_id": "f"}}),
        "messages.0.content.0.file.file_id",
    ),
    (
        "gemini",
        user({"type": "document", "source": {"type": "file", "file_id": "f"}}),
        "messages.0.content.0.source",
    ),
    (
        "bedrock",
        user({"type": "document", "source": {"type": "content", "content": [{"type": "image"}]}}),
        "messages.0.content.0.source",
    ),
    (
        "bedrock",
        user({"type": "input_audio", "input_audio": {"data": "aWk=", "format": "pcm16"}}),
        "messages.0.content.0.input_audio",
    ),
    (
        "bedrock",
        [
            {
                "role": "tool",
                "tool_call_id": "c",
                "content": [
                    {"type": "input_audio", "input_audio": {"data": "aWk=", "format": "mp3"}}
                ],
            }
        ],
        "messages.0.content.0",
    ),
    (
        "gemini",
        [{"role": "assistant", "content": [{"type": "image_url", "image_url": {}}]}],
        "messages.0.content.0.type",
    ),
    *(
        (
            target,
            user({"type": "file", "file": {"file_id": "gs://bucket/a.pdf"}}),
            "messages.0.content.0.file.file_id",
        )
        for target in ("openai_chat", "openai_responses")
    ),
]


@pytest.mark.parametrize(("target", "messages", "param"), INEXPRESSIBLE)
def test_content_that_a_target_cannot_take_is_refused_by_its_address(
    target: str, messages: Any, param: str
) -> None:
    with pytest.raises(Malformed) as refused:
        DIALECTS[target].encode_request({"model": "m", "messages": messages}, Report())
    assert refused.value.param == param


@pytest.mark.parametrize("target", ["anthropic", "bedrock", "gemini"])
@pytest.mark.parametrize("text", ["{", "[]", "4"])
def test_arguments_that_are_no_object_are_refused(target: str, text: str) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": text}}
    messages = [{"role": "assistant", "tool_calls": [call]}]
    with pytest.raises(Malformed) as refused:
        DIALECTS[target].encode_request({"model": "m", "messages": messages}, Report())
    assert refused.value.param == "messages.0.tool_calls.0.function.arguments"


MISSING = [
    (
        "anthropic",
        {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "t"}]}]},
        "name",
    ),
    ("openai_responses", {"input": [{"type": "function_call", "call_id": "c"}]}, "name"),
    (
        "bedrock",
        {"messages": [{"role": "assistant", "content": [{"toolUse": {"toolUseId": "t"}}]}]},
        "name",
    ),
    ("bedrock", {"messages": user({"image": {"format": "png"}})}, "source"),
    ("openai_responses", {"input": [{"role": "user"}]}, "content"),
    (
        "gemini",
        {"contents": [{"role": "model", "parts": [{"functionCall": {"args": {}}}]}]},
        "name",
    ),
    ("gemini", {"contents": [{"role": "narrator", "parts": [{"text": "x"}]}]}, "role"),
]


@pytest.mark.parametrize(("dialect", "more", "member"), MISSING)
def test_a_block_without_a_member_that_is_needed_is_malformed(
    dialect: str, more: Any, member: str
) -> None:
    with pytest.raises(Malformed) as refused:
        DIALECTS[dialect].decode_request(MINIMAL[dialect] | more)
    assert str(refused.value.param).endswith(f".{member}")


NO_ANSWERS: list[Any] = [None, [], {}, {"error": {"message": "no"}}, {"object": "list", "data": []}]


@pytest.mark.parametrize("doc", NO_ANSWERS)
@pytest.mark.parametrize("dialect", golden.CHATS)
def test_a_document_that_is_no_answer_is_the_upstreams_failure(dialect: str, doc: Any) -> None:
    with pytest.raises(UpstreamFailed):
        DIALECTS[dialect].decode_response(doc)


def test_an_error_that_came_as_a_whole_answer_keeps_its_words() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "too much"}}
    with pytest.raises(UpstreamFailed, match="too much"):
        DIALECTS["anthropic"].decode_response(error)
    failed = {
        "status": "failed",
        "output": [],
        "error": {"code": "server_error", "message": "too much"},
    }
    with pytest.raises(UpstreamFailed, match="too much") as raised:
        DIALECTS["openai_responses"].decode_response(failed)
    assert raised.value.code == "server_error"
    with pytest.raises(UpstreamFailed, match="queued"):
        DIALECTS["openai_responses"].decode_response({"status": "queued", "output": []})


# ---- the report


def test_a_drop_is_an_error_where_the_policy_says_so() -> None:
    report = Report()
    report.refuse_drops()
    report.omitted("metadata", "not taken")
    report.coerced("a->b")
    report.refuse_drops()
    report.dropped("seed", "sampling cannot be seeded")
    with pytest.raises(Unsupported, match="seed: sampling") as refused:
        report.refuse_drops()
    assert refused.value.param == "seed"
    assert (report.changes, len(report.drops), len(report.omissions)) == (("a->b",), 1, 1)


def test_values_that_ask_for_nothing_are_not_reported() -> None:
    chat = MINIMAL["openai_chat"] | {
        "n": 1,
        "logprobs": False,
        "store": False,
        "presence_penalty": 0,
        "seed": None,
    }
    for target in ("anthropic", "openai_responses", "bedrock", "gemini"):
        report = Report()
        DIALECTS[target].encode_request(chat, report)
        assert report.drops == ()


def test_a_target_may_take_an_extension() -> None:
    marker = {"type": "ephemeral"}
    part = {"type": "text", "text": "hi", "cache_control": marker}
    chat = {"model": "m", "top_k": 4, "messages": [{"role": "user", "content": [part]}]}
    strict, lenient = Report(), Report(accepts=frozenset({"cache_control", "top_k"}))
    encode = DIALECTS["openai_chat"].encode_request
    assert encode(chat, strict)["messages"][0]["content"] == "hi"
    assert [loss.param for loss in strict.drops + strict.omissions] == [
        "top_k",
        "messages.0.content.0.cache_control",
    ]
    kept = encode(chat, lenient)
    assert kept["messages"][0]["content"][0]["cache_control"] == marker
    assert kept["top_k"] == 4
    assert lenient.drops + lenient.omissions == ()


def test_anthropics_ceiling_is_the_models_where_it_is_known() -> None:
    report = Report(max_output_tokens=64000)
    body = DIALECTS["anthropic"].encode_request(MINIMAL["openai_chat"], report)
    assert body["max_tokens"] == 64000
    assert report.changes == ("max_tokens: absent->64000",)


def test_an_empty_turn_is_left_out_and_told() -> None:
    report = Report()
    messages = [*USER, {"role": "assistant", "content": ""}, *USER]
    body = DIALECTS["anthropic"].encode_request({"model": "m", "messages": messages}, report)
    assert [turn["role"] for turn in body["messages"]] == ["user", "user"]
    assert any("messages.1" in change for change in report.changes)


def test_a_system_message_in_the_middle_stays_there() -> None:
    messages = [*USER, {"role": "developer", "content": "now in German"}, *USER]
    body = DIALECTS["anthropic"].encode_request({"model": "m", "messages": messages}, Report())
    assert [turn["role"] for turn in body["messages"]] == ["user", "system", "user"]


def test_unknown_fields_travel() -> None:
    for target in golden.CHATS:
        body = DIALECTS[target].encode_request(
            MINIMAL["openai_chat"] | {"new_field": {"a": 1}}, Report()
        )
        told = body.get("additionalModelRequestFields") or body
        assert told["new_field"] == {"a": 1}
    for source in golden.CHATS:
        chat = DIALECTS[source].decode_request(MINIMAL[source] | {"new_field": 1})
        assert chat["new_field"] == 1
