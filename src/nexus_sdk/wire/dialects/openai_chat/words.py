"""The words of the chat completions protocol: which keys hold no text, and which exist at all."""

from __future__ import annotations

from nexus_sdk.wire import shape
from nexus_sdk.wire.texts import TextMap

TEXT = TextMap(
    skip=frozenset({
        "role", "type", "id", "object", "model", "models", "tool_call_id", "item_id",
        "finish_reason", "origin", "native_finish_reason", "stop_reason", "service_tier",
        "system_fingerprint", "reasoning_effort", "verbosity", "detail", "modalities", "file_id",
        "obfuscation", "logprobs", "created", "usage", "signature", "encrypted_content",
        "encrypted_index", "thoughtSignature",
        "input_audio", "cache_control", "provider", "status", "phase", "media_type",
    }),
    json_text=frozenset({"arguments", "partial_json"}),
    typed={
        "base64": frozenset({"data"}),
        "redacted_thinking": frozenset({"data"}),
        "reasoning.encrypted": frozenset({"data", "format"}),
        "reasoning.text": frozenset({"format"}),
        "reasoning.summary": frozenset({"format"}),
    },
    inside={
        "audio": frozenset({"data", "voice", "format"}),
        "inlineData": frozenset({"data", "mimeType"}),
    },
    media=frozenset({"url", "image_url", "file_data", "file_url"}),
    free=frozenset({"metadata", "parameters", "schema", "input_schema", "input"}),
)  # fmt: skip

FIELDS: shape.Fields = {
    "max_tokens": shape.COUNT,
    "max_completion_tokens": shape.COUNT,
    "n": shape.POSITIVE,
    "temperature": shape.MEASURE,
    "top_p": shape.MEASURE,
    "presence_penalty": shape.NUMBER,
    "frequency_penalty": shape.NUMBER,
    "seed": shape.WHOLE,
    "stop": shape.TEXTS,
    "stream": shape.FLAG,
    "stream_options": shape.OBJECT,
    "tools": shape.OBJECTS,
    "tool_choice": shape.CHOICE,
    "functions": shape.OBJECTS,
    "function_call": shape.CHOICE,
    "parallel_tool_calls": shape.FLAG,
    "response_format": shape.OBJECT,
    "logprobs": shape.FLAG,
    "top_logprobs": shape.COUNT,
    "logit_bias": shape.OBJECT,
    "metadata": shape.OBJECT,
    "user": shape.TEXT,
    "safety_identifier": shape.TEXT,
    "store": shape.FLAG,
}

MESSAGE: shape.Fields = {
    "content": shape.CONTENT,
    "name": shape.TEXT,
    "tool_call_id": shape.TEXT,
    "tool_calls": shape.OBJECTS,
    "function_call": shape.OBJECT,
    "refusal": shape.TEXT,
    "reasoning_content": shape.TEXT,
    "reasoning_blocks": shape.OBJECTS,
    "provider_blocks": shape.OBJECTS,
    "annotations": shape.OBJECTS,
    "is_error": shape.FLAG,
}

KNOWN = frozenset({
    *FIELDS, *MESSAGE, "model", "messages", "role", "type", "id", "index", "function", "custom",
    "arguments", "format", "description", "parameters", "strict", "text", "image_url", "url",
    "detail", "input_audio", "data", "file", "audio", "file_id", "file_data", "filename",
    "cache_control", "include_usage", "include_obfuscation", "json_schema", "schema",
    "reasoning_effort", "verbosity", "service_tier", "prompt_cache_key", "prediction", "modalities",
    "web_search_options", "prompt_cache_retention", "grammar", "definition", "syntax", "voice",
    "allowed_tools", "mode", "reasoning", "reasoning_details", "origin", "block", "at", "input",
    "ttl",
})  # fmt: skip

FREE = frozenset(
    {"metadata", "logit_bias", "parameters", "schema", "reasoning_blocks", "provider_blocks"}
)
"""Keys below which the user's own keys stand, or another vendor's."""
