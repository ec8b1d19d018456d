"""The two refusals that applications act on, from each vendor's words to each other's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from nexus_sdk.wire.dialect import ErrorFacts
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.error_reasons import Reason, reason, worded

if TYPE_CHECKING:
    from collections.abc import Callable

TOO_LONG = {
    "openai_chat": {
        "error": {
            "message": "This model's maximum context length is 8192 tokens.",
            "type": "invalid_request_error",
            "code": "context_length_exceeded",
        }
    },
    "anthropic": {
        "type": "error",
        "error": {
            "type": "invalid_request_error",
            "message": "prompt is too long: 210000 tokens > 200000 maximum",
        },
    },
    "gemini": {
        "error": {
            "code": 400,
            "message": "The input token count (2000000) exceeds the maximum number of tokens "
            "allowed (1048576).",
            "status": "INVALID_ARGUMENT",
        }
    },
    "bedrock": {"message": "Input is too long for requested model."},
    "cohere": {
        "id": "x",
        "message": "too many tokens: total number of tokens in the prompt cannot exceed 4081",
    },
}
RECOGNISED: dict[str, Callable[[Any], bool]] = {
    "openai_chat": lambda doc: doc["error"]["code"] == "context_length_exceeded",
    "openai_responses": lambda doc: doc["error"]["code"] == "context_length_exceeded",
    "anthropic": lambda doc: (
        "prompt is too long" in doc["error"]["message"]
        and doc["error"]["type"] == "invalid_request_error"
    ),
    "gemini": lambda doc: (
        "exceeds the maximum number of tokens" in doc["error"]["message"]
        and doc["error"]["status"] == "INVALID_ARGUMENT"
    ),
    "bedrock": lambda doc: (
        "Input is too long" in doc["message"] and doc["__type"] == "ValidationException"
    ),
    "cohere": lambda doc: "too many tokens" in doc["message"],
}


@pytest.mark.parametrize("target", list(RECOGNISED))
@pytest.mark.parametrize("source", list(TOO_LONG))
def test_too_long_is_recognised_from_every_vendor_by_every_caller(source: str, target: str) -> None:
    body = json.dumps(TOO_LONG[source]).encode()
    told = worded(DIALECTS[source].decode_error(400, body), target)
    doc = DIALECTS[target].relay_error(told, "r")
    assert RECOGNISED[target](doc), doc
    said = DIALECTS[source].decode_error(400, body).message
    assert said in json.dumps(doc, ensure_ascii=False)
    again = worded(DIALECTS[target].decode_error(400, json.dumps(doc).encode()), source)
    assert reason(again) == "context_length_exceeded"


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (ErrorFacts(400, "no", code="content_filter"), "content_filter"),
        (ErrorFacts(400, "no", code="content_policy_violation"), "content_filter"),
        (ErrorFacts(400, "Output blocked by content filtering policy"), "content_filter"),
        (ErrorFacts(400, "Content Exists Risk"), "content_filter"),
        (ErrorFacts(400, "no", type="exceed_context_size_error"), "context_length_exceeded"),
        (
            ErrorFacts(400, "input length and `max_tokens` exceed context limit: 1 + 2 > 2"),
            "context_length_exceeded",
        ),
        (
            ErrorFacts(400, "the input token count is 9 but model only supports up to 8"),
            "context_length_exceeded",
        ),
        (
            ErrorFacts(422, "`inputs` tokens + `max_new_tokens` must be <= 4097"),
            "context_length_exceeded",
        ),
        (ErrorFacts(429, "too many tokens: wait", code="context_length_exceeded"), None),
        (ErrorFacts(500, "prompt is too long"), None),
        (ErrorFacts(400, "tools is too long"), None),
    ],
)
def test_what_is_recognised_and_what_is_not(told: ErrorFacts, found: Reason | None) -> None:
    assert reason(told) == found


def test_a_filter_s_refusal_is_told_in_anthropic_s_words_and_openai_s_code() -> None:
    told = worded(ErrorFacts(400, "flagged", code="content_filter"), "anthropic")
    assert told.message == "Output blocked by content filtering policy: flagged"
    assert worded(told, "openai_chat").code == "content_filter"


def test_any_other_error_stays_as_it_is() -> None:
    told = ErrorFacts(400, "no such field", "t", "c", "p", 3.0)
    assert worded(told, "anthropic") is told
