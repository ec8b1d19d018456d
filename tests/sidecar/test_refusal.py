"""Refusals of the HTTP front in the format of the client that asks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nexus_sidecar.refusal import answer, operation_near
from nexus_sidecar.strict_http import Refused

REFUSED = Refused(413, "payload_too_large", "the body is over 5 bytes")


def told(target: bytes) -> tuple[bytes, Any]:
    head, _, body = answer(REFUSED, target, [(b"date", b"today")]).partition(b"\r\n\r\n")
    assert b"content-length: %d" % len(body) in head
    return head.partition(b"\r\n")[0], json.loads(body)


@pytest.mark.parametrize(
    ("target", "operation"),
    [
        (b"/v1/chat/completions", ""),
        (b"/openai/deployments/x/chat/completions", ""),
        (b"/v1/models/gpt-4o", ""),
        (b"/v1/messages/batches", "messages"),
        (b"/anthropic/v1/files", "messages"),
        (b"/model/a.b-v1:0/invoke", "converse"),
        (b"/bedrock/model/x/invoke", "converse"),
        (b"/v1beta/files", "generate_content"),
        (b"/v1/models/x:predict", "generate_content"),
        (b"/v1/models/x:predict?alt=sse", "generate_content"),
        (b"/v1/publishers/google/models/x:predict", "generate_content"),
        (b"/v1/chat?x=/models/x:predict", ""),
        (b"/v2/classify", "cohere_chat"),
    ],
)
def test_whose_client_asks(target: bytes, operation: str) -> None:
    assert operation_near(target) == operation


def test_in_openai_s_format() -> None:
    line, doc = told(b"/v1/embeddings")
    assert line == b"HTTP/1.1 413 Content Too Large"
    assert doc["error"]["code"] == "payload_too_large"


def test_in_google_s_format() -> None:
    error = told(b"/v1beta/models/x:generateContent")[1]["error"]
    assert (error["code"], error["status"]) == (413, "INVALID_ARGUMENT")
    assert error["message"] == REFUSED.message


def test_in_bedrock_s_format() -> None:
    doc = told(b"/model/x/converse")[1]
    assert (doc["__type"], doc["message"]) == ("ValidationException", REFUSED.message)
    assert doc["reason"] == "payload_too_large"


def test_in_cohere_s_format() -> None:
    doc = told(b"/v2/chat")[1]
    assert (doc["message"], doc["code"]) == (REFUSED.message, "payload_too_large")
