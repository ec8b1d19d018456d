"""Counts and errors as the vendors tell them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.sdk.wire.dialects import dialect_golden as golden

from nexus_sdk.errors import NexusError, Unsupported, UpstreamFailed
from nexus_sdk.model import Usage
from nexus_sdk.wire import counts
from nexus_sdk.wire.dialect import ErrorFacts, inverted
from nexus_sdk.wire.dialects import DIALECTS

USAGES: list[tuple[str, dict[str, Any], Usage]] = [
    ("openai_chat", {"prompt_tokens": 9, "completion_tokens": 4}, Usage(9, 4)),
    (
        "openai_chat",
        {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 3}},
        Usage(9, 0, 3),
    ),
    (
        "openai_chat",
        {"prompt_tokens": 9, "prompt_tokens_details": None, "cached_tokens": 3},
        Usage(9, 0, 3),
    ),
    ("openai_chat", {"prompt_tokens": 9, "prompt_cache_hit_tokens": 3}, Usage(9, 0, 3)),
    (
        "openai_chat",
        {"prompt_tokens": 9, "prompt_tokens_details": {"cache_creation_tokens": 2}},
        Usage(9, cache_write=2),
    ),
    (
        "openai_chat",
        {"prompt_tokens": 9, "prompt_tokens_details": {"audio_tokens": 2}},
        Usage(9, audio_input=2),
    ),
    (
        "openai_chat",
        {
            "prompt_tokens": 9,
            "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 1},
        },
        Usage(9, reasoning=2, audio_output=1),
    ),
    ("openai_chat", {"input_tokens": 9, "output_tokens": 4}, Usage(9, 4)),
    (
        "openai_responses",
        {
            "input_tokens": 9,
            "input_tokens_details": {"cached_tokens": 3},
            "output_tokens": 4,
            "output_tokens_details": {"reasoning_tokens": 1},
        },
        Usage(9, 4, 3, reasoning=1),
    ),
    (
        "anthropic",
        {
            "input_tokens": 9,
            "cache_read_input_tokens": 3,
            "cache_creation_input_tokens": 2,
            "output_tokens": 4,
            "output_tokens_details": {"thinking_tokens": 1},
        },
        Usage(14, 4, 3, 2, reasoning=1),
    ),
    (
        "anthropic",
        {"input_tokens": 9, "cache_read_input_tokens": None, "output_tokens": 4},
        Usage(9, 4),
    ),
    ("openai_embeddings", {"prompt_tokens": 9, "total_tokens": 9}, Usage(9)),
    ("bedrock", {"inputTokens": 9, "outputTokens": 4, "totalTokens": 13}, Usage(9, 4)),
    (
        "bedrock",
        {
            "inputTokens": 9,
            "outputTokens": 4,
            "cacheReadInputTokens": 3,
            "cacheWriteInputTokens": 2,
        },
        Usage(14, 4, 3, 2),
    ),
    ("gemini", {"promptTokenCount": 9, "candidatesTokenCount": 4}, Usage(9, 4)),
    (
        "gemini",
        {
            "promptTokenCount": 9,
            "toolUsePromptTokenCount": 5,
            "cachedContentTokenCount": 3,
            "candidatesTokenCount": 4,
            "thoughtsTokenCount": 2,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 8},
                {"modality": "AUDIO", "tokenCount": 1},
            ],
            "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 2}],
        },
        Usage(14, 6, 3, reasoning=2, audio_input=1, audio_output=2),
    ),
]


@pytest.mark.parametrize(("dialect", "told", "usage"), USAGES)
def test_counts_are_read_under_any_vendors_names(dialect: str, told: Any, usage: Usage) -> None:
    member = "usageMetadata" if dialect == "gemini" else "usage"
    assert DIALECTS[dialect].usage({member: told}) == usage


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "doc",
    [{}, {"usage": None}, {"usage": {}}, {"usage": "many"}, {"usageMetadata": "many"}],
)
def test_an_answer_without_counts_has_none(dialect: str, doc: Any) -> None:
    assert DIALECTS[dialect].usage(doc) is None


def test_every_alias_of_a_count_is_read() -> None:
    rows = {
        "input": counts.INPUT,
        "output": counts.OUTPUT,
        "cache_read": counts.CACHE_READ,
        "cache_write": counts.CACHE_WRITE,
        "reasoning": counts.REASONING,
        "audio_input": counts.AUDIO_INPUT,
        "audio_output": counts.AUDIO_OUTPUT,
    }
    for field, names in rows.items():
        for name in names:
            told: Any = {"total_tokens": 1}
            node = told
            for step in name[:-1]:
                node = node.setdefault(step, {})
            node[name[-1]] = 5
            usage = counts.read(told)
            assert getattr(usage, field) == 5, name


def test_groqs_counts_of_a_stream_stand_elsewhere() -> None:
    doc: Any = {
        "choices": [],
        "usage": None,
        "x_groq": {"usage": {"prompt_tokens": 9, "completion_tokens": 4}},
    }
    assert DIALECTS["openai_chat"].stream_usage(doc) == Usage(9, 4)


BODIES = [
    (
        b'{"error":{"message":"no","type":"t","code":"c","param":"p"}}',
        ErrorFacts(400, "no", "t", "c", "p"),
    ),
    (b'{"error":{"message":"no","type":"t","code":null}}', ErrorFacts(400, "no", "t")),
    (b'{"error":{"message":"no","code":429}}', ErrorFacts(400, "no", "", "429")),
    (
        b'{"type":"error","error":{"type":"t","message":"no"},"request_id":"r"}',
        ErrorFacts(400, "no", "t"),
    ),
    (b'{"error":"no"}', ErrorFacts(400, "no")),
    (b'{"message":"no"}', ErrorFacts(400, "no")),
    (b'{"detail":"no"}', ErrorFacts(400, "no")),
    (b'{"detail":[{"msg":"no"}]}', ErrorFacts(400, '[{"msg":"no"}]')),
    (b'{"object":"error","message":"no","type":"t","code":400}', ErrorFacts(400, "no", "t", "400")),
    (
        b'[{"error":{"message":"no","status":"INVALID_ARGUMENT","code":400}}]',
        ErrorFacts(400, "no", "INVALID_ARGUMENT", "400"),
    ),
    (
        (
            b'{"error":{"code":429,"message":"no","status":"RESOURCE_EXHAUSTED","details":['
            b'{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"RATE_LIMIT_EXCEEDED"},'
            b'{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"12.5s"}]}}'
        ),
        ErrorFacts(400, "no", "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED", "", 12.5),
    ),
    (
        (
            b'{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT","details":['
            b'{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"n"}]},'
            b'{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"soon"}]}}'
        ),
        ErrorFacts(400, "no", "INVALID_ARGUMENT", "400", "n"),
    ),
    (
        (
            b'{"error":{"message":"no","details":[4,{"@type":"x.google.rpc.BadRequest",'
            b'"fieldViolations":[4]}]}}'
        ),
        ErrorFacts(400, "no"),
    ),
    (b'{"error":{"message":"no","details":"many"}}', ErrorFacts(400, "no")),
    (b"<html>bad</html>", ErrorFacts(400, "<html>bad</html>")),
    (b"", ErrorFacts(400, "the upstream answered with status 400 and no body")),
    (b"{}", ErrorFacts(400, "the upstream answered with status 400")),
    (b"4", ErrorFacts(400, "the upstream answered with status 400")),
    (b'{"error":{"message":"no","code":true}}', ErrorFacts(400, "no")),
]


@pytest.mark.parametrize(("body", "facts"), BODIES)
def test_an_upstreams_error_is_read_in_any_shape(body: bytes, facts: ErrorFacts) -> None:
    for dialect in DIALECTS.values():
        assert dialect.decode_error(400, body) == facts


def test_a_page_of_html_is_cut() -> None:
    assert len(DIALECTS["openai_chat"].decode_error(502, b"x" * 9000).message) == 2000


@pytest.mark.parametrize(
    ("status", "openai_type", "anthropic_type"),
    [
        (400, "invalid_request_error", "invalid_request_error"),
        (401, "authentication_error", "authentication_error"),
        (402, "api_error", "billing_error"),
        (403, "permission_error", "permission_error"),
        (404, "invalid_request_error", "not_found_error"),
        (413, "invalid_request_error", "request_too_large"),
        (429, "rate_limit_error", "rate_limit_error"),
        (500, "api_error", "api_error"),
        (504, "api_error", "timeout_error"),
        (529, "api_error", "overloaded_error"),
    ],
)
def test_an_error_is_told_in_the_callers_words(
    status: int, openai_type: str, anthropic_type: str
) -> None:
    told = ErrorFacts(status, "no", "theirs", "their_code", "p")
    ours = DIALECTS["openai_responses"].relay_error(told, "req_1")["error"]
    assert (ours["type"], ours["code"], ours["param"], ours["message"]) == (
        openai_type,
        "their_code",
        "p",
        "no",
    )
    body = DIALECTS["anthropic"].relay_error(told, "req_1")
    assert body["error"] == {
        "type": anthropic_type,
        "message": "no",
        "code": "their_code",
        "param": "p",
    }
    assert body["request_id"] == "req_1"


def test_an_error_without_a_code_has_its_type_for_one() -> None:
    told = ErrorFacts(529, "no", "overloaded_error")
    assert DIALECTS["openai_chat"].relay_error(told, "r")["error"]["code"] == "overloaded_error"
    bare = DIALECTS["anthropic"].relay_error(ErrorFacts(500, "no"), "r")["error"]
    assert bare == {"type": "api_error", "message": "no"}


def test_our_errors_in_both_envelopes() -> None:
    err = Unsupported("no such thing", param="n")
    openai_body = DIALECTS["openai_chat"].encode_error(err, "req_1")
    assert openai_body == {
        "error": {
            "message": "no such thing",
            "type": "invalid_request_error",
            "code": "unsupported_feature",
            "param": "n",
            "request_id": "req_1",
        }
    }
    body = DIALECTS["anthropic"].encode_error(err, "req_1")
    assert body["error"] == {
        "type": "invalid_request_error",
        "message": "no such thing",
        "code": "unsupported_feature",
        "param": "n",
    }
    unknown = DIALECTS["anthropic"].encode_error(NexusError("bug"), "req_1")
    assert unknown["error"]["type"] == "api_error"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_events_of_an_error_are_read_back_as_one(dialect: str) -> None:
    events = DIALECTS[dialect].error_events(
        UpstreamFailed("cut short", code="upstream_truncated"), "req_1"
    )
    assert len(events) == 1
    assert b"[DONE]" not in golden.wire(events)
    body = json.loads(events[0].data)
    error = body.get("error", body)
    code = error["details"][0]["reason"] if "details" in error else error.get("code")
    assert (error["reason"] if dialect == "bedrock" else code) == "upstream_truncated"
    err = DIALECTS[dialect].stream_error(events[0])
    assert err is not None
    assert (err.message, err.code) == ("cut short", "upstream_truncated")


def test_a_table_with_a_value_twice_has_no_inverse() -> None:
    assert inverted({"a": 1, "b": 2}) == {1: "a", 2: "b"}
    with pytest.raises(ValueError, match="share"):
        inverted({"a": 1, "b": 1})
