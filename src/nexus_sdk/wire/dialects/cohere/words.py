"""The words of Cohere's chat protocol, and the tables that turn them into the canonical ones."""

from __future__ import annotations

from nexus_sdk.wire import shape
from nexus_sdk.wire.dialect import inverted
from nexus_sdk.wire.texts import TextMap

NAME = "cohere"

TEXT = TextMap(
    skip=frozenset({
        "role", "type", "id", "model", "tool_call_id", "finish_reason", "logprobs", "token_ids",
        "safety_mode", "mode", "tool_choice", "detail", "signature", "usage",
    }),
    json_text=frozenset({"arguments"}),
    media=frozenset({"url"}),
    free=frozenset({"data", "document", "tool_output", "parameters", "json_schema", "schema"}),
)  # fmt: skip

FIELDS: shape.Fields = {
    "max_tokens": shape.COUNT,
    "temperature": shape.MEASURE,
    "p": shape.MEASURE,
    "k": shape.COUNT,
    "seed": shape.WHOLE,
    "frequency_penalty": shape.NUMBER,
    "presence_penalty": shape.NUMBER,
    "stop_sequences": shape.TEXTS,
    "stream": shape.FLAG,
    "tools": shape.OBJECTS,
    "strict_tools": shape.FLAG,
    "tool_choice": shape.TEXT,
    "documents": shape.LIST,
    "citation_options": shape.OBJECT,
    "response_format": shape.OBJECT,
    "safety_mode": shape.TEXT,
    "thinking": shape.OBJECT,
    "logprobs": shape.FLAG,
    "priority": shape.COUNT,
    "raw_prompting": shape.FLAG,
}
MESSAGE: shape.Fields = {
    "content": shape.CONTENT,
    "tool_call_id": shape.TEXT,
    "tool_calls": shape.OBJECTS,
    "tool_plan": shape.TEXT,
    "citations": shape.OBJECTS,
}
KNOWN = frozenset({
    *FIELDS, *MESSAGE, "model", "messages", "role", "type", "text", "thinking", "image_url", "url",
    "detail", "document", "data", "id", "function", "name", "description", "parameters",
    "arguments", "json_schema", "schema", "token_budget", "mode", "start", "end", "sources",
    "content_index", "tool_output", "signature",
})  # fmt: skip
FREE = frozenset({"data", "document", "tool_output", "parameters", "json_schema", "schema"})

RENAMES = {
    "max_tokens": "max_completion_tokens",
    "stop_sequences": "stop",
    "p": "top_p",
    "k": "top_k",
}
TOOL_CHOICE = {"REQUIRED": "required", "NONE": "none"}

FINISH = {
    "COMPLETE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "CONTENT_FILTER": "content_filter",
}
"""Cohere itself has no CONTENT_FILTER. It is how an answer that another vendor's filter ended is
told: no word of Cohere's own says so, and COMPLETE would be false."""
FINISH_FINER = {"STOP_SEQUENCE": "stop", "TIMEOUT": "length"}
"""Reasons that share OpenAI's word with another: `native_finish_reason` keeps them apart."""
FAILED = "ERROR"
"""The generation failed: what came of it is no answer."""
STOP = inverted(FINISH) | {"function_call": "TOOL_CALL"}

DEFAULT_SCHEMA_NAME = "output"
"""OpenAI requires a name where Cohere has none."""

MOST = {
    "temperature": 1,
    "top_p": 0.99,
    "top_k": 500,
    "frequency_penalty": 1,
    "presence_penalty": 1,
}
"""The ranges of https://docs.cohere.com/reference/chat; other APIs allow more."""
LEAST = {"top_p": 0.01}

BUDGETS: dict[str, int | None] = {
    "minimal": 1024,
    "low": 1024,
    "medium": 8192,
    "high": None,
    "xhigh": None,
    "max": None,
}
"""Reasoning efforts as thinking budgets in tokens; None is all that the model takes. Cohere has no
efforts: the numbers are those by which Google reads OpenAI's
(https://ai.google.dev/gemini-api/docs/openai)."""
