"""What counts as text in each dialect."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sdk.wire.dialects.dialect_golden import user

from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.texts import leaves

SECRET = "the words"
TEXTS = [
    ("openai_chat", {"messages": user({"type": "text", "text": SECRET})}),
    ("openai_chat", {"messages": [{"role": "tool", "tool_call_id": "c", "content": SECRET}]}),
    ("openai_chat", {"user": SECRET}),
    (
        "openai_chat",
        {"tools": [{"function": {"parameters": {"properties": {"id": {"description": SECRET}}}}}]},
    ),
    ("openai_chat", {"metadata": {"id": SECRET}}),
    ("openai_chat", {"vendor_field": {"deep": [SECRET]}}),
    ("anthropic", {"system": SECRET}),
    (
        "anthropic",
        {"messages": user({"type": "document", "source": {"type": "text", "data": SECRET}})},
    ),
    ("anthropic", {"messages": user({"type": "tool_use", "input": {"data": SECRET}})}),
    ("anthropic", {"messages": user({"type": "tool_use", "input": {"id": {"type": SECRET}}})}),
    ("gemini", {"systemInstruction": {"parts": [{"text": SECRET}]}}),
    ("gemini", {"contents": [{"parts": [{"functionCall": {"args": {"id": SECRET}}}]}]}),
    ("gemini", {"contents": [{"parts": [{"function_response": {"response": {"mode": SECRET}}}]}]}),
    ("gemini", {"contents": [{"parts": [{"executableCode": {"code": SECRET}}]}]}),
    ("gemini", {"labels": {"role": SECRET}}),
    ("openai_responses", {"instructions": SECRET}),
    ("bedrock", {"system": [{"text": SECRET}]}),
    ("bedrock", {"messages": user({"toolUse": {"input": {"format": SECRET}}})}),
    ("bedrock", {"messages": user({"toolResult": {"content": [{"json": {"type": SECRET}}]}})}),
    ("bedrock", {"messages": user({"guardContent": {"text": {"text": SECRET}}})}),
    ("bedrock", {"additionalModelRequestFields": {"role": SECRET}}),
    ("bedrock", {"trace": {"guardrail": {"modelOutput": [SECRET]}}}),
    ("bedrock", {"requestMetadata": {"type": SECRET}}),
    (
        "openai_responses",
        {"input": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": SECRET}]}]},
    ),
]


@pytest.mark.parametrize(("dialect", "more"), TEXTS)
def test_text_is_found_wherever_it_stands(dialect: str, more: Any) -> None:
    found = [leaf.text for leaf in leaves(more, DIALECTS[dialect].text)]
    assert found == [SECRET]


NO_TEXTS = [
    ("openai_chat", {"role": "user", "type": "text", "id": "x", "finish_reason": "stop"}),
    (
        "openai_chat",
        user({"type": "image_url", "image_url": {"url": "data:image/png;base64,aWk="}}),
    ),
    (
        "openai_chat",
        user({"type": "input_audio", "input_audio": {"data": "aWk=", "format": "wav"}}),
    ),
    ("openai_chat", {"audio": {"data": "aWk="}}),
    (
        "openai_chat",
        {
            "block": {
                "inlineData": {"mimeType": "image/png", "data": "aWk="},
                "thoughtSignature": "x",
            }
        },
    ),
    ("anthropic", {"source": {"type": "base64", "media_type": "image/png", "data": "aWk="}}),
    ("anthropic", {"type": "redacted_thinking", "data": "aWk="}),
    ("anthropic", {"type": "thinking", "thinking": "", "signature": "aWk="}),
    ("gemini", {"inlineData": {"mimeType": "image/png", "data": "aWk="}}),
    ("gemini", {"inline_data": {"mime_type": "image/png", "data": "aWk="}}),
    ("gemini", {"thoughtSignature": "aWk=", "thought_signature": "aWk="}),
    ("openai_responses", {"type": "reasoning", "id": "rs", "encrypted_content": "aWk="}),
    ("bedrock", {"image": {"format": "png", "source": {"bytes": "aWk="}}}),
    ("bedrock", {"reasoningContent": {"redactedContent": "aWk="}}),
    ("bedrock", {"toolResult": {"toolUseId": "t", "status": "error"}}),
    ("bedrock", {"guardrailConfig": {"guardrailIdentifier": "g", "trace": "enabled"}}),
    (
        "openai_responses",
        {"type": "image_generation_call", "result": "aWk=", "status": "completed"},
    ),
]


@pytest.mark.parametrize(("dialect", "doc"), NO_TEXTS)
def test_protocol_words_and_media_are_no_text(dialect: str, doc: Any) -> None:
    assert leaves(doc, DIALECTS[dialect].text) == []


def test_arguments_are_json_inside_a_string() -> None:
    for dialect in ("openai_chat", "openai_responses"):
        found = leaves({"arguments": '{"to":"x"}'}, DIALECTS[dialect].text)
        assert [leaf.json_text for leaf in found] == [True]
