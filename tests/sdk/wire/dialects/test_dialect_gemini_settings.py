"""Settings, schemas, media and what only Gemini has, to and from its requests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.sdk.wire.dialects.dialect_golden import user
from tests.sdk.wire.dialects.gemini_lab import GEMINI, GEMINI_USER, ask, strictly

from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report

# ---- settings

EFFORTS: list[tuple[str, Any, Any]] = [
    ("gemini-3-pro", {"reasoning_effort": "low"}, {"thinkingLevel": "LOW"}),
    ("gemini-3-pro", {"reasoning_effort": "none"}, {"thinkingLevel": "MINIMAL"}),
    ("gemini-flash-latest", {"reasoning_effort": "xhigh"}, {"thinkingLevel": "HIGH"}),
    ("gemini-2.5-pro", {"reasoning_effort": "medium"}, {"thinkingBudget": 8192}),
    ("gemini-2.5-pro", {"reasoning_effort": "none"}, {"thinkingBudget": 0}),
    ("gemini-2.5-pro", {"reasoning_effort": "max"}, {"thinkingBudget": 24576}),
    ("gemini-2.0-flash", {"reasoning_effort": "low"}, None),
    ("gemini-3-pro", {"reasoning": {"summary": "auto"}}, {"includeThoughts": True}),
    ("gemini-3-pro", {"reasoning": {"effort": "high"}}, {"thinkingLevel": "HIGH"}),
    ("m", {"thinking": {"type": "disabled"}}, {"thinkingBudget": 0}),
    (
        "m",
        {"thinking": {"type": "enabled", "budget_tokens": 2000}, "reasoning_effort": "low"},
        {"includeThoughts": True, "thinkingBudget": 2000},
    ),
    ("m", {"thinking": {"type": "adaptive", "display": "omitted"}}, {"thinkingBudget": -1}),
    ("m", {"thinking": {"type": "sometimes"}}, None),
    ("gemini-3-pro", {"reasoning_effort": "default"}, None),
]


@pytest.mark.parametrize(("model", "chat", "wanted"), EFFORTS)
def test_efforts_and_budgets_are_what_the_model_takes(model: str, chat: Any, wanted: Any) -> None:
    body, report = ask(chat, model)
    assert body.get("generationConfig", {}).get("thinkingConfig") == wanted
    assert wanted is not None or report.omissions


THINKING: list[Any] = [
    {"thinkingLevel": "HIGH"},
    {"thinkingLevel": "LOW", "includeThoughts": True},
    {"thinkingBudget": 512},
    {"thinkingBudget": 512, "includeThoughts": True},
    {"thinkingBudget": 0},
    {"thinkingBudget": -1, "includeThoughts": True},
    {"includeThoughts": True},
]


@pytest.mark.parametrize("config", THINKING)
def test_thinking_goes_round(config: Any) -> None:
    doc = {"contents": GEMINI_USER, "generationConfig": {"thinkingConfig": config}}
    assert GEMINI.encode_request(GEMINI.decode_request(doc), Report()) == doc


CONFIGS: list[Any] = [
    {"responseMimeType": "text/plain"},
    {"responseMimeType": "application/json"},
    {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["a"]}},
    {"responseJsonSchema": {"type": "object"}},
    {"responseModalities": ["TEXT", "IMAGE"], "enableEnhancedCivicAnswers": True},
    {"speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}},
    {"mediaResolution": "MEDIA_RESOLUTION_LOW", "topK": 4.0, "logprobs": 2},
]


@pytest.mark.parametrize("config", CONFIGS)
def test_settings_go_round(config: Any) -> None:
    doc = {"contents": GEMINI_USER, "generationConfig": config}
    back = GEMINI.encode_request(GEMINI.decode_request(doc), Report())
    assert back == doc
    strictly(back)


def test_googles_own_form_of_schema_is_read() -> None:
    schema = {
        "type": "OBJECT",
        "properties": {
            "n": {"type": "INTEGER", "nullable": True},
            "list": {"type": "ARRAY", "items": {"type": "STRING"}, "maxItems": "3"},
            "any": {"anyOf": [{"type": "STRING"}, {"type": "TYPE_UNSPECIFIED"}], "nullable": True},
            "all": True,
        },
    }
    config = {"response_mime_type": "application/json", "response_schema": schema}
    chat = GEMINI.decode_request({"contents": GEMINI_USER, "generationConfig": config})
    assert chat["response_format"]["json_schema"]["schema"] == {
        "type": "object",
        "properties": {
            "n": {"type": ["integer", "null"]},
            "list": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
            "any": {"anyOf": [{"type": "string"}, {"type": "TYPE_UNSPECIFIED"}, {"type": "null"}]},
            "all": True,
        },
    }


def test_keywords_that_are_not_kept_to_are_told_once() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "a": {"type": "string", "pattern": "x", "minLength": 2},
            "pattern": {"type": "string", "pattern": "y"},
            "c": {"allOf": [{"type": "string"}], "description": "d"},
            "d": True,
        },
        "additionalProperties": False,
    }
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    body, report = ask({"tools": [tool]})
    assert body["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"] == {
        "type": "object",
        "properties": {
            "a": {"type": "string"},
            "pattern": {"type": "string"},
            "c": {"type": "string", "description": "d"},
            "d": True,
        },
        "additionalProperties": False,
    }
    where = "tools.0.function.parameters"
    assert [loss.param for loss in report.omissions] == [f"{where}.minLength", f"{where}.pattern"]
    assert report.changes == (f"{where}: allOf->its one member",)


CHOICES: list[tuple[Any, Any]] = [
    ({"mode": "AUTO"}, "auto"),
    ({"mode": "NONE"}, "none"),
    ({"mode": "ANY"}, "required"),
    (
        {"mode": "ANY", "allowedFunctionNames": ["f"]},
        {"type": "function", "function": {"name": "f"}},
    ),
    ({"mode": "VALIDATED", "allowedFunctionNames": ["f"]}, None),
]


@pytest.mark.parametrize(("calling", "choice"), CHOICES)
def test_how_functions_are_called_goes_round(calling: Any, choice: Any) -> None:
    tools = [{"functionDeclarations": [{"name": "f"}]}]
    config = {"functionCallingConfig": calling}
    doc = {"contents": GEMINI_USER, "tools": tools, "toolConfig": config}
    chat = GEMINI.decode_request(doc)
    assert chat.get("tool_choice") == choice
    assert GEMINI.encode_request(chat, Report()) == doc


def test_choices_of_other_vendors() -> None:
    function = {"type": "function", "function": {"name": "f"}}
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [function]}}
    body, _ = ask({"tools": [function], "tool_choice": allowed})
    calling = body["toolConfig"]["functionCallingConfig"]
    assert calling == {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}
    body, report = ask({"tools": [function], "tool_choice": {"type": "web_search"}})
    assert "toolConfig" not in body
    assert [loss.param for loss in report.drops] == ["tool_choice"]
    body, report = ask({"tools": [{"type": "mcp"}], "tool_choice": "required"})
    assert body.keys() == {"contents"}
    assert [loss.param for loss in report.drops] == ["tools.0"]


def test_a_wish_for_web_search_is_googles_search() -> None:
    body, report = ask({"web_search_options": {}, "tools": [{"type": "urlContext"}]})
    assert body["tools"] == [{"urlContext": {}}, {"googleSearch": {}}]
    assert report.changes == ("web_search_options->googleSearch",)


def test_members_that_gemini_would_refuse_are_left_out_and_told() -> None:
    tool = {"type": "function", "function": {"name": "f"}, "defer_loading": True}
    part = {"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}}
    result = {"role": "tool", "tool_call_id": "c", "content": "y", "caller": "z"}
    body, report = ask({"tools": [tool], "messages": [{"role": "user", "content": [part]}, result]})
    strictly(body)
    assert [loss.param for loss in report.omissions] == [
        "messages.0.content.0.prompt_cache_breakpoint",
        "messages.1.caller",
        "tools.0.defer_loading",
    ]


def test_tiers() -> None:
    for tier, own in (("default", "standard"), ("priority", "priority"), ("auto", None)):
        assert ask({"service_tier": tier})[0].get("serviceTier") == own
    assert [loss.param for loss in ask({"service_tier": "scale"})[1].omissions] == ["service_tier"]


def test_markers_and_system_messages_are_told() -> None:
    marker = {"cache_control": {"type": "ephemeral"}}
    messages = [
        {"role": "system", "content": "a"} | marker,
        {"role": "user", "content": "b"} | marker,
        {"role": "developer", "content": "c"},
        {"role": "assistant", "content": "", "audio": {"id": "x"}, "annotations": [{}]},
        {"role": "assistant", "content": "d", "provider_blocks": [{"origin": "x", "block": {}}]},
        {"role": "tool", "tool_call_id": "?", "content": "e"} | marker,
    ]
    body, report = ask({"messages": messages, "modalities": ["text", "smell"]})
    assert [content["role"] for content in body["contents"]] == ["user", "user", "model", "user"]
    assert [loss.param for loss in report.drops] == [
        "messages.3.audio",
        "messages.4.provider_blocks",
        "modalities",
    ]
    assert [loss.param for loss in report.omissions] == [
        "messages.0.cache_control",
        "messages.1.cache_control",
        "messages.3.annotations",
        "messages.5.cache_control",
    ]
    assert len(report.changes) == 2
    assert ask({"response_format": {"type": "grammar"}})[1].drops[0].param == "response_format"


# ---- media

PARTS: list[tuple[Any, Any]] = [
    (
        {"inlineData": {"mimeType": "image/png", "data": "aWk="}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aWk="}},
    ),
    (
        {"inlineData": {"mimeType": "audio/mpeg", "data": "aWk="}},
        {"type": "input_audio", "input_audio": {"data": "aWk=", "format": "mp3"}},
    ),
    (
        {"inlineData": {"mimeType": "video/mp4", "data": "aWk=", "displayName": "film"}},
        {
            "type": "video_url",
            "video_url": {"url": "data:video/mp4;base64,aWk="},
            "displayName": "film",
        },
    ),
    (
        {"fileData": {"fileUri": "https://www.youtube.com/watch?v=1"}},
        {"type": "video_url", "video_url": {"url": "https://www.youtube.com/watch?v=1"}},
    ),
    (
        {"fileData": {"fileUri": "https://example.com/i", "mimeType": "image/png"}},
        {
            "type": "image_url",
            "image_url": {"url": "https://example.com/i"},
            "media_type": "image/png",
        },
    ),
    (
        {"fileData": {"fileUri": "https://example.com/a.pdf", "mimeType": "application/pdf"}},
        {"type": "file", "file": {"file_url": "https://example.com/a.pdf"}},
    ),
    (
        {"fileData": {"fileUri": "gs://b/i", "mimeType": "image/png", "displayName": "i"}},
        {
            "type": "file",
            "file": {"file_id": "gs://b/i"},
            "media_type": "image/png",
            "displayName": "i",
        },
    ),
    (
        {
            "fileData": {"fileUri": "gs://b/f.mp4", "mimeType": "video/mp4"},
            "videoMetadata": {"fps": 2},
            "mediaResolution": {"level": "MEDIA_RESOLUTION_MEDIUM"},
        },
        {
            "type": "file",
            "file": {"file_id": "gs://b/f.mp4"},
            "videoMetadata": {"fps": 2},
            "mediaResolution": {"level": "MEDIA_RESOLUTION_MEDIUM"},
        },
    ),
]


@pytest.mark.parametrize(("part", "item"), PARTS)
def test_media_goes_round(part: Any, item: Any) -> None:
    doc = {"contents": [{"role": "user", "parts": [part]}]}
    chat = GEMINI.decode_request(doc)
    assert chat["messages"][0]["content"] == [item]
    body = GEMINI.encode_request(chat, Report())
    assert body == doc
    strictly(body)


def test_the_detail_of_an_image_is_its_resolution_from_gemini_3_on() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/i", "detail": "low"}}
    body, _ = ask({"messages": user(image)})
    part = body["contents"][0]["parts"][0]
    assert part["mediaResolution"] == {"level": "MEDIA_RESOLUTION_LOW"}
    chat = GEMINI.decode_request(body)
    assert "mediaResolution" not in chat["messages"][0]["content"][0]
    body, report = ask({"messages": user(image)}, "gemini-2.5-pro")
    assert "mediaResolution" not in body["contents"][0]["parts"][0]
    assert [loss.param for loss in report.omissions] == ["messages.0.content.0.image_url.detail"]


def test_parts_of_other_vendors_that_are_text() -> None:
    cited = {"type": "text", "text": "x", "citations": [{}], "cache_control": {"type": "ephemeral"}}
    refusal = {"type": "refusal", "refusal": "No."}
    body, report = ask({"messages": [{"role": "user", "content": [cited, refusal]}]})
    assert body["contents"][0]["parts"] == [{"text": "x"}, {"text": "No."}]
    assert len(report.omissions) == 2
    body, _ = ask({"messages": [{"role": "assistant", "content": [refusal]}]})
    assert body["contents"][0] == {"role": "model", "parts": [{"text": "No."}]}


# ---- what only Gemini has


def test_what_only_gemini_has_is_told_at_every_other_target() -> None:
    part = {"inlineData": {"mimeType": "image/png", "data": "aWk=", "displayName": "i"}}
    call = {"role": "model", "parts": [{"functionCall": {"id": "c", "name": "f", "args": {}}}]}
    result = {"id": "c", "name": "f", "response": {}, "scheduling": "SILENT"}
    doc = {
        "contents": [
            {"role": "user", "parts": [part]},
            call,
            {"role": "user", "parts": [{"functionResponse": result}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "f", "behavior": "BLOCKING"}]}],
        "toolConfig": {"retrievalConfig": {"languageCode": "de"}},
        "generationConfig": {"speechConfig": {}, "audioTimestamp": True},
        "safetySettings": [],
        "labels": {"a": "b"},
        "cachedContent": "cachedContents/1",
    }
    chat = {"model": "gemini-2.5-pro"} | GEMINI.decode_request(doc)
    assert GEMINI.encode_request(chat, Report()) == doc
    for target in ("openai_chat", "openai_responses", "anthropic"):
        report = Report()
        body = DIALECTS[target].encode_request(chat, report)
        assert not body.keys() & doc.keys() - {"tools"}
        assert [loss.param for loss in report.drops] == [
            "cachedContent",
            "generationConfig.speechConfig",
        ]
        assert [loss.param for loss in report.omissions] == [
            "safetySettings",
            "labels",
            "toolConfig",
            "generationConfig.audioTimestamp",
            "tools.0.behavior",
            "messages.0.content.0.displayName",
            "messages.2.scheduling",
        ]
        for word in ("displayName", "SILENT", "BLOCKING", "cachedContents"):
            assert word not in json.dumps(body)
